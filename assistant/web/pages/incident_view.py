"""A note as JSON, made ready for its page. Pure: `note_to_json` in, what the template shows out.

Notes of earlier versions lack keys: what is not there is shown as not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from assistant.web.pages.charts import bars, note_charts
from assistant.web.pages.difference import lines_of, words_of
from assistant.web.pages.strip import strip_of
from assistant.web.pages.text import moment, money, percent, sure

VERDICTS = ("confirmed", "likely", "inconclusive")
_KINDS = {"alert": "Alert", "metric": "Metric", "log": "Log", "change": "Change", "runbook": "Runbook"}


def incident_view(note: Mapping[str, Any]) -> dict[str, Any]:
    """Everything of one revision."""
    hypotheses = list(note.get("hypotheses") or ())
    leading = hypotheses[0] if hypotheses else {}
    cited = _cited(note)
    evidence = _evidence(note, cited)
    impact = note.get("impact") or None
    return {
        "note": note,
        "leading": leading,
        "verdict": str(leading.get("class", "none")),
        "hypotheses": hypotheses,
        "groups": [
            ("What is going on", list(note.get("summary") or ()), "summary"),
            ("Next steps", list(note.get("next_steps") or ()), "steps"),
            ("Why, as far as the evidence goes", list(note.get("cause") or ()), "cause"),
        ],
        "cited": [e for e in evidence if e["cited"]],
        "uncited": [e for e in evidence if not e["cited"]],
        "impact": impact,
        "strip": strip_of(note.get("timeline") or (), since=note.get("since"), until=note.get("written_at")),
        "lasted": _lasted(note),
        "impact_bars": _impact_bars(impact),
        "money": money(impact.get("amounts") or {}) if impact else "",
        "redactions": bars({k: float(v) for k, v in (note.get("redactions") or {}).items()}),
        "passages": [{**p, "evidence": e} for p, e in _passages(note, evidence)],
        "changes": list(note.get("changes") or ()),
        "struck": _struck(note),
        "model": note.get("model") or None,
        "record": note.get("record") or None,
    }


def _lasted(note: Mapping[str, Any]) -> float | None:
    """Seconds from the onset to this revision."""
    began, written = moment(note.get("since")), moment(note.get("written_at"))
    return (written - began).total_seconds() if began and written and written >= began else None


def _cited(note: Mapping[str, Any]) -> list[str]:
    """Evidence ids in the order in which the note first points at them."""
    order: dict[str, None] = {}
    for name in ("summary", "cause", "next_steps"):
        for claim in note.get(name) or ():
            order.update(dict.fromkeys(claim.get("evidence") or ()))
    for hypothesis in note.get("hypotheses") or ():
        order.update(dict.fromkeys([*(hypothesis.get("evidence") or ()), *(hypothesis.get("against") or ())]))
    order.update(dict.fromkeys((note.get("impact") or {}).get("evidence") or ()))
    order.update(dict.fromkeys(c["evidence"] for c in note.get("changes") or () if c.get("evidence")))
    return list(order)


def _evidence(note: Mapping[str, Any], cited: Sequence[str]) -> list[dict[str, Any]]:
    """Pieces of evidence with their charts, those that claims point at first, in the order of the claims."""
    charts, place = note_charts(note.get("charts") or ()), {e: i for i, e in enumerate(cited)}
    found = [
        {
            "id": str(e.get("id", "")),
            "kind": str(e.get("kind", "")),
            "label": _KINDS.get(str(e.get("kind", "")), "Evidence"),
            "query": str(e.get("query", "")),
            "window": list(e.get("window") or ("", ""))[:2],
            "text": str(e.get("text", "")),
            "charts": charts.get(str(e.get("id", "")), []),
            "cited": e.get("id") in place,
        }
        for e in note.get("evidence") or ()
    ]
    return sorted(found, key=lambda e: place.get(e["id"], len(place)))


def _impact_bars(impact: Mapping[str, Any] | None) -> list[tuple[str, Any]]:
    by = (impact or {}).get("by") or {}
    return [(name, bars({k: float(v) for k, v in values.items()})) for name, values in sorted(by.items()) if values]


def _passages(note: Mapping[str, Any], evidence: Iterable[dict[str, Any]]) -> list[tuple[dict[str, Any], Any]]:
    """Runbook passages, each with the evidence that holds its text, matched by order of kind `runbook`."""
    texts = sorted((e for e in evidence if e["kind"] == "runbook"), key=lambda e: (len(e["id"]), e["id"]))
    passages = list(note.get("runbooks") or ())
    return [(p, texts[i] if i < len(texts) else None) for i, p in enumerate(passages)]


def _struck(note: Mapping[str, Any]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """What the checker took out of the draft, by rule."""
    rules: dict[str, list[Mapping[str, Any]]] = {}
    for item in note.get("struck") or ():
        rules.setdefault(str(item.get("rule", "")), []).append(item)
    return sorted(rules.items())


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a revision changed against another: single values with both sides, lists by what came and what went."""
    found: list[dict[str, Any]] = []
    for name, old, new in _values(before, after):
        if old != new:
            found.append({"what": name, "lines": (words_of(old, new),)})
    for name, olds, news in _lists(before, after):
        if lines := lines_of(olds, news):
            found.append({"what": name, "lines": lines})
    return found


def _values(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
    for name in ("title", "status", "severity", "health", "since"):
        yield name, str(before.get(name) or "–"), str(after.get(name) or "–")
    old, new = _leading(before), _leading(after)
    for name, key in (("verdict", "class"), ("leading cause", "cause")):
        yield name, sure(str(old.get(key, "–"))), sure(str(new.get(key, "–")))
    for name, key in (("authorisations lost", "lost"), ("attempts", "attempts")):
        yield name, str((before.get("impact") or {}).get(key, "–")), str((after.get("impact") or {}).get(key, "–"))
    for name, key in (("approval rate", "seen_rate"),):
        yield name, percent((before.get("impact") or {}).get(key)), percent((after.get("impact") or {}).get(key))
    old_money, new_money = (money((n.get("impact") or {}).get("amounts") or {}) for n in (before, after))
    yield "money at risk", old_money, new_money
    old_hand, new_hand = (str((n.get("model") or {}).get("name") or "code, without a model") for n in (before, after))
    yield "written by", old_hand, new_hand


def _lists(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterable[tuple[str, list[str], list[str]]]:
    def both(key: str, form: Callable[[Any], str]) -> tuple[list[str], list[str]]:
        return [form(x) for x in before.get(key) or ()], [form(x) for x in after.get(key) or ()]

    def said(item: Any) -> str:
        return str(item.get("text", ""))

    for name, key in (("summary", "summary"), ("reasons", "cause"), ("next steps", "next_steps")):
        yield (name, *both(key, said))
    yield ("not known", *both("not_known", str))
    yield ("gaps", *both("gaps", lambda g: f"{g.get('source')}: {g.get('reason')}"))
    yield ("timeline", *both("timeline", said))


def _leading(note: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (note.get("hypotheses") or [{}])[0]
    return found
