"""The shape of a model's answer, as JSON Schema for servers that can hold to one, and as strict parsing for all.

Parsing takes what is there and nothing else: no repair of half an object, because half an answer is a wrong one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from assistant.core.draft import Claim, Draft
from assistant.core.evidence import EvidenceId
from assistant.core.inert import visible
from assistant.drafting.faults import FormRefused

Clean = Callable[[str], str]
MAX_ITEMS = 400
"""More than a model that makes no sense gives back; what is too much for a note is struck and counted, not refused."""

_CLAIMS: dict[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["text", "evidence"],
        "properties": {"text": {"type": "string"}, "evidence": {"type": "array", "items": {"type": "string"}}},
    },
}
_TEXTS: dict[str, Any] = {"type": "array", "items": {"type": "string"}}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }


NOTE: dict[str, Any] = _object(
    {
        "title": {"type": "string"},
        "summary": _CLAIMS,
        "cause": _CLAIMS,
        "next_steps": _CLAIMS,
        "not_known": _TEXTS,
        "argued_down": {"type": "string"},
    }
)
ANSWER: dict[str, Any] = _object({"answered": {"type": "boolean"}, "claims": _CLAIMS, "not_known": _TEXTS})


def parse_object(text: str) -> Mapping[str, Any]:
    """The one JSON object in `text`, alone or in one code fence. FormRefused says what is wrong with it."""
    text = text.strip().removeprefix("\ufeff")
    if not text:
        raise FormRefused("the model's answer is empty")
    fence = re.fullmatch(r"(?:[^{]{0,200}?)```(?:json)?\s*(\{.*\})\s*```\s*", text, re.DOTALL)
    try:
        value = json.loads(fence[1] if fence else text)
    except (ValueError, RecursionError):
        raise FormRefused("the model's answer is not JSON") from None
    if not isinstance(value, dict):
        raise FormRefused("the model's answer is not a JSON object")
    return value


def draft_of(value: Mapping[str, Any], *, clean: Clean) -> Draft:
    """The draft in `value`; every text through `clean` (redaction). FormRefused where the shape is wrong."""
    known = NOTE["properties"].keys()
    if not {"title", "summary"} <= value.keys() or not value.keys() <= known:
        raise FormRefused("the model's answer has not the keys of a note")
    return Draft(
        title=_text(value["title"], clean),
        summary=claims_of(value["summary"], clean=clean),
        cause=claims_of(value.get("cause", []), clean=clean),
        next_steps=claims_of(value.get("next_steps", []), clean=clean),
        not_known=texts_of(value.get("not_known", []), clean=clean),
        argued_down=_text(value.get("argued_down", ""), clean),
    )


def claims_of(value: object, *, clean: Clean) -> tuple[Claim, ...]:
    """Claims, in order. FormRefused unless it is a list of objects with `text` and `evidence`."""
    return tuple(_claim(item, clean) for item in _list(value))


def texts_of(value: object, *, clean: Clean) -> tuple[str, ...]:
    return tuple(t for item in _list(value) if (t := _text(item, clean)))


def _claim(item: object, clean: Clean) -> Claim:
    if not isinstance(item, dict) or not item.keys() <= {"text", "evidence"}:
        raise FormRefused("a claim of the model is not an object with text and evidence")
    ids = _list(item.get("evidence", []))
    if not all(isinstance(i, str) and len(i) <= 16 for i in ids):
        raise FormRefused("an evidence id of the model is not a short text")
    return Claim(_text(item.get("text", ""), clean), tuple(EvidenceId(visible(i).strip(" []()")) for i in ids))


def _list(value: object) -> list[Any]:
    if not isinstance(value, list) or len(value) > MAX_ITEMS:
        raise FormRefused(f"a list in the model's answer is none, or longer than {MAX_ITEMS}")
    return value


def _text(value: object, clean: Clean) -> str:
    if not isinstance(value, str):
        raise FormRefused("a text in the model's answer is none")
    return clean(" ".join(visible(value).split()))
