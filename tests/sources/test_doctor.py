"""`payops doctor` on real servers: what it prints, its JSON, its exit codes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assistant.cli import main
from assistant.commands.doctor_table import to_say
from assistant.core.evidence import Series
from assistant.core.observations import PaymentsMap, Role
from tests.sources.http_server import serving
from tests.sources.servers import alertmanager, needs, prometheus
from tests.sources.test_loki import replaying

pytestmark = [pytest.mark.live, needs("prometheus", "promtool", "prometheus-alertmanager")]
Doctor = Callable[..., tuple[int, str, str]]


def payments() -> tuple[Series, ...]:
    """Two hours of authorisations up to now, as a team that configured nothing would have them."""
    end = float(int(time.time()) // 15 * 15)
    t = end - 7200 + 15.0 * np.arange(480)
    rng = np.random.default_rng(3)
    return tuple(
        Series(
            {"__name__": "payment_authorisations_total", "scheme": s, "issuer": i, "response_code": c},
            t,
            np.cumsum(rng.poisson(20 if c == "00" else 2, 480)).astype(float),
        )
        for s in ("visa", "mastercard")
        for i in ("aba", "bcd")
        for c in ("00", "51", "91")
    )


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    home = tmp_path_factory.mktemp("stack")
    with prometheus(home / "p", history=payments()) as p, alertmanager(home / "a") as a, serving(replaying()) as loki:
        yield {"prometheus": p, "alertmanager": a, "loki": loki.url}


@pytest.fixture
def doctor(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Run the command with this payops.toml: exit code, standard output, standard error."""
    monkeypatch.setenv("COLUMNS", "250")

    def run(text: str, *options: str) -> tuple[int, str, str]:
        (tmp_path / "payops.toml").write_text(text)
        code = main(["doctor", "--config", str(tmp_path / "payops.toml"), "--state", str(tmp_path), *options])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def tables(stack: dict[str, str], *names: str) -> str:
    return "".join(f'[{name}]\nurl = "{stack[name]}"\n' for name in names)


def as_json(text: str) -> dict[str, Any]:
    document = json.loads(text)
    assert isinstance(document, dict)
    return document


def test_a_safe_prometheus_is_exit_0_with_everything_known_of_it(stack: dict[str, str], doctor: Doctor) -> None:
    code, out, _ = doctor(tables(stack, "prometheus"), "--json")
    found = as_json(out)
    (server,) = found["servers"]
    assert (code, found["verdict"]) == (0, "read-only")
    assert server["reachable"] and server["version"].startswith("2.") and server["retention"] == "10y"
    assert abs(server["clock_offset"]) < 5 and server["limits"]["query.timeout"] == "2m"
    assert found["credentials"]["id"].startswith("att-")


def test_the_guessed_mapping_is_shown_with_its_reason(stack: dict[str, str], doctor: Doctor) -> None:
    found = as_json(doctor(tables(stack, "prometheus"), "--json")[1])
    attempts = found["payments"]["metrics"]["attempts"]
    assert attempts["name"] == "payment_authorisations_total" and attempts["why"] and not attempts["configured"]
    assert found["payments"]["labels"]["issuer"]["name"] == "issuer"
    assert found["payments"]["unmapped"]


def test_what_could_not_be_guessed_is_told_with_how_to_say_it() -> None:
    """Approvals first: without them there is no rate, no loss and no money."""
    attempts, result = Role("attempts", "till_outcomes_total"), Role("result", "outcome", label="outcome")
    guessed = PaymentsMap({"attempts": attempts}, {"result": result}, {}, ("no metric label that carries the scheme",))
    approvals, names = to_say(guessed)
    assert "of label outcome are approvals" in approvals and '[payments] approved = ["…"]' in approvals
    assert "[payments.labels]" in names
    whole = PaymentsMap({"attempts": attempts, "approved": Role("approved", "x")}, {}, {})
    assert not list(to_say(whole))


def test_a_configured_mapping_wins(stack: dict[str, str], doctor: Doctor) -> None:
    text = tables(stack, "prometheus") + '[payments.labels]\nacquirer = "scheme"\n'
    role = as_json(doctor(text, "--json")[1])["payments"]["labels"]["acquirer"]
    assert role["name"] == "scheme" and role["configured"]


def test_the_cost_of_a_typical_incident_is_counted(stack: dict[str, str], doctor: Doctor) -> None:
    cost = as_json(doctor(tables(stack, "prometheus", "loki"), "--json")[1])["typical_incident"]
    assert cost["requests"] > 5 and cost["bytes"] > 1000 and cost["queries"] > 0


def test_an_alertmanager_is_exit_1_and_with_a_probe_exit_2(stack: dict[str, str], doctor: Doctor) -> None:
    text = tables(stack, "prometheus", "alertmanager")
    assert doctor(text, "--json")[0] == 1
    code, out, _ = doctor(text, "--json", "--probe")
    found = as_json(out)
    assert (code, found["verdict"]) == (2, "open")
    assert {p["request"] for p in found["probes"]} == {"POST /api/v1/write (no body)", "POST /api/v2/silences {}"}


def test_people_see_the_probes_before_the_answers(stack: dict[str, str], doctor: Doctor) -> None:
    code, out, _ = doctor(tables(stack, "prometheus", "alertmanager", "loki"), "--probe")
    assert code == 2
    assert out.index("POST /api/v2/silences {}") < out.index("servers")
    for word in ("proven read-only", "open to everyone", "a typical incident", "service = service_name"):
        assert word in out


def test_a_server_that_is_down_is_said_with_its_mend(doctor: Doctor) -> None:
    code, out, _ = doctor('[prometheus]\nurl = "http://127.0.0.1:1"\n', "--json")
    found = as_json(out)
    assert code == 1 and not found["servers"][0]["reachable"]
    assert any("check that it runs" in p for p in found["servers"][0]["problems"])


@pytest.mark.parametrize(
    "text", ["", '[prometheus]\nurl = "prometheus:9090"\n', '[prometheus]\nurl = "http://a:b@c"\n']
)
def test_what_cannot_be_used_is_one_line_and_proves_nothing(text: str, doctor: Doctor) -> None:
    code, out, err = doctor(text)
    assert code == 1 and out == "" and err.startswith("payops: ") and err.count("\n") == 1
