"""A record and its story, made ready for its page. Pure: values of the log in, what the template shows out."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assistant.promptlog.checkpoint import parse_checkpoint
from assistant.promptlog.merkle import ProofError, node_hash, verify_inclusion
from assistant.promptlog.record import Gone, Record
from assistant.promptlog.replay import RECIPE, REQUEST
from assistant.promptlog.search import redacted

LONG = 200_000
"""Characters of a body that a page shows; the export and `payops log show` give the whole."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt, as its JSON says it."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Body:
    """A body of a record: its text, or why it is gone. `cut`: the page shows its beginning only."""

    name: str
    text: str
    size: int
    gone: str = ""
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an inclusion proof: the sibling on that side, and the hash that follows."""

    side: str
    sibling: str
    result: str


@dataclass(frozen=True, slots=True)
class Shown:
    """An inclusion proof and what our own check of it said ("" holds)."""

    index: int
    size: int
    leaf: str
    leaf_hash: str
    path: tuple[str, ...]
    root: str
    checkpoint: str
    steps: tuple[Step, ...]
    doubt: str


def bodies_of(bodies: Mapping[str, bytes | Gone], sizes: Mapping[str, int]) -> list[Body]:
    """The prompt first, then answers and notes, then the parts it was made of."""
    return [body_of(name, bodies[name], sizes.get(name, 0)) for name in sorted(bodies, key=_rank)]


def body_of(name: str, body: bytes | Gone, size: int) -> Body:
    if isinstance(body, Gone):
        by = f" by record {body.record}" if body.record else ""
        return Body(name, "", size, gone=f"{body.reason.value}{by}")
    text = body.decode("utf-8", "replace")
    return Body(name, pretty(text[:LONG]) if len(text) <= LONG else text[:LONG], size, cut=len(text) > LONG)


def _rank(name: str) -> tuple[int, str]:
    order = (REQUEST, "response", "answer", "note", "paper")
    return (order.index(name) if name in order else (98 if name == RECIPE else 50), name)


def pretty(text: str) -> str:
    """JSON with line breaks; other text as it is."""
    if text.lstrip()[:1] not in ("{", "["):
        return text
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except ValueError:
        return text


def messages_of(request: bytes | Gone) -> list[Message]:
    """The messages of a prompt (Chat Completions `messages`, Responses `input`); [] where it is no such JSON."""
    if isinstance(request, Gone):
        return []
    try:
        value = json.loads(request)
    except ValueError:
        return []
    if not isinstance(value, Mapping):
        return []
    given = value.get("messages") or value.get("input") or []
    if isinstance(given, str):
        return [Message("user", given)]
    return [
        Message(str(m.get("role") or m.get("type") or "message"), _content(m)) for m in given if isinstance(m, Mapping)
    ]


def _content(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(str(p.get("text", "")) if isinstance(p, Mapping) else str(p) for p in content)
    rest = {k: v for k, v in message.items() if k not in ("role", "type")}
    return json.dumps(rest, ensure_ascii=False, indent=2)


def answer_text(body: bytes | Gone) -> str:
    """What the model said, out of the answer's JSON; the whole where it is none that we know."""
    if isinstance(body, Gone):
        return f"[{body.reason.value}]"
    text = body.decode("utf-8", "replace")
    try:
        said = json.loads(text)["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError):
        return pretty(text)
    return pretty(said) if isinstance(said, str) else pretty(text)


def line(record: Record) -> dict[str, Any]:
    """A record as a row of a list."""
    return {
        "index": record.index,
        "id": record.id,
        "time": record.time,
        "event": record.event.value,
        "outcome": record.outcome.value,
        "actor": record.actor,
        "origin": record.origin,
        "resource": record.resource,
        "incident": record.incident or "",
        "classes": sorted(redacted(record).items()),
        "release": str(record.facts.get("release", "")),
        "model": str(record.facts.get("model", "")),
    }


def facts_of(record: Record) -> list[tuple[str, str]]:
    """Facts besides counts of redactions, as text."""
    return [
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True))
        for name, value in sorted(record.facts.items())
        if name != "redactions"
    ]


def proof_of(record: Record, path: tuple[bytes, ...], checkpoint: str) -> Shown:
    """The proof with each step worked out, and checked by our own verifier."""
    head = parse_checkpoint(checkpoint)
    doubt = ""
    try:
        verify_inclusion(record.index, head.size, record.leaf_hash, path, head.root)
    except ProofError as error:
        doubt = str(error)
    return Shown(
        index=record.index,
        size=head.size,
        leaf=record.leaf.decode("ascii"),
        leaf_hash=record.leaf_hash.hex(),
        path=tuple(h.hex() for h in path),
        root=head.root.hex(),
        checkpoint=checkpoint,
        steps=tuple(_steps(record, path, head.size)),
        doubt=doubt,
    )


def _steps(record: Record, path: tuple[bytes, ...], size: int) -> list[Step]:
    """RFC 9162, section 2.1.3.2, written down."""
    fn, sn, current, found = record.index, size - 1, record.leaf_hash, []
    for sibling in path:
        left = bool(fn & 1) or fn == sn
        current = node_hash(sibling, current) if left else node_hash(current, sibling)
        while left and fn and not fn & 1:
            fn, sn = fn >> 1, sn >> 1
        fn, sn = fn >> 1, sn >> 1
        found.append(Step("left" if left else "right", sibling.hex(), current.hex()))
    return found


def root_text(root: bytes) -> str:
    """As a checkpoint writes it."""
    return base64.b64encode(root).decode()
