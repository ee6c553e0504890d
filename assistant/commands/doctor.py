"""`payops doctor`: what can be reached, how it is understood, and whether any credential of ours could write."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.commands._shared import AsJson, Config, State, one_line, print_json

if TYPE_CHECKING:
    from assistant.core.observations import PaymentsMap
    from assistant.drafting.probe import Standing
    from assistant.settings import Settings
    from assistant.sources.attestation import Attestation
    from assistant.sources.probe_http import Probe
    from assistant.sources.survey import ServerFacts
    from redaction import Redactor


@dataclass(frozen=True, slots=True)
class Cost:
    """What collecting the evidence of one incident took: two hours up to now, no alert, every query of the plan."""

    requests: int
    bytes: int
    seconds: float
    queries: int
    searches: int
    gaps: tuple[str, ...] = ()


def doctor(
    config: Config = None,
    state: State = None,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe", help="also ask, harmlessly, whether a write would be let in, and what the model can do"
        ),
    ] = False,
    json: AsJson = False,
) -> None:
    """What can be reached, and whether we could write. Exit 0 proven read-only, 1 unproven, 2 a write would succeed."""
    with one_line(), _nothing_proven():
        from assistant.bootstrap import redactor_of
        from assistant.errors import SettingsError
        from assistant.settings import load_settings
        from assistant.sources.proof import probes_for, servers

        settings = load_settings(config, state=state)
        if not servers(settings) and not settings.slack.bot_token():
            error = SettingsError(
                "no server is configured", mend="set `url` under [prometheus], [alertmanager] or [loki]"
            )
            typer.echo(f"payops: {error}", err=True)
            raise typer.Exit(1)  # nothing is proven, and nothing would be written either
        probes = probes_for(settings) if probe else ()
        if probes and not json:
            _show_probes(probes)
        raise typer.Exit(_examine(settings, redactor_of(settings), probes, as_json=json, ask_model=probe))


@contextmanager
def _nothing_proven() -> Iterator[None]:
    """Settings that cannot be used are "unproven" here, because exit code 2 says that a write would succeed."""
    from assistant.errors import UsageError

    try:
        yield
    except UsageError as error:
        typer.echo(f"payops: {error}", err=True)
        raise typer.Exit(1) from None


def _examine(
    settings: Settings, redactor: Redactor, probes: tuple[Probe, ...], *, as_json: bool, ask_model: bool
) -> int:
    from assistant.core.time import Instant
    from assistant.sources.proof import attest
    from assistant.sources.survey import survey

    facts = survey(settings, redactor)
    found = attest(settings, redactor, now=Instant(time.time()), probe=bool(probes))
    payments, cost = typical_incident(settings, redactor)
    model = model_standing(settings, redactor, ask=ask_model)
    if as_json:
        print_json(report(facts, found, probes, payments=payments, cost=cost, model=model))
    else:
        from assistant.commands.doctor_table import show

        _show_model(model)
        show(facts, found, payments=payments, cost=cost)
    return found.exit_code


def model_standing(settings: Settings, redactor: Redactor, *, ask: bool) -> Standing | None:
    """What the configured model can do, asked of it through the gate and into the prompt log; None without a model.
    Nothing is sent unless `ask`: each form of answer is a request that the provider counts."""
    if not settings.model.url:
        return None
    from assistant.drafting.probe import Standing, standing
    from assistant.errors import PromptLogError, SettingsError

    url, name = settings.model.url, settings.model.name
    if not ask:
        return Standing(url, name, "not probed: `payops doctor --probe` asks it")
    from assistant.bootstrap import chat_model, prompt_log
    from redaction import FinalScanner

    scanner = FinalScanner()
    try:
        with closing(prompt_log(settings, scanner)) as log:
            model = chat_model(settings, log, scanner, redactor, actor="doctor")
            assert model is not None  # its url is set
            with closing(model):
                return standing(model, scanner=scanner)
    except (SettingsError, PromptLogError) as error:
        return Standing(url, name, f"not probed: {error}")


def typical_incident(settings: Settings, redactor: Redactor) -> tuple[PaymentsMap, Cost]:
    """Collect the evidence of the last two hours as for an incident, and count what it took."""
    from assistant.bootstrap import overrides_of
    from assistant.collect import collect
    from assistant.core.incident import Incident, IncidentId
    from assistant.core.time import Instant, Window
    from assistant.house import Sources
    from assistant.sources.budget import Budget
    from assistant.sources.live import Servers
    from assistant.sources.promql_parse import metrics_of

    now = time.time()
    budget = Budget(seconds=settings.workflow.deadline_s)
    live = Servers(settings).incident(redactor, budget=budget)
    parts = live.parts(now=Instant(now))
    incident = Incident(
        id=IncidentId("doctor"),
        alerts=(),
        window=Window(Instant(now - 3600), Instant(now)),
        baseline=Window(Instant(now - 7200), Instant(now - 3600)),
    )
    start = time.monotonic()
    seen = collect(
        incident,
        Sources(alerts=parts.alerts, metrics=parts.metrics, logs=parts.logs, changes=parts.changes),
        selects=metrics_of,
        overrides=overrides_of(settings),
    )
    seconds = time.monotonic() - start
    requests, size = budget.spent()
    gaps = tuple(dict.fromkeys(f"{g.source}: {g.reason}" for g in (*seen.gaps, *live.notices())))
    return seen.payments, Cost(requests, size, round(seconds, 3), len(seen.metrics), len(seen.logs), gaps)


def report(
    facts: tuple[ServerFacts, ...],
    found: Attestation,
    probes: tuple[Probe, ...],
    *,
    payments: PaymentsMap,
    cost: Cost,
    model: Standing | None = None,
) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "verdict": found.verdict,
        "exit": found.exit_code,
        "servers": [asdict(f) for f in facts],
        "credentials": found.as_json(),
        "probes": [{"server": p.server, "request": str(p), "harmless": p.harmless} for p in probes],
        "payments": {
            "metrics": {k: asdict(r) for k, r in payments.metrics.items()},
            "labels": {k: asdict(r) for k, r in payments.labels.items()},
            "fields": {k: asdict(r) for k, r in payments.fields.items()},
            "unmapped": list(payments.unmapped),
        },
        "typical_incident": asdict(cost),
        "model": asdict(model) if model else None,
    }


def _show_model(model: Standing | None) -> None:
    if model is None:
        typer.echo("model: none configured")
        return
    typer.echo(f"model: {model.name} at {model.url}" + (f"  ({model.said})" if model.said else ""))
    for form in model.forms:
        typer.echo(f"  {form.model} {form.form}: {'works' if form.works else 'no: ' + form.reason}")
    if model.looks is not None:
        typer.echo(f"  notes are asked for as: {model.notes}")
        why = "" if model.looks.works else f"; without: from the evidence alone ({model.looks.reason})"
        typer.echo(f"  questions look around with tools: {'yes' if model.looks.works else 'no'}{why}")
    if not model.said:
        typer.echo("  context: " + (f"{model.context:,} tokens" if model.context else "not stated by the server"))


def _show_probes(probes: tuple[Probe, ...]) -> None:
    typer.echo("write probes that will be sent, once each, and why they change nothing:")
    for p in probes:
        typer.echo(f"  {p.server}: {p}   ({p.harmless})")
