"""Slack: where people on call ask, read the living note, judge it and hand over.

`blocks`, `details` and `charts` are pure: values in, Block Kit out, every one within Slack's limits and ours. `client`
is the one way out: listed methods only, and a last look at every payload. `app` holds the Bolt listeners, the same for
Socket Mode and HTTP. `carrier` shows one message an incident behind the outbox; `answering` answers questions. Nothing
here posts a mention, and no link that we did not make.
"""
