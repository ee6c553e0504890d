"""Figures of drafting: what the checker and the gate cost, and what a question takes. Servers on loopback only."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable

from assistant.drafting.check import check
from assistant.drafting.draft import write
from assistant.drafting.model import ChatModel
from assistant.drafting.sanitise import sanitise
from assistant.drafting.schema import draft_of
from assistant.drafting.writer import write_without_model
from assistant.settings import ModelSettings
from evals.attacks.incident import context
from evals.attacks.models import honest, liar
from evals.attacks.server import serving, writing
from evals.bench.figure import Figure
from evals.sets import grounding
from evals.sets.injection import memory_log
from redaction import FinalScanner, Redactor


def figures() -> Iterable[Figure]:
    """Milliseconds are medians; a machine with other work shows larger ones."""
    scanner = FinalScanner()
    case = context(scanner.restore)
    yield _milliseconds("note without a model", lambda: write_without_model(case, reason="bench"))
    lies = draft_of(liar([], seed=1), clean=str)
    yield _milliseconds("checks of one draft", lambda: check(lies, case))
    yield _sanitiser()
    yield from _drafts(scanner)
    yield from _questions()
    found = grounding.run(None)["figures"]
    yield Figure("lies that survive", f"{found['unsupported_survived']}", f"of {found['statements']:,} statements", "0",
                 found["unsupported_survived"] == 0)  # fmt: skip
    yield Figure("wrong or missing ids that survive", f"{found['wrong_ids_survived']}", "", "0",
                 found["wrong_ids_survived"] == 0)  # fmt: skip


def _questions() -> Iterable[Figure]:
    """A question over a real Prometheus and a Loki stand-in, then with a Loki that answers after 35 s."""
    import shutil
    import tempfile
    from pathlib import Path

    if not shutil.which("prometheus") or not shutil.which("promtool"):
        yield Figure("question", "not measured", "", "prometheus is not installed")
        return
    from tests.drafting.asking import cards_in, cold, rig, warm

    with tempfile.TemporaryDirectory() as home, rig(Path(home)) as servers:
        ran, bodies = cold(servers), tuple(servers.journal.bodies)
        size, cards = sum(map(len, bodies)), cards_in(b"".join(bodies))
        yield Figure("question: requests to the model", str(len(bodies)), "", "2", len(bodies) == 2)
        yield Figure("question: bytes to the model", f"{size:,}", "bytes", "30,000", size <= 30_000)
        yield Figure("question: card numbers to the model", str(cards), "of 9 in the logs", "0", cards == 0)
        yield Figure("question: cold command", f"{ran.seconds:.1f}", "s", "2", ran.seconds <= 2)
        yield Figure("question: memory of the command", f"{ran.megabytes:.0f}", "MB", "150", ran.megabytes <= 150)
        took = warm(servers)
        yield Figure("question: warm", f"{took:.2f}", "s", "0.3", took <= 0.3)
    with tempfile.TemporaryDirectory() as home, rig(Path(home), loki_delay=35) as servers:
        ran, searches = cold(servers), servers.log_searches
        yield Figure("Loki after 35 s: answer", f"{ran.seconds:.1f}", "s", "15", ran.seconds <= 15)
        yield Figure("Loki after 35 s: log queries", str(searches), "", "1", searches == 1)


def _drafts(scanner: FinalScanner) -> Iterable[Figure]:
    case, redactor = context(scanner.restore), Redactor.default()
    with serving(writing(honest)) as (url, journal):
        log = memory_log(scanner)
        settings = ModelSettings(url=url, name="bench", max_tokens_incident=10**12, max_tokens_day=10**12)
        model = ChatModel.from_settings(settings, log=log, scanner=scanner, redact=lambda t: redactor.redact(t).text)
        began = time.perf_counter()
        write(case, model, scanner=scanner)
        yield Figure("first draft, libraries loaded on the way", f"{time.perf_counter() - began:.2f}", "s")
        yield _milliseconds(
            "draft through gate and loopback server", lambda: write(case, model, scanner=scanner), runs=15
        )
        yield Figure("bytes to the model for a note", f"{len(journal.bodies[0]):,}", "bytes")
        requests = sum("request" in r.bodies for r in log.scan())
        unlogged = len(journal.bodies) - requests
        yield Figure("requests without a record", str(unlogged), f"of {len(journal.bodies)}", "0", unlogged == 0)
        model.close()


def _sanitiser() -> Figure:
    line = 'level=error msg="issuer unreachable" acquirer=vela rc=91 took=5013ms → retry\n'
    text = line * 20_000
    began = time.perf_counter()
    sanitise(text)
    rate = len(text.encode()) / (time.perf_counter() - began) / 1e6
    return Figure("sanitiser", f"{rate:.1f}", "MB/s", beside="71 MB/s measured on a prototype")


def _milliseconds(name: str, work: Callable[[], object], *, runs: int = 30) -> Figure:
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        took.append((time.perf_counter() - began) * 1e3)
    return Figure(name, f"{statistics.median(took):.1f}", "ms")
