"""Attacks in what a question's tools return and in the note that a paper is made of, said back by the worst model there
is; scored at the bytes that a terminal, a page of Markdown and `--json` get."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from assistant.ask import answer_to_json
from assistant.core.alert import Question
from assistant.core.answer import Answer
from assistant.core.evidence import Change, EvidenceId, LogEvidence, LogLine, MetricInfo, Series, Topology
from assistant.core.inert import inert, live
from assistant.core.note import Note
from assistant.core.paper import KINDS, PaperKind
from assistant.core.prompt import Context, Prompt
from assistant.core.query import Matcher, Query
from assistant.core.runbook import Passage, RunbookAnswer
from assistant.core.time import Instant, Window
from assistant.drafting.answer import ask
from assistant.drafting.documents import document
from assistant.drafting.schema import draft_of
from assistant.drafting.tools import Toolbox
from assistant.drafting.writer import write_without_model
from assistant.errors import SourceMalformed
from evals.attacks.incident import NOW, context
from evals.attacks.models import echo
from evals.attacks.server import Reply, completion
from evals.attacks.sinks import leaks_in, note_of
from evals.attacks.suite import Attack, own
from evals.attacks.survivors import states
from redaction import FinalScanner, RedactedText, Redactor
from tests.fakes.model import FakeModel, served

SCANNER, REDACTOR = FinalScanner(), Redactor.default()
ATTACKS = own()[::6]
WINDOW = Window(Instant(NOW - 900), NOW)
TOOLS: tuple[tuple[str, Mapping[str, object]], ...] = (
    ("search_logs", {"label": "service", "value": "gateway"}),
    ("list_changes", {"minutes": 60}),
    ("find_runbook", {"words": "approvals"}),
    ("catalogue", {}),
    ("query_metric", {"promql": "broken"}),
)


@dataclass(frozen=True, slots=True)
class Hostile:
    """Every source at once, with the attack wherever telemetry has text; redacted at the door, as sources are."""

    text: RedactedText

    def catalogue(self, window: Window) -> tuple[MetricInfo, ...]:
        return (MetricInfo(self.text.text, "counter", {"l": ()}, 1, self.text.text),)

    def range(self, query: Query, *, window: Window, step: float) -> tuple[tuple[Series, ...], int]:
        raise SourceMalformed("prometheus", "no answer")

    def promql(self, query: Query) -> str:
        return "q"

    def labels(self, window: Window) -> Mapping[str, tuple[str, ...]]:
        return {}

    def search(
        self, *, selector: Sequence[Matcher], window: Window, contains: Sequence[str] = (), limit: int = 5000,
        about: str = "",
    ) -> LogEvidence:  # fmt: skip
        return LogEvidence(EvidenceId(""), "q", about, window, (LogLine(NOW, {}, self.text.text),))

    def changes(self, window: Window) -> tuple[Change, ...]:
        return (Change(NOW, "deploy", "gateway", "abc1234", self.text.text),)

    def topology(self) -> Topology:
        return Topology()

    def find(self, **asked: Any) -> RunbookAnswer:
        return RunbookAnswer(passages=(Passage("p", "t", "p.md", "Meaning", self.text, 1.0, "words"),))


def _echoing(asked: Mapping[str, Any], n: int) -> Reply:
    """Calls every tool, then says back all that came, with every id."""
    found = [str(m["content"]) for m in asked["messages"] if m["role"] == "tool"]
    if not found:
        calls = [
            {"id": f"c{i}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
            for i, (name, arguments) in enumerate(TOOLS)
        ]
        return Reply(body=completion("", tool_calls=calls))
    ids = re.findall(r"^\[([A-Z]\d+)\]", "\n".join(found), re.MULTILINE)
    lines = [line for text in found for line in text.splitlines() if line.strip()]
    claims = [{"text": line, "evidence": ids} for line in (*found, *lines)]
    said = {"answered": True, "claims": claims[:60], "not_known": lines[:40]}
    return Reply(body=completion(json.dumps(said)))


def _asked(attack: Attack) -> Answer:
    hostile = Hostile(REDACTOR.redact(attack.text))
    tools = Toolbox(
        metrics=hostile, logs=hostile, changes=hostile, runbooks=hostile, alerts=(), window=WINDOW,
        baseline=WINDOW.shifted(-3600), scanner=SCANNER, parse=lambda text: None,
    )  # fmt: skip
    asked = Question(REDACTOR.redact(f"why do payments fail? {attack.text}"), NOW, "person-1")
    with served(_echoing, timeout_s=120.0) as (model, _, journal):
        answer = ask(asked, context=context(SCANNER.restore), tools=tools, model=model, scanner=SCANNER)
        assert not any(map(leaks_in, journal.bodies))
    return answer


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.id)
def test_what_tools_return_is_never_said_by_the_answer(attack: Attack) -> None:
    from rich.console import Console

    from assistant.render.answer import show_answer

    answer = _asked(attack)
    stated = [c.text for c in answer.claims if states(c.text, attack)]
    assert not stated and not [t for t in answer.not_known if states(t, attack) and not t.startswith("query_metric")]
    for trace in (False, True):
        out = io.StringIO()
        show_answer(answer, 1, Console(file=out, width=400, force_terminal=True, color_system=None), trace=trace)
        shown = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())
        assert not live(shown) and "\x1b" not in shown
    assert leaks_in(json.dumps(answer_to_json(answer, 1), ensure_ascii=False).encode()) == 0


def _echo(prompt: Prompt) -> Any:
    return draft_of(echo([{"role": m.role, "content": m.text.text} for m in prompt.messages]), clean=str)


def _hostile(attack: Attack) -> tuple[Note, Context]:
    case = context(REDACTOR.for_incident(attack.id).redact, planted=attack.everywhere())
    return note_of(case, write_without_model(case, reason="none")), case


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_in_a_notes_evidence_is_never_live_in_a_paper(kind: PaperKind) -> None:
    for attack in ATTACKS:
        note, case = _hostile(attack)
        text = document(kind, note, case, model=FakeModel(_echo), scanner=SCANNER).text
        unescaped = re.sub(r"\\([\\`*_{}\[\]()#+\-.!|<>~@:/])", r"\1", text)
        assert not live(text), (attack.id, live(text))
        assert "\x1b" not in text and leaks_in(text.encode()) == 0
        if kind == "stakeholder_update":
            assert not states(unescaped, attack) and inert(unescaped)
