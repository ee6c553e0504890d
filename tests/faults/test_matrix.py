"""Every dependency times every fault, during an incident: the note is out, what is missing is named, nothing is said
twice, and no byte that was not redacted leaves or is kept.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assistant.promptlog.record import Event
from tests.doubles.faulty import FAULTS, Mode
from tests.faults.bed import Bed, bed, has_weights
from tests.sources.servers import needs

pytestmark = [pytest.mark.live, needs("prometheus", "promtool")]

DEPENDENCIES = ("prometheus", "loki", "changes", "model", "chroma", "alertmanager", "desk", "checkpoints")
CASES = [(d, f) for d in DEPENDENCIES for f in FAULTS]
QUICK = {
    ("prometheus", "cut"), ("prometheus", "garbage"), ("loki", "huge"), ("loki", "refused"), ("changes", "garbage"),
    ("model", "5xx"), ("model", "cut"), ("chroma", "slow"), ("alertmanager", "garbage"), ("desk", "flapping"),
    ("desk", "cut"), ("checkpoints", "refused"), ("prometheus", "slow"),
}  # fmt: skip
"""Each dependency at least once, each fault at least once; the whole matrix is slow."""


TAKEN = {("checkpoints", "garbage"), ("checkpoints", "cut"), ("checkpoints", "huge")}
"""A place that answers 200 has taken the checkpoint, whatever it says after that."""


def resident() -> int:
    """Bytes of this process that are in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    if not has_weights():
        pytest.skip("embedder weights absent; get them with: make embedder")
    with bed(tmp_path_factory.mktemp("faults") / "state") as made:
        for _ in range(5):  # the first rounds on a busy machine may run out of their short patience
            incident = made.alert()
            made.settled(incident)
            made.all_shown(incident)
            well = made.note(incident)
            named = {g["source"] for g in well["gaps"]} & set(DEPENDENCIES)
            made.close_books()
            if well["record"] and not named and not _model_trouble(well):
                break
        assert well["record"] and made.journal.bodies and not _model_trouble(well), well["without_model"]
        assert not named, well["gaps"]
        yield made
        assert not made.leaks()


@pytest.fixture(scope="module", autouse=True)
def before_faults(made: Bed) -> int:
    """Bytes in memory once the first incident went well and nothing had failed yet."""
    return resident()


def _model_trouble(note: dict[str, object]) -> str:
    """Why there is no draft, if that is for the model's sake; a draft that the checker did not let pass is none."""
    why = str(note["without_model"] or "")
    return "" if "not in the evidence" in why or "wrote no summary" in why else why


def told(made: Bed, dependency: str, incident: str) -> str:
    """Where the fault of a dependency is said: the note's gap, its reason without a model, or the health."""
    note = made.note(incident)
    if dependency == "model":
        return _model_trouble(note)
    if dependency == "chroma":
        return " ".join(made.live.house.runbooks.warnings)  # type: ignore[attr-defined]
    if dependency in {"prometheus", "loki", "changes"}:
        return " ".join(g["reason"] for g in note["gaps"] if g["source"] == dependency)
    name = {"alertmanager": "alertmanager-poll", "checkpoints": "checkpoints", "desk": "outlet-desk"}[dependency]
    if dependency == "desk":
        return "waiting" if made.live.service.outbox.waiting().count else ""
    return made.live.health()[name]


def eventually(what: Callable[[], object], *, within: float = 30.0) -> bool:
    until = time.monotonic() + within
    while not what():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize(
    ("dependency", "fault"), [c if c in QUICK else pytest.param(*c, marks=pytest.mark.slow) for c in CASES]
)
def test_a_fault_during_an_incident(made: Bed, dependency: str, fault: Mode) -> None:
    link = made.links[dependency]
    before = link.taken
    link.turn(fault)
    try:
        incident = made.alert()
        made.settled(incident)
        assert made.keys(incident) == ["1.facts", "1.note"]
        assert fault == "refused" or link.taken > before, "the fault was not met"
        if fault != "flapping" and (dependency, fault) not in TAKEN:
            assert eventually(lambda: told(made, dependency, incident)), made.note(incident)["gaps"]
    finally:
        link.turn("ok")
    made.all_shown(incident)
    shown = [key for key in made.desk.shown if key[0] == incident]
    assert sorted(shown) == [(incident, 1), (incident, 2)]
    records = [r for r in made.live.house.promptlog.scan() if r.incident == incident]  # type: ignore[attr-defined]
    assert sum(r.event is Event.ALERT_RECEIVED and r.resource == "alert" for r in records) >= 1
    posts = [r.id for r in records if r.event in {Event.NOTE_POST, Event.NOTE_UPDATE}]
    assert len(posts) == len(set(posts)) == 2
    asked = [r for r in records if r.event is Event.LLM_REQUEST]
    closed = [r for r in records if r.event in {Event.LLM_RESPONSE, Event.LLM_UNKNOWN_OUTCOME}]
    assert len(asked) == len(closed)
    made.close_books()


def test_the_process_stayed_small(made: Bed, before_faults: int) -> None:
    """Endless answers were read to their limit and no further (other tests share this process: what grew counts)."""
    assert resident() - before_faults < 600 * 1024 * 1024
