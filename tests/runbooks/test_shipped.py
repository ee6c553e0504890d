"""The shipped runbooks: clean under the linter, and every query fits what the lab measures and logs."""

import datetime as dt
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import promql_parser
import pytest

from assistant.runbook_index.document import Runbook, parse_runbook
from assistant.runbook_index.folders import RawFile, read_folder
from assistant.runbook_index.lint import lint
from tests.runbooks.conftest import ROOT, SHIPPED

# labels of the lab's metrics under its plain naming (evals/lab), beside `service`, which all of them carry
LABELS = {
    "payment_authorisations_total": "scheme acquirer region currency issuer response_code",
    "payment_authorisation_amount_minor_total": "scheme region currency result",
    "payment_authorisation_retries_total": "scheme acquirer region currency",
    "payment_channel_attempts_total": "channel region result",
    "payment_authorisation_duration_seconds": "acquirer issuer le",
    "payment_routes_total": "region acquirer reason",
    "acquirer_timeouts_total": "acquirer",
    "acquirer_link_up": "acquirer link",
    "partner_rate_limited_total": "acquirer",
    "hsm_operations_total": "result",
    "hsm_operation_duration_seconds": "le",
    "threeds_authentications_total": "scheme acs result",
    "token_vault_operations_total": "result",
    "risk_decisions_total": "model decision",
    "risk_score_sum": "model",
    "risk_score_count": "model",
    "risk_rule_declines_total": "rule",
    "kafka_consumer_lag": "topic",
    "payment_queue_depth": "queue",
    "webhook_deliveries_total": "result",
    "settlement_last_file_timestamp_seconds": "acquirer",
    "reconciliation_breaks": "acquirer",
    "chargeback_feed_last_event_timestamp_seconds": "scheme",
    "payouts_total": "result",
    "terminals_online": "region",
    "certificate_not_after_seconds": "peer",
    "tls_handshake_failures_total": "peer",
    "log_scanner_hits_total": "class",
    "http_requests_total": "method code",
    "http_request_duration_seconds": "method le",
    "app_build_info": "version",
    "up": "job instance",
}
STREAM = {"app", "env", "level", "pod", "service_name", "detected_level"}
SERVICES = {path.name for path in SHIPPED.iterdir() if path.is_dir()}


def shipped() -> list[Runbook]:
    files = [f for f in read_folder(SHIPPED) if isinstance(f, RawFile)]
    return [parse_runbook(f.text, path=f.path, digest=f.digest) for f in files]


def queries(kind: str) -> Iterator[tuple[str, str]]:
    for book in shipped():
        for section in book.sections:
            for fence in section.fences:
                if fence.language.split()[0] == kind:
                    yield f"{book.path}:{fence.line}", fence.code.strip()


def test_they_are_clean_and_at_least_forty(redactor) -> None:
    files = list(read_folder(SHIPPED))
    day = max(dt.date.fromisoformat(book.reviewed) for book in shipped())
    assert len(files) >= 40
    assert lint(files, folder=SHIPPED, today=day, redactor=redactor) == []


def test_each_stands_under_its_service_and_alert_is_generic_and_says_whose_fault_it_is() -> None:
    for book in shipped():
        service, _, name = book.path.removesuffix(".md").partition("/")
        assert book.alertnames[0] == name and book.services == (service,) and book.generic
        assert any(s.heading == "Whose fault is it" and s.trail[-2] == "Diagnosis" for s in book.sections), book.path
        assert "CONTACT(" in next(s.text for s in book.sections if s.heading == "Escalation")
        assert len(re.findall(r"\w+", " ".join(s.text for s in book.sections))) > 400, book.path


def test_every_alert_of_the_labs_rules_has_its_runbook() -> None:
    from evals.lab.rulebook import BY_NAME

    names = {name for book in shipped() for name in book.alertnames}
    assert len(BY_NAME) > 40
    assert set(BY_NAME) - names == set()


def test_metrics_and_labels_of_every_promql_query_are_the_labs() -> None:
    plain = tomllib.loads((ROOT / "evals" / "lab" / "namings" / "plain.toml").read_text(encoding="utf-8"))
    known = set(plain["metrics"].values())
    count = 0
    for where, query in queries("promql"):
        used: set[str] = set()
        for selector in selectors(promql_parser.parse(query)):
            metric = selector.name.removesuffix("_bucket")
            assert metric in known, f"{where}: {selector.name}"
            allowed = {"service", *LABELS.get(metric, "").split()}
            used |= allowed
            assert {m.name for m in selector.matchers.matchers} <= allowed, f"{where}: {query}"
        assert grouped(query) <= used, f"{where}: {query}"
        count += 1
    assert count > 200


def test_streams_of_every_logql_query_are_the_labs() -> None:
    count = 0
    for where, query in queries("logql"):
        for selector in re.findall(r"\{(\w+=[^}]*)\}", query):
            matchers = dict(re.findall(r'(\w+)=~?"([^"]*)"', selector))
            assert matchers and set(matchers) <= STREAM, f"{where}: {selector}"
            assert set(matchers.get("app", "").split("|")) - {""} <= SERVICES, f"{where}: {selector}"
        count += 1
    assert count > 100


@pytest.mark.live
@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool absent; apt-get install prometheus")
def test_prometheus_itself_takes_every_query(tmp_path: Path) -> None:
    rules = [
        f"  - record: 'q{n}'\n    expr: |\n      {' '.join(q.split())}\n" for n, (_, q) in enumerate(queries("promql"))
    ]
    file = tmp_path / "rules.yml"
    file.write_text("groups:\n- name: g\n  rules:\n" + "".join(rules), encoding="utf-8")
    done = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def selectors(node: object) -> Iterator[promql_parser.VectorSelector]:
    """Every vector selector below `node`, by walking the parser's own attributes."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    elif isinstance(node, promql_parser.MatrixSelector):
        yield node.vector_selector
    elif isinstance(node, promql_parser.Call):
        for argument in node.args:
            yield from selectors(argument)
    elif isinstance(node, promql_parser.BinaryExpr):
        yield from selectors(node.lhs)
        yield from selectors(node.rhs)
    elif hasattr(node, "expr"):
        yield from selectors(node.expr)


def grouped(query: str) -> set[str]:
    """Labels named in `by (…)`."""
    return {label.strip() for group in re.findall(r"\bby \(([^)]*)\)", query) for label in group.split(",")}
