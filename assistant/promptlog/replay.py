"""A prompt rebuilt from its recorded parts, byte for byte; never an answer (no model promises the same one twice).

An `llm.request` record keeps as bodies the exact bytes sent (`request`), the parts they were made of (prompt file,
evidence, passages, parameters: any name), and `recipe.json`, which says how the one is made of the others. The recipe
is `{"recipe": 1, "style": S, "body": TEMPLATE}`: TEMPLATE is JSON in which these objects stand for something else

    {"$part": "name"}                               the part as text (UTF-8)
    {"$json": "name"}                               the part as the JSON value that it holds
    {"$text": ["literal", {"$part": "name"}, …]}    strings joined

and S how JSON is written: `compact` (no spaces, as httpx and the OpenAI SDK write) or `spaced`, `+ascii` if other
characters are written as escapes. `recipe_for` finds a recipe for a request that another library made; `compose`
follows one. Both know nothing of that library, so a replay does not depend on its version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from assistant.errors import LogInconsistent
from assistant.promptlog.record import Gone, Record

REQUEST = "request"
RECIPE = "recipe.json"
STYLES = ("compact", "compact+ascii", "spaced", "spaced+ascii")
MIN_PART = 8
"""Shorter parts are not looked for inside strings: they would match by accident."""


def compose(recipe: bytes, parts: Mapping[str, bytes]) -> bytes:
    """The request that this recipe makes of these parts. LogInconsistent if it is no recipe or a part is missing."""
    try:
        plan = json.loads(recipe)
        if plan["recipe"] != 1:
            raise LogInconsistent("a recipe of another version")
        return _write(_filled(plan["body"], parts), plan["style"])
    except (ValueError, KeyError, TypeError) as fault:
        raise LogInconsistent(f"a recipe cannot be followed ({type(fault).__name__})") from None


def recipe_for(request: bytes, parts: Mapping[str, bytes]) -> bytes | None:
    """A recipe that makes exactly `request` of `parts`, checked by following it; None if the request is not such
    JSON.
    """
    try:
        value = json.loads(request)
        texts = {name: part.decode("utf-8") for name, part in parts.items()}
    except ValueError:
        return None
    style = next((s for s in STYLES if _write(value, s) == request), None)
    if style is None:
        return None
    found = sorted(texts.items(), key=lambda item: len(item[1]), reverse=True)
    body = _template(value, [(n, t) for n, t in found if len(t) >= MIN_PART], _values(texts))
    recipe = json.dumps({"recipe": 1, "style": style, "body": body}, ensure_ascii=False, separators=(",", ":")).encode()
    try:
        return recipe if compose(recipe, parts) == request else None
    except LogInconsistent:  # the request itself speaks in `$part`: no recipe can say that
        return None


class Bodies(Protocol):
    def body(self, record: Record, name: str) -> bytes | Gone: ...


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay showed. `differs_at` is the first byte that differs; `gone` names parts that are no longer
    there.
    """

    identical: bool
    size: int
    parts: tuple[str, ...]
    differs_at: int | None = None
    gone: tuple[tuple[str, str], ...] = ()
    reason: str = ""


def replay(log: Bodies, record: Record) -> Replay:
    """Rebuild the request of an `llm.request` record and compare it with the bytes that were sent."""
    if REQUEST not in record.bodies or RECIPE not in record.bodies:
        return Replay(False, 0, (), reason="the record holds no request with a recipe")
    held = {name: log.body(record, name) for name in record.bodies}
    gone = tuple((name, body.reason.value) for name, body in held.items() if isinstance(body, Gone))
    parts = {name: body for name, body in held.items() if not isinstance(body, Gone)}
    names = tuple(sorted(set(record.bodies) - {REQUEST, RECIPE}))
    if gone:
        return Replay(False, 0, names, gone=gone, reason="parts of it are no longer there")
    sent, recipe = parts.pop(REQUEST), parts.pop(RECIPE)
    try:
        rebuilt = compose(recipe, parts)
    except LogInconsistent as fault:
        return Replay(False, len(sent), names, reason=fault.message)
    if rebuilt == sent:
        return Replay(True, len(sent), names)
    at = next((i for i, (a, b) in enumerate(zip(rebuilt, sent, strict=False)) if a != b), min(len(rebuilt), len(sent)))
    return Replay(False, len(sent), names, differs_at=at, reason="the rebuilt bytes differ")


def _write(value: object, style: str) -> bytes:
    form, _, ascii_only = style.partition("+")
    separators = {"compact": (",", ":"), "spaced": (", ", ": ")}[form]
    text = json.dumps(value, ensure_ascii=ascii_only == "ascii", separators=separators, allow_nan=False)
    return text.encode("utf-8", "surrogatepass")


def _filled(node: Any, parts: Mapping[str, bytes]) -> Any:
    """The template with every reference replaced."""
    if isinstance(node, list):
        return [_filled(item, parts) for item in node]
    if not isinstance(node, dict):
        return node
    if node.keys() == {"$part"}:
        return parts[node["$part"]].decode("utf-8")
    if node.keys() == {"$json"}:
        return json.loads(parts[node["$json"]])
    if node.keys() == {"$text"}:
        return "".join(_filled(piece, parts) for piece in node["$text"])
    return {key: _filled(value, parts) for key, value in node.items()}


def _values(texts: Mapping[str, str]) -> dict[str, str]:
    """Parts that are a JSON object or list, by their compact form."""
    found = {}
    for name, text in texts.items():
        if text.lstrip()[:1] in {"{", "["}:
            try:
                found[json.dumps(json.loads(text))] = name
            except ValueError:
                continue
    return found


def _template(node: Any, texts: list[tuple[str, str]], values: Mapping[str, str]) -> Any:
    """The value with every part that occurs in it replaced by a reference."""
    if isinstance(node, str):
        pieces = _pieces(node, texts)
        return pieces[0] if len(pieces) == 1 else {"$text": pieces}
    if isinstance(node, list | dict):
        name = values.get(json.dumps(node))
        if name is not None:
            return {"$json": name}
    if isinstance(node, list):
        return [_template(item, texts, values) for item in node]
    if isinstance(node, dict):
        return {key: _template(value, texts, values) for key, value in node.items()}
    return node


def _pieces(text: str, texts: list[tuple[str, str]]) -> list[Any]:
    """The string as literals and parts, longest parts first."""
    for at, (name, part) in enumerate(texts):
        before, hit, after = text.partition(part)
        if hit:
            left = _pieces(before, texts[at + 1 :]) if before else []
            right = _pieces(after, texts[at:]) if after else []
            return [*left, {"$part": name}, *right]
    return [text]
