"""Durable work on incidents, on DBOS: SQLite by default, PostgreSQL by URL and then shared by replicas.

One workflow per incident and *round* (a state worth a look: opened, grew, got worse, ended, came back); its id, such
as `inc-7kf3ma.2`, is the idempotency key. Steps: `record` (the prompt log knows what came in), `facts` (a note
without a model), `note` (the same facts, drafted), `finish`. A step that is done again after a crash finds what it
did before: notes are kept under a key, records have ids, what goes out passes an outbox with claims. So a kill at any
point leaves exactly one note of each kind and no lost record.

What DBOS 3.4 does not do, this room does (see `replicas`, `rounds`, `engine`): a unique executor id for each process,
heartbeats by the database's clock, and a leader that resumes the work of executors whose heartbeat is old; a number
of the workflow's shape kept by hand; JSON of our own through the final scanner instead of pickle; its logger behind
ours; bounded concurrency; and an end to crashing: after two crashes of one round the deterministic note goes out.
"""

SHAPE = "1"
"""The number of the workflow's shape. It changes when steps are added, removed or reordered; see `engine.adopt`."""
