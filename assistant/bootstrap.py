"""The composition root: settings in, everything wired out. The only place that constructs adapters."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.core.alert import Question
from assistant.core.answer import Answer
from assistant.core.draft import Written
from assistant.core.note import Note
from assistant.core.paper import PaperKind
from assistant.core.prompt import Context
from assistant.core.time import Instant
from assistant.house import Answerer, House, Overrides, PaperWriter, Sources, no_model
from assistant.ports import Clock, PromptLog, RunbookIndex, Writer
from assistant.settings import Settings, quiet_telemetry
from redaction import FinalScanner, Redactor

if TYPE_CHECKING:
    from assistant.drafting.beside import Beside
    from assistant.drafting.model import ChatModel
    from assistant.promptlog.log import Log
    from assistant.runbook_index.index import Index
    from assistant.sources.world import WorldSource


@dataclass(frozen=True, slots=True)
class SystemClock:
    def now(self) -> Instant:
        return Instant(time.time())


SHIPPED_RUNBOOKS = Path(__file__).resolve().parent.parent / "runbooks"


def redactor_of(settings: Settings) -> Redactor:
    """The redactor of the configured policy, else the shipped one. RedactionError names file and line."""
    return Redactor.from_policy(Path(settings.redaction.policy)) if settings.redaction.policy else Redactor.default()


def prompt_log(settings: Settings, scanner: FinalScanner) -> Log:
    """The configured prompt log: every byte that enters it is looked at once more, and every record says which release
    and which redaction policy it was written under."""
    from assistant.promptlog.open import open_configured
    from assistant.release import release_of

    release = release_of(settings)
    standing = {"release": release.id, "policy": release.policy[:12]}
    return open_configured(settings, last_look=partial(scanner.check, sink="promptlog"), standing=standing)


def runbook_index(settings: Settings, redactor: Redactor, *, dense: bool = False) -> Index:
    """The team's own runbook folders and the shipped ones, by name and words. `dense` adds meaning: only the process
    that may open the embedded store asks for it."""
    from assistant.runbook_index.open import open_index

    return open_index(
        dirs=runbook_dirs(settings),
        state=settings.state,
        redactor=redactor,
        url=settings.runbooks.url,
        weights_dir=Path(settings.runbooks.weights_dir) if settings.runbooks.weights_dir else None,
        dense=dense and settings.runbooks.dense,
        git=settings.runbooks.git,
    )


def runbook_dirs(settings: Settings) -> tuple[Path, ...]:
    shipped = (SHIPPED_RUNBOOKS,) if settings.runbooks.shipped else ()
    return (*map(Path, settings.runbooks.dirs), *shipped)


def overrides_of(settings: Settings) -> Overrides:
    p = settings.payments
    return Overrides(p.metrics, p.labels, p.fields, p.approved, settings.loki.labels)


def chat_model(
    settings: Settings, log: PromptLog, scanner: FinalScanner, redactor: Redactor, *, actor: str
) -> ChatModel | None:
    """The configured model behind the gate, or None. SettingsError where the endpoint may not be used."""
    if not settings.model.url:
        return None
    from assistant.drafting.model import ChatModel

    return ChatModel.from_settings(
        settings.model, log=log, scanner=scanner, redact=lambda text: redactor.redact(text).text, actor=actor
    )


def writers(model: ChatModel | None, scanner: FinalScanner) -> tuple[Writer, Writer]:
    """The writer without a model, and the one with it; the same where no model is configured."""
    from assistant.drafting.writer import write_without_model

    if model is None:
        facts = partial(_plainly, write_without_model, reason="no model is configured")
        return facts, facts
    from assistant.drafting.draft import write

    facts = partial(_plainly, write_without_model, reason="facts first; the draft follows")
    return facts, partial(write, model=model, scanner=scanner)


def answerer(model: ChatModel | None, runbooks: RunbookIndex, scanner: FinalScanner) -> Answerer:
    """Questions, over the tools of one incident's sources."""

    def answer(question: Question, context: Context, sources: Sources) -> Answer:
        from assistant.drafting.answer import ask
        from assistant.drafting.tools import Toolbox
        from assistant.sources.promql_parse import expression_of

        incident = context.incident
        tools = Toolbox(
            metrics=sources.metrics,
            logs=sources.logs,
            changes=sources.changes,
            runbooks=runbooks,
            alerts=incident.alerts,
            window=incident.window,
            baseline=incident.baseline,
            scanner=scanner,
            parse=lambda text: expression_of(text).query,
            taken=[str(e.id) for e in context.evidence],
        )
        return ask(question, context=context, tools=tools, model=model, scanner=scanner)

    return answer


def paper_writer(model: ChatModel | None, scanner: FinalScanner) -> PaperWriter:
    """Handover, post-incident draft and stakeholder update over a kept note."""

    def write(kind: PaperKind, note: Note, context: Context, without_model: str) -> tuple[str, Written]:
        from assistant.drafting.documents import document

        made = document(kind, note, context, model=None if without_model else model, scanner=scanner)
        reason = without_model or ("no model is configured" if model is None else made.written.without_model)
        return made.text, replace(made.written, without_model=reason if made.written.model is None else "")

    return write


def shadow_of(settings: Settings, log: PromptLog, scanner: FinalScanner, redactor: Redactor) -> Beside | None:
    """The configured candidate, ready to write beside the live model; None where none is named."""
    if not settings.model.has_shadow():
        return None
    from assistant.drafting.beside import Beside
    from assistant.drafting.shadow import candidate, differences

    model = candidate(settings.model, log=log, scanner=scanner, redact=lambda text: redactor.redact(text).text)
    return Beside(model, log, scanner, differs=differences(settings.model, model)) if model else None


def _with_shadow(draft: Writer, shadow: Beside, context: Context) -> Written:
    """What the live model wrote; the candidate is handed the same context and is not waited for."""
    written = draft(context)
    shadow.offer(written, context)
    return written


def _plainly(write: Callable[..., Written], context: Context, *, reason: str) -> Written:
    return write(context, reason=reason)


def build(
    settings: Settings,
    sources: Callable[[Redactor], Sources],
    *,
    clock: Clock | None = None,
    actor: str = "cli",
    overrides: Overrides | None = None,
    dense: bool = False,
    log: PromptLog | None = None,
    runbooks: RunbookIndex | None = None,
    beside: bool = False,
) -> House:
    """Everything wired around `sources`, and around a log and an index that are open already where they are given.
    `beside` runs the configured candidate beside the live model.
    Raises SettingsError, RedactionError or PromptLogError with the mend."""
    from assistant.sources.promql_parse import metrics_of

    quiet_telemetry()
    scanner, redactor = FinalScanner(), redactor_of(settings)
    log = log or prompt_log(settings, scanner)
    model = chat_model(settings, log, scanner, redactor, actor=actor)
    facts, draft = writers(model, scanner)
    shadow = shadow_of(settings, log, scanner, redactor) if beside and model else None
    runbooks = runbooks or runbook_index(settings, redactor, dense=dense)
    return House(
        redactor=redactor,
        scanner=scanner,
        sources=sources,
        runbooks=runbooks,
        promptlog=log,
        facts=facts,
        draft=partial(_with_shadow, draft, shadow) if shadow else draft,
        shadow=shadow,
        clock=clock or SystemClock(),
        selects=metrics_of,
        answer=answerer(model, runbooks, scanner),
        papers=paper_writer(model, scanner),
        model_state=model.state if model else no_model,
        overrides=overrides or overrides_of(settings),
        actor=actor,
    )


def open_world(
    path: Path,
    settings: Settings,
    *,
    actor: str = "cli",
    log: PromptLog | None = None,
    runbooks: RunbookIndex | None = None,
) -> tuple[House, WorldSource]:
    """A house around a recorded world, standing at the world's moment, and around a log and an index that are open
    already where they are given. WorldError names what is wrong with the world."""
    from assistant.sources.world import WorldSource

    world = WorldSource.open(path, redactor_of(settings))
    said, configured = world.payments, overrides_of(settings)
    overrides = replace(
        configured,
        metrics={**said.metrics, **configured.metrics},
        labels={**said.labels, **configured.labels},
        fields={**said.fields, **configured.fields},
        approved=configured.approved or said.approved,
    )
    made = build(
        settings, world_sources(path), clock=world, actor=actor, overrides=overrides, log=log, runbooks=runbooks
    )
    return made, world


def world_sources(path: Path) -> Callable[[Redactor], Sources]:
    """The world through the same ports as live sources, each incident with its own redactor."""

    def of(redactor: Redactor) -> Sources:
        from assistant.sources.world import WorldSource

        mine = WorldSource.open(path, redactor)
        return Sources(alerts=mine, metrics=mine, logs=mine, changes=mine, findings=mine.findings)

    return of


def live_sources(settings: Settings) -> Callable[[Redactor], Sources]:
    """The configured servers: their connections are shared by all incidents, redactor and budget are an incident's own.
    A table without a url is a source that says so, a gap like any other."""
    from assistant.sources.live import Servers

    servers = Servers(settings)

    def of(redactor: Redactor) -> Sources:
        mine = servers.incident(redactor)
        parts = mine.parts(now=Instant(time.time()))
        return Sources(
            parts.alerts, parts.metrics, parts.logs, parts.changes, notices=mine.notices, findings=mine.findings
        )

    return of


def build_live(settings: Settings, *, actor: str = "serve") -> House:
    """A house around the configured servers."""
    return build(settings, live_sources(settings), actor=actor)


def for_actor(house: House, actor: str) -> House:
    return replace(house, actor=actor)
