"""A question against servers: a real Prometheus, a Loki stand-in whose lines carry card numbers, and a model that looks
once at each and then answers. `payops ask` runs in a process of its own; what reached the model is kept."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.attacks.server import Journal, Reply, completion
from evals.attacks.server import serving as model_serving
from tests.fakes import loki_server
from tests.live.stack import Payments, _environment
from tests.sources.http_server import Answer, Asked, Server, serving
from tests.sources.servers import prometheus

QUESTION = "why do visa payments fail?"
QUERY = 'sum by (scheme) (rate(authorisations_total{result="approved"}[2m]))'
CARDS = (
    "4111111111111111", "4012888888881881", "4222222222222", "5555555555554444", "5105105105105100",
    "378282246310005", "371449635398431", "6011111111111117", "3530111333300000",
)  # fmt: skip
_COMMAND = """
import sys
from assistant.cli import main
try:
    sys.exit(main(sys.argv[2:]))
finally:
    with open("/proc/self/status") as status, open(sys.argv[1], "w") as peak:
        peak.write(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""
"""The command, and afterwards its own peak resident memory in KB into the first argument."""


@dataclass(frozen=True, slots=True)
class Rig:
    """A payops.toml over the servers, the Loki stand-in, and what reached the model."""

    config: Path
    state: Path
    loki: Server
    journal: Journal

    @property
    def log_searches(self) -> int:
        return sum(path.endswith("/query_range") for path in self.loki.paths)


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of the command: its JSON, exit status, seconds and peak resident memory in MB."""

    answer: Mapping[str, Any]
    exit: int
    seconds: float
    megabytes: float


@contextmanager
def rig(home: Path, *, loki_delay: float = 0.0) -> Iterator[Rig]:
    """Everything started. Prometheus holds two hours of authorisations; Visa's fail at the end."""
    home.mkdir(parents=True, exist_ok=True)
    now = time.time()
    payments = Payments(began=now - 7200, failed_at=now - 600)
    holder: list[Server] = []

    def respond(asked: Asked) -> Answer:
        if loki_delay and asked.path.endswith("/query_range"):
            holder[0].stop.wait(loki_delay)
        return (
            _with_cards(loki_server.answer(asked)) if asked.path.endswith("/query_range") else loki_server.answer(asked)
        )

    with (
        prometheus(home / "prom", history=payments.history("gateway:1", until=now)) as metrics,
        serving(respond) as loki,
        model_serving(_looks_then_answers) as (model, journal),
    ):
        holder.append(loki)
        config = home / "payops.toml"
        config.write_text(
            f'[prometheus]\nurl = "{metrics}"\n[loki]\nurl = "{loki.url}"\n[model]\n'
            f'url = "{model}"\nname = "scripted"\n'
        )
        yield Rig(config, home / "state", loki, journal)


def cold(rig: Rig) -> Ran:
    """`payops ask` in a process of its own, which says its peak itself: what `wait4` tells of a child begins at the
    memory of the process that started it."""
    arguments = ["ask", QUESTION, "--json", "--config", str(rig.config), "--state", str(rig.state)]
    peak = rig.config.parent / "peak.txt"
    began = time.perf_counter()
    ran = subprocess.run(
        [sys.executable, "-c", _COMMAND, str(peak), *arguments], capture_output=True, env=_environment(), check=False
    )
    seconds = time.perf_counter() - began
    return Ran(json.loads(ran.stdout or b"{}"), ran.returncode, seconds, int(peak.read_text()) / 1024)


def warm(rig: Rig) -> float:
    """Seconds of a question in a process that has answered one before."""
    from assistant.ask import ask
    from assistant.bootstrap import build_live
    from assistant.settings import load_settings

    house = build_live(load_settings(rig.config, state=rig.state), actor="cli")
    try:
        ask(QUESTION, house, asker="cli-bench")
        began = time.perf_counter()
        ask(QUESTION, house, asker="cli-bench")
        return time.perf_counter() - began
    finally:
        house.promptlog.close()


def cards_in(data: bytes) -> int:
    """How many of the planted card numbers stand in these bytes."""
    return sum(card.encode() in data for card in CARDS)


def _looks_then_answers(asked: Mapping[str, Any], n: int) -> Reply:
    """Two looks in one turn, then an answer that says what the first of them found."""
    found = [m["content"] for m in asked["messages"] if m["role"] == "tool"]
    if not found:
        return Reply(body=completion("", tool_calls=[
            _call("call_1", "query_metric", promql=QUERY),
            _call("call_2", "search_logs", label="service_name", value="payment-gateway"),
        ]))  # fmt: skip
    ids = re.findall(r"\[([A-Z]\d+)\]", " ".join(map(str, found)))
    claims = [{"text": "Approvals of visa are lower than usual.", "evidence": ids[:1]}]
    return Reply(body=completion(json.dumps({"answered": True, "claims": claims, "not_known": []})))


def _call(name_of_call: str, tool: str, **arguments: str) -> dict[str, Any]:
    return {"id": name_of_call, "type": "function", "function": {"name": tool, "arguments": json.dumps(arguments)}}


def _with_cards(answer: Answer) -> Answer:
    """The same answer, each line with a card number behind it."""
    if answer.status != 200:
        return answer
    document = json.loads(answer.body)
    if document["data"]["resultType"] != "streams":
        return answer
    lines = [value for stream in document["data"]["result"] for value in stream["values"]]
    for i, value in enumerate(lines):
        value[1] += f" card={CARDS[i % len(CARDS)]}"
    return Answer(200, json.dumps(document).encode(), answer.type)
