"""The assistant seen by itself, made ready for the system page. Pure: points, samples and readings in."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assistant.web.pages.columns import Columns, draw_columns
from assistant.web.pages.text import sure
from assistant.workflow.board import Point

DAYS = 14
DAY = 86_400.0
TEN_FOLD = 10.0
"""As the alert rule PayopsRedactionsDrift: ten times as many values as usual."""
ENOUGH = 20


@dataclass(frozen=True, slots=True)
class Drift:
    """One measure of the last day against the days before it. `far` where it left them."""

    name: str
    now: str
    usual: str
    far: bool
    why: str


def by_day(points: Sequence[Point], now: float) -> tuple[list[float], list[list[Point]]]:
    """Points in days that end now: the start of each day, and its points."""
    starts = [now - (DAYS - i) * DAY for i in range(DAYS)]
    days: list[list[Point]] = [[] for _ in starts]
    for point in points:
        at = int((point.written_at - starts[0]) // DAY)
        if 0 <= at < DAYS:
            days[at].append(point)
    return starts, days


def midnight(now: float) -> float:
    """The end of this day in UTC: charts show days of the calendar."""
    return math.ceil(now / DAY) * DAY


def history_charts(points: Sequence[Point], now: float) -> list[Columns]:
    """What drifts when the assistant itself does, a value a day."""
    starts, days = by_day(points, midnight(now))
    middles = [s + DAY / 2 for s in starts]
    removed = {klass: [sum(p.redactions.get(klass, 0) for p in day) for day in days] for klass in _classes(points)}
    verdicts = {
        sure(v): [_share([p.verdict == v for p in day]) for day in days]
        for v in ("confirmed", "likely", "inconclusive")
    }
    made = [
        draw_columns("removed", title="Values redacted on the way in, a day", unit="", t=middles, series=removed),
        draw_columns("verdicts", title="Verdicts of leading hypotheses", unit="ratio", t=middles, series=verdicts),
        draw_columns("scores", title="Score of the best runbook", unit="", t=middles,
             series={"mean": [_mean([p.score for p in day]) for day in days]}),
        draw_columns("spread", title="Notes by the score of their best runbook, a day", unit="", t=middles,
             series=_spread(days)),
        draw_columns("struck", title="Claims struck a note", unit="", t=middles,
             series={"mean": [_mean([float(p.struck) for p in day]) for day in days]}),
        draw_columns("tokens", title="Tokens of the model, a day", unit="", t=middles,
             series={"tokens": [float(sum(p.tokens for p in day)) for day in days]}),
        draw_columns("cost", title="Cost of the model, a day", unit="", t=middles,
             series={"cost": [float(sum(p.cost for p in day)) for day in days]}),
        draw_columns("seconds", title="Seconds that the model took, mean a note", unit="s", t=middles,
             series={"mean": [_mean([p.seconds for p in day if p.tokens]) for day in days]}),
        draw_columns("notes", title="Revisions of notes a day", unit="", t=middles,
             series={"revisions": [float(len(day)) for day in days]}),
    ]  # fmt: skip
    return [m for m in made if m is not None and m.parts]


def judged_chart(judged: Sequence[tuple[float, str]], now: float) -> Columns | None:
    """What people said, a day: (Unix seconds, judgement)."""
    starts = [midnight(now) - (DAYS - i) * DAY for i in range(DAYS)]
    words = sorted({word for at, word in judged if at >= starts[0]})
    series = {word: [sum(1 for at, w in judged if w == word and s <= at < s + DAY) for s in starts] for word in words}
    return draw_columns("judged", title="What people said of notes, a day", unit="", t=[s + DAY / 2 for s in starts],
                        series=series)  # fmt: skip


def _spread(days: Sequence[Sequence[Point]]) -> dict[str, list[float | None]]:
    """How many notes of each day found a good runbook, a middling one, or none."""
    edges = (("0.5 and over", 0.5, 2.0), ("0.2 to 0.5", 0.2, 0.5), ("under 0.2", -1.0, 0.2))
    return {name: [float(sum(low <= p.score < high for p in day)) for day in days] for name, low, high in edges}


def drifts(points: Sequence[Point], now: float) -> list[Drift]:
    """The last day against the mean of the days before, by the rules that alert on it."""
    _, days = by_day(points, now)
    today, before = days[-1], [day for day in days[:-1] if day]
    found = []
    for klass in _classes(points):
        now_count = float(sum(p.redactions.get(klass, 0) for p in today))
        usual = _mean([float(sum(p.redactions.get(klass, 0) for p in day)) for day in before])
        far = usual is not None and len(today) > 0 and now_count > TEN_FOLD * max(usual, 1.0)
        found.append(
            Drift(f"{klass} redacted", f"{now_count:.0f}", _said(usual), far, "somebody began to log such values")
        )
    for verdict in ("confirmed", "inconclusive"):
        share = _share([p.verdict == verdict for p in today])
        usual = _share([p.verdict == verdict for day in before for p in day])
        far = share is not None and usual is not None and abs(share - usual) > 0.3 and len(today) > ENOUGH
        found.append(
            Drift(f"notes: {sure(verdict)}", _percent(share), _percent(usual), far, "verdicts left their usual mix")
        )
    scores, usual_scores = _mean([p.score for p in today]), _mean([p.score for day in before for p in day])
    low = scores is not None and scores < 0.2 and len(today) > ENOUGH
    found.append(
        Drift("runbook score", _said(scores, 2), _said(usual_scores, 2), low, "notes find no runbook that fits")
    )
    return found


def gaps_of(points: Sequence[Point], now: float) -> list[tuple[str, int]]:
    """How often each source was a gap in the last day's notes."""
    counted = Counter(source for p in points if p.written_at >= now - DAY for source in p.gaps)
    return counted.most_common(12)


def _classes(points: Sequence[Point]) -> list[str]:
    total: Counter[str] = Counter()
    for point in points:
        total.update(point.redactions)
    return [klass for klass, _ in total.most_common(6)]


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _share(values: Sequence[bool]) -> float | None:
    return sum(values) / len(values) if values else None


def _said(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.0f} %"


def gauges(values: Mapping[str, float], names: Mapping[str, str]) -> list[tuple[str, float | None]]:
    """Readings by the words that people read; None where one cannot be asked now."""
    return [(said, values.get(f"payops_{name}")) for name, said in names.items()]
