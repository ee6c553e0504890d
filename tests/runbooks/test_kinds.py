"""Once a cause is found, the runbook for that sort of failure goes first; what the alerts name stays right behind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from assistant.analysis.payments import KINDS
from assistant.core.alert import Alert, frozen
from assistant.core.time import Instant
from assistant.runbook_index.document import parse_runbook
from assistant.runbook_index.index import Index
from assistant.runbook_index.open import open_index
from redaction import Redactor
from tests.house.test_imports import ROOT


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return open_index(
        dirs=[ROOT / "runbooks"], state=tmp_path_factory.mktemp("s"), redactor=Redactor.default(), dense=False
    )


def named(*names: str) -> list[Alert]:
    return [Alert(f"{n:016x}", frozen({"alertname": a}), {}, Instant(0.0)) for n, a in enumerate(names)]


def first(index: Index, *alerts: str, kind: str, said: str = "") -> tuple[str, str, str]:
    found = index.find(alerts=named(*alerts), question="", findings_text=said, kind=kind).passages
    return Path(found[0].path).stem, found[0].reason, Path(found[1].path).stem


def test_of_the_alerts_runbooks_the_one_for_this_failure_goes_first(index: Index) -> None:
    book, why, second = first(index, "AuthorisationDeclineSpike", "IssuerUnavailable", kind="issuer_outage")
    assert (book, second) == ("IssuerUnavailable", "AuthorisationDeclineSpike")
    assert why == "alert name, for issuer outage (generic)"


def test_where_alerts_tell_symptoms_only_the_runbook_for_the_cause_goes_first_and_theirs_follow(index: Index) -> None:
    book, why, second = first(index, "AuthorisationDeclineSpike", kind="scheme_outage", said="scheme visa: outage")
    assert (book, second) == ("SchemeUnavailable", "AuthorisationDeclineSpike")
    assert why == "for scheme outage (generic)"
    assert first(index, "ServiceErrorRateHigh", kind="bad_deploy")[::2] == ("BadDeployment", "ServiceErrorRateHigh")


def test_where_an_alert_tells_the_cause_the_runbook_for_another_stands_second(index: Index) -> None:
    book, _, second = first(index, "AuthorisationDeclineSpike", "TokenVaultErrors", kind="data_exposure")
    assert book == "TokenVaultErrors" and second in {"PanInLogs", "SecretInLogs"}


def test_a_runner_up_with_an_alert_of_its_own_goes_before_a_symptom(index: Index) -> None:
    alerts = named("AcquirerDeclineSpike", "DiskAlmostFull", "PartnerRateLimited")
    ask = {"alerts": alerts, "question": "", "findings_text": "", "kind": "acquirer_outage"}
    assert index.find(**ask).passages[0].title == "Acquirer decline spike"
    assert index.find(**ask, also=("rate_limited",)).passages[0].title == "Rate limited by a partner"


def test_of_two_for_the_same_failure_the_more_severe_alerts_goes_first(index: Index) -> None:
    assert first(index, "AcquirerLatencyHigh", "AcquirerTimeouts", kind="acquirer_outage")[0] == "AcquirerTimeouts"


def test_without_a_cause_the_alert_that_wakes_people_goes_first(index: Index) -> None:
    small, grave = named("ReconciliationBreaks", "AuthorisationVolumeDrop")
    grave = replace(grave, labels=frozen({**grave.labels, "severity": "critical"}))
    found = index.find(alerts=[small, grave], question="", findings_text="").passages
    assert [Path(p.path).stem for p in found[:2]] == ["AuthorisationVolumeDrop", "ReconciliationBreaks"]


def test_where_no_alert_names_any_the_kind_decides(index: Index) -> None:
    assert first(index, "NobodyKnowsThis", kind="scheme_outage", said="scheme visa: outage")[0] == "SchemeUnavailable"


def test_the_runbook_of_the_service_at_fault_goes_before_others(index: Index) -> None:
    alerts = ("AuthorisationDeclineSpike", "TokenVaultErrors")
    book, why, _ = first(index, *alerts, kind="stale_data", said="Service token-vault: stale")
    assert book == "TokenVaultErrors" and why == "alert name, for the service at fault (generic)"


def test_an_alerts_own_runbook_that_is_for_it_stays_first(index: Index) -> None:
    assert first(index, "ServiceErrorRateHigh", "AcquirerTimeouts", kind="acquirer_outage")[0] == "AcquirerTimeouts"


def test_between_equals_the_service_that_the_findings_name(index: Index) -> None:
    alerts = ("KafkaConsumerLag", "WebhookBacklog")
    assert (
        first(index, *alerts, kind="queue_backlog", said="Service webhook-dispatcher: backlog")[0] == "WebhookBacklog"
    )
    assert first(index, *alerts, kind="queue_backlog", said="Service nowhere: backlog")[0] == "KafkaConsumerLag"


def test_without_a_kind_the_order_is_the_alerts(index: Index) -> None:
    assert first(index, "AuthorisationDeclineSpike", "IssuerUnavailable", kind="")[0] == "AuthorisationDeclineSpike"


def test_a_change_at_fault_goes_before_alerts_on_what_it_broke(index: Index) -> None:
    book, why, second = first(index, "AcquirerLatencyHigh", kind="bad_deploy", said="Service acquirer-connector")
    assert (book, why, second) == ("BadDeployment", "for bad deploy (generic)", "AcquirerLatencyHigh")


def test_shipped_runbooks_speak_of_kinds_that_the_analyst_knows_and_cover_most() -> None:
    books = [
        parse_runbook(p.read_text(encoding="utf-8"), path=p.name, digest="") for p in (ROOT / "runbooks").glob("*/*.md")
    ]
    spoken = {kind for book in books for kind in book.kinds}
    assert spoken <= set(KINDS)
    assert set(KINDS) - spoken <= {"nothing_wrong"}, set(KINDS) - spoken
