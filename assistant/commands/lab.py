"""`payops lab`: worlds that are broken in known ways, made by the simulator in evals/lab."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.commands._shared import AsJson, State, group, one_line, print_json

if TYPE_CHECKING:
    from evals.lab.spec import Kind

# ruff: noqa: T201
app = group("Make payment worlds that are broken in known ways.")
KindName = Annotated[
    str | None, typer.Argument(metavar="KIND", help='a kind of `payops lab list`, or "mixed" for all in turn')
]
Fault = Annotated[Path | None, typer.Option("--fault", help="a fault file of your own, see evals/lab/README.md")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="the same seed gives the same bytes")]


@app.command("list")
def list_kinds(as_json: AsJson = False) -> None:
    """The kinds of incidents there are."""
    from evals.lab.spec import load_kind, shipped

    with one_line():
        kinds = [load_kind(name).raw for name in shipped()]
    if as_json:
        print_json([{k: kind[k] for k in ("kind", "title", "verdict", "alerts", "runbook")} for kind in kinds])
        return
    width = max(len(str(kind["kind"])) for kind in kinds)
    for kind in kinds:
        print(f"{kind['kind']:<{width}}  {kind['verdict']:<12}  {kind['title']}")


@app.command()
def make(
    out: Annotated[Path, typer.Option("--out", help="folder for the world; it gets a neutral name inside")],
    answers: Annotated[Path, typer.Option("--answers", help="folder for its answers; another one")],
    kind: KindName = None,
    fault: Fault = None,
    seed: Seed = 1,
    count: Annotated[int, typer.Option("--count", min=1, help="that many worlds, seeds counting up")] = 1,
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=64, help="processes at once")] = 1,
    tier: Annotated[str, typer.Option("--tier", help="where issuer and BIN are seen: metrics, logs, nowhere")] = "",
    naming: Annotated[str, typer.Option("--naming", help="fix the naming scheme")] = "",
    topology: Annotated[str, typer.Option("--topology", help="fix the topology")] = "",
) -> None:
    """Make worlds and, in another folder, their answers."""
    from evals.lab.batch import Order, make_all
    from evals.lab.make import Options

    with one_line():
        kinds = _kinds(kind, fault)
        _apart(out, answers)
        options = Options(tier, naming, topology)
        orders = [Order(kinds[i % len(kinds)], seed + i // len(kinds), options) for i in range(count)]
        for folder in make_all(orders, out, answers, jobs):
            print(folder)


@app.command()
def run(
    kind: KindName = None,
    fault: Fault = None,
    seed: Seed = 1,
    webhook: Annotated[
        str,
        typer.Option("--webhook", help="where Alertmanager posts, such as http://127.0.0.1:9094/webhook/alertmanager"),
    ] = "",
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="file with the webhook's bearer token")
    ] = None,
    loki: Annotated[str, typer.Option("--loki", help="base URL of a Loki that gets the log lines")] = "",
    minutes: Annotated[float, typer.Option("--minutes", min=1, max=120, help="how long after the onset")] = 15.0,
    lead: Annotated[float, typer.Option("--lead", min=20, max=1800, help="seconds until the onset")] = 90.0,
    naming: Annotated[str, typer.Option("--naming", help="how metrics and labels are called")] = "plain",
    state: State = None,
) -> None:
    """Play a kind live: real Prometheus and Alertmanager on loopback, and the assistant connected to them.

    With --webhook the alerts go to an assistant of yours instead. Exit 1 when no alert of the kind fires.
    """
    import tempfile

    from assistant.errors import UsageError
    from evals.lab.live import Play
    from evals.lab.live import run as play_it

    with one_line():
        one = _one(kind, fault)
        if token_file is not None and not token_file.is_file():
            raise UsageError(f"{token_file} is no file", mend="give the file that holds the webhook's token")
        play = Play(
            seed=seed, lead=lead, minutes=minutes, webhook=webhook, token_file=token_file, loki=loki, naming=naming,
            assistant=not webhook, state=state,
        )  # fmt: skip
        with tempfile.TemporaryDirectory(prefix="payops-lab-") as home:
            fired = play_it(one, play, Path(home), lambda text: print(text, flush=True))
    if not fired:
        raise typer.Exit(1)


@app.command()
def feed(
    out: Annotated[Path, typer.Option("--out", help="folder that gets rules.json and history.om for a Prometheus")],
    kind: KindName = None,
    fault: Fault = None,
    seed: Seed = 1,
    host: Annotated[
        str, typer.Option("--host", help="address that /metrics and /changes.json are served on")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one")] = 9100,
    loki: Annotated[str, typer.Option("--loki", help="base URL of a Loki that gets the log lines")] = "",
    minutes: Annotated[float, typer.Option("--minutes", min=1, max=120, help="how long after the onset")] = 15.0,
    lead: Annotated[float, typer.Option("--lead", min=20, max=1800, help="seconds until the onset")] = 120.0,
    naming: Annotated[str, typer.Option("--naming", help="how metrics and labels are called")] = "plain",
    repeat: Annotated[bool, typer.Option("--repeat", help="play it again and again, until stopped")] = False,
    job: Annotated[str, typer.Option("--job", help="job_name under which your Prometheus scrapes it")] = "payments",
    instance: Annotated[str, typer.Option("--instance", help="its target there; default: host and port")] = "",
) -> None:
    """Be the payments shop for servers of your own: an exporter, change events and log lines; starts no server."""
    from evals.lab.feed import feed as feed_it
    from evals.lab.live import Play

    with one_line():
        play = Play(seed=seed, lead=lead, minutes=minutes, loki=loki, naming=naming)
        where, scraped = (host, port), {"job": job, "instance": instance or f"{host}:{port}"}
        feed_it(_one(kind, fault), play, out, partial(print, flush=True), listen=where, attached=scraped, repeat=repeat)


def _one(kind: str | None, fault: Path | None) -> Kind:
    from assistant.errors import UsageError

    kinds = _kinds(kind, fault)
    if len(kinds) != 1:
        raise UsageError("one kind at a time is played live", mend="name one of `payops lab list`")
    return kinds[0]


def _kinds(kind: str | None, fault: Path | None) -> list[Kind]:
    from assistant.errors import UsageError
    from evals.lab.spec import load_kind, read_kind, shipped

    if (kind is None) == (fault is None):
        raise UsageError("give either KIND or --fault FILE", mend="`payops lab list` shows the kinds")
    if fault is not None:
        return [read_kind(fault)]
    assert kind is not None
    return [load_kind(name) for name in shipped()] if kind == "mixed" else [load_kind(kind)]


def _apart(out: Path, answers: Path) -> None:
    """Answers lie neither in the worlds' folder nor above it."""
    from assistant.errors import UsageError

    a, b = out.resolve(), answers.resolve()
    if a == b or a in b.parents or b in a.parents:
        raise UsageError("worlds and answers must lie apart", mend="give two folders of which neither holds the other")
