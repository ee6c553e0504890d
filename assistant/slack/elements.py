"""Block Kit elements as plain values, and the budgets that every message keeps. Pure.

Text of others stands only in `rich_text` and `plain_text`, where Slack reads no markup: `<!channel>`, `<@U…>` and bare
links stay letters; it is made inert besides. A link is made from an address of ours, to a host on the allow-list.

Limits are Slack's (50 blocks, header 150, button 75, context 10 elements; an undocumented total of about 13,200
characters gives `msg_blocks_too_long`) and tighter ones of ours.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from assistant.core.inert import inert

Block = dict[str, Any]
Element = dict[str, Any]

CAP = 10_000
"""Characters of a message's blocks as JSON, escapes counted."""
MAX_BLOCKS = 30
HEADER = 150
BUTTON = 75
TEXT = 3_000
FALLBACK = 3_900
"""`text` of `chat.update` is limited to 4,000."""
NOTE_CHARS = 1_800
ANSWER_CHARS = 1_200


@dataclass(slots=True)
class Purse:
    """The characters that a message's prose may still spend. `spent_out` says that something was left out."""

    left: int
    spent_out: bool = False

    def take(self, text: str, most: int = TEXT) -> str:
        """As much of `text` as fits, made inert, on one line, cut with an ellipsis; "" when the purse is empty."""
        whole = one_line(text)
        allowed = min(most, self.left)
        if allowed < 20 and len(whole) > allowed:
            self.spent_out = True
            return ""
        said = cut(whole, allowed)
        self.spent_out |= said != whole
        self.left -= units(said)
        return said


def units(text: str) -> int:
    """UTF-16 code units: how Slack counts."""
    return len(text) + sum(c > "\uffff" for c in text)


def cut(text: str, most: int) -> str:
    if units(text) <= most:
        return text
    kept, used = [], 1
    for c in text:
        used += 2 if c > "\uffff" else 1
        if used > most:
            break
        kept.append(c)
    return "".join(kept).rstrip() + "…"


def one_line(text: str) -> str:
    return " ".join(inert(text).split())


def plain(text: str, most: int) -> Element:
    """A `plain_text` object; never empty, which Slack refuses."""
    return {"type": "plain_text", "text": cut(one_line(text), most) or "–", "emoji": False}


def run(text: str, *styles: str) -> Element:
    """A piece of rich text. `text` is inert already (from `Purse.take`) or ours."""
    made: Element = {"type": "text", "text": text or " "}
    if styles:
        made["style"] = dict.fromkeys(styles, True)
    return made


def section(*runs: Element) -> Element:
    return {"type": "rich_text_section", "elements": list(runs)}


def bullets(items: Iterable[Sequence[Element]]) -> Element:
    elements = [section(*runs) for runs in items]
    return {"type": "rich_text_list", "style": "bullet", "elements": elements}


def preformatted(text: str) -> Element:
    return {"type": "rich_text_preformatted", "elements": [run(text)]}


def rich(block_id: str, *elements: Element) -> Block:
    return {"type": "rich_text", "block_id": block_id, "elements": list(elements)}


def header(block_id: str, text: str) -> Block:
    return {"type": "header", "block_id": block_id, "text": plain(text, HEADER)}


def context(block_id: str, *texts: str) -> Block:
    return {"type": "context", "block_id": block_id, "elements": [plain(t, 300) for t in texts[:10]]}


def button(text: str, action: str, value: str = "", *, url: str = "") -> Element:
    made: Element = {"type": "button", "action_id": action, "text": plain(text, BUTTON)}
    if value:
        made["value"] = value[:2000]
    if url:
        made["url"] = url
    return made


def actions(block_id: str, *buttons: Element) -> Block:
    return {"type": "actions", "block_id": block_id, "elements": list(buttons)}


def feedback(block_id: str, value: str) -> Block:
    """Thumbs up and down, as Slack draws them for apps like this one."""
    return {
        "type": "context_actions",
        "block_id": block_id,
        "elements": [
            {
                "type": "feedback_buttons",
                "action_id": "feedback",
                "positive_button": {"text": plain("Useful", BUTTON), "value": f"+{value}"},
                "negative_button": {"text": plain("Not useful", BUTTON), "value": f"-{value}"},
            }
        ],
    }


def link(url: str, text: str) -> Element:
    return {"type": "link", "url": url, "text": text}


def allowed(url: str, hosts: Iterable[str]) -> bool:
    """Whether we may show a link: http or https, to one of our own hosts (or a Slack workspace), no user in it."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    ours = host in set(hosts) or host == "slack.com" or host.endswith(".slack.com")
    return (
        parts.scheme in {"http", "https"} and ours and parts.username is None and url.isprintable() and " " not in url
    )


def fallback(text: str) -> str:
    """The `text` beside blocks: shown in notifications, where `&<>` are Slack's markup. Escaped, so nothing is live."""
    said = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return cut(said, FALLBACK) or "payops"


def size(blocks: Sequence[Block]) -> int:
    """What `CAP` counts."""
    return len(json.dumps(list(blocks)))


@dataclass(frozen=True, slots=True)
class Part:
    """Blocks that stay or go together. 0 always stays; of the others the highest rank goes first."""

    rank: int
    blocks: tuple[Block, ...]


def fit(parts: Iterable[Part]) -> tuple[Block, ...]:
    """The blocks of as many parts as fit into `CAP` and `MAX_BLOCKS`, in order."""
    kept = [p for p in parts if p.blocks]
    while True:
        blocks = tuple(b for p in kept for b in p.blocks)
        if size(blocks) <= CAP and len(blocks) <= MAX_BLOCKS:
            return blocks
        worst = max(kept, key=lambda p: p.rank)
        if worst.rank == 0:
            return _shrunk(blocks)
        kept.remove(worst)


def _shrunk(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """What must stay and is still too much (long text that JSON escapes): every text cut, again and again."""
    most = 300
    while size(blocks) > CAP and most > 10:
        blocks = tuple(_with_short_texts(b, most) for b in blocks)
        most //= 2
    return blocks[:MAX_BLOCKS]


def _with_short_texts(value: Any, most: int) -> Any:
    if isinstance(value, dict):
        return {
            k: cut(v, most) if k == "text" and isinstance(v, str) else _with_short_texts(v, most)
            for k, v in value.items()
        }
    return [_with_short_texts(v, most) for v in value] if isinstance(value, list) else value
