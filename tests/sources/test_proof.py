"""Who can write is told from who cannot, by the answers of servers; and probes change nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from assistant.core.time import Instant
from assistant.errors import ForbiddenRequest, WritableCredential
from assistant.settings import Endpoint, LokiEndpoint, Settings, Slack
from assistant.sources.attestation import Attestation, Check, Verdict, attestation, per_server, refuse_writable
from assistant.sources.probe_http import PROBES, ProbeSession
from assistant.sources.proof import attest, probes_for
from assistant.sources.proof_identity import OPTIONAL, SCOPES, ReviewSession, kubernetes_check
from redaction import Redactor
from tests.sources.certificates import Authority, authority
from tests.sources.http_server import Answer, Asked, Respond, as_json, serving
from tests.sources.servers import alertmanager, needs, prometheus
from tests.sources.worlds import PAN

NOW = Instant(1_795_446_872.0)
REDACTOR = Redactor.default()
TOKEN = "reader-token"
live = pytest.mark.live


def proven(settings: Settings, *, probe: bool = False) -> Attestation:
    return attest(settings, REDACTOR, now=NOW, probe=probe)


def prom(url: str, **more: Any) -> Settings:
    return Settings(prometheus=Endpoint(url=url, **more))


def manager(url: str, **more: Any) -> Settings:
    return Settings(alertmanager=Endpoint(url=url, **more))


def logs(url: str, **more: Any) -> Settings:
    return Settings(loki=LokiEndpoint(url=url, **more))


@live
@needs("prometheus")
def test_a_safe_prometheus_is_proven_read_only_with_and_without_probe(tmp_path: Path) -> None:
    with prometheus(tmp_path) as url:
        passive, probed = proven(prom(url)), proven(prom(url), probe=True)
    assert passive.verdict == probed.verdict == "read-only" and passive.exit_code == 0
    assert "web.enable-admin-api=false" in passive.checks[0].answer
    assert "404" in probed.checks[1].answer


WRITABLE = {
    "remote write": "--web.enable-remote-write-receiver",
    "admin": "--web.enable-admin-api",
    "lifecycle": "--web.enable-lifecycle",
}


@live
@needs("prometheus")
@pytest.mark.parametrize("mode", WRITABLE)
def test_a_writable_prometheus_is_never_taken_for_a_safe_one(mode: str, tmp_path: Path) -> None:
    with prometheus(tmp_path, WRITABLE[mode]) as url:
        passive, probed = proven(prom(url)), proven(prom(url), probe=True)
        series = requests.get(f"{url}/api/v1/series", params={"match[]": '{__name__=~".+"}'}, timeout=10).json()["data"]
    assert (passive.verdict, passive.exit_code) == ("unproven", 1)
    assert (probed.verdict, probed.exit_code) == ("open", 2)
    assert series == [], "a probe writes nothing"


@live
@needs("prometheus-alertmanager")
def test_an_alertmanager_is_open_and_the_probe_silences_nothing(tmp_path: Path) -> None:
    with alertmanager(tmp_path) as url:
        passive, probed = proven(manager(url)), proven(manager(url), probe=True)
        silences = requests.get(f"{url}/api/v2/silences", timeout=10).json()
    assert (passive.verdict, passive.exit_code) == ("unproven", 1)
    assert (probed.verdict, probed.exit_code) == ("open", 2)
    assert "422" in probed.checks[1].answer and silences == []


def guarded(behind: str, *, may_write: bool) -> Respond:
    """A proxy that wants our token, and lets a holder read, or write too."""

    def respond(asked: Asked) -> Answer:
        if asked.headers.get("Authorization") != f"Bearer {TOKEN}":
            return Answer(401, b"")
        if asked.method != "GET" and not may_write:
            return Answer(405, b"")
        url = behind + asked.path
        got = requests.request(
            asked.method,
            url,
            data=asked.body,
            params=asked.query,
            headers={"Content-Type": asked.headers.get("Content-Type", "")},
            timeout=10,
        )
        return Answer(got.status_code, got.content, got.headers.get("Content-Type", "text/plain"))

    return respond


@pytest.fixture
def token(tmp_path: Path) -> str:
    (tmp_path / "token").write_text(TOKEN)
    return str(tmp_path / "token")


@live
@needs("prometheus", "prometheus-alertmanager")
@pytest.mark.parametrize(("may_write", "verdict"), [(False, "read-only"), (True, "writable")])
def test_behind_a_proxy_our_credential_is_told_from_the_endpoint(
    may_write: bool, verdict: str, tmp_path: Path, token: str
) -> None:
    with (
        prometheus(tmp_path / "p", "--web.enable-remote-write-receiver", "--web.enable-admin-api") as p,
        alertmanager(tmp_path / "a") as a,
        serving(guarded(p, may_write=may_write)) as to_p,
        serving(guarded(a, may_write=may_write)) as to_a,
    ):
        mine = Settings(
            prometheus=Endpoint(url=to_p.url, bearer_file=token),
            alertmanager=Endpoint(url=to_a.url, bearer_file=token),
        )
        found = proven(mine, probe=True)
    assert per_server(found.checks) == {"prometheus": verdict, "alertmanager": verdict}
    assert TOKEN not in json.dumps(found.as_json())


def answering(status: int, body: bytes = b"") -> Callable[[Asked], Answer]:
    return lambda asked: as_json({"status": "success", "data": []}) if asked.method == "GET" else Answer(status, body)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(422, "open"), (204, "open"), (400, "open"), (401, "read-only"), (403, "read-only"), (404, "read-only"),
     (405, "read-only"), (200, "unproven"), (302, "unproven"), (429, "unproven"), (500, "unproven"), (502, "unproven")],
)  # fmt: skip
def test_loki_by_what_it_says_to_every_probe(status: int, verdict: Verdict) -> None:
    with serving(answering(status)) as server:
        found = proven(logs(server.url), probe=True)
        posts = [a for a in server.asked if a.method != "GET"]
    expected = "open" if status in (200, 204) else verdict  # a push that is accepted is let in, whatever the others say
    assert per_server(found.checks) == {"loki": expected}
    assert {(a.path, a.body) for a in posts} == {(p.path, p.body) for p in PROBES if p.server == "loki"}
    assert len(posts) == 3, "each probe is sent once"


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (422, "open"),
        (400, "open"),
        (401, "read-only"),
        (403, "read-only"),
        (405, "read-only"),
        (404, "unproven"),
        (200, "unproven"),
    ],
)
def test_alertmanager_by_what_it_says(status: int, verdict: Verdict) -> None:
    with serving(answering(status)) as server:
        assert proven(manager(server.url), probe=True).verdict == verdict


@pytest.mark.parametrize("status", [404, 405])
def test_a_server_that_shows_no_flags_may_be_written_elsewhere(status: int) -> None:
    with serving(lambda asked: Answer(404 if asked.method == "GET" else status, b"")) as server:
        found = proven(prom(server.url, prefix="/prometheus"), probe=True)
    assert found.verdict == "unproven" and "elsewhere" in found.checks[1].answer


def test_an_unreachable_server_is_unproven() -> None:
    settings = Settings(prometheus=Endpoint(url="http://127.0.0.1:1"), loki=LokiEndpoint(url="http://127.0.0.1:1"))
    found = proven(settings, probe=True)
    assert found.verdict == "unproven" and all(c.mend for c in found.checks)


def test_flags_that_name_no_write_flag_prove_nothing() -> None:
    with serving(lambda asked: as_json({"status": "success", "data": {"x": "y"}})) as server:
        assert proven(prom(server.url)).verdict == "unproven"


@pytest.mark.parametrize("feature", ["remote-write-receiver", "exemplar-storage,otlp-write-receiver"])
def test_a_feature_that_writes_is_seen(feature: str) -> None:
    flags = {"web.enable-admin-api": "false", "enable-feature": feature}
    with serving(lambda asked: as_json({"status": "success", "data": flags})) as server:
        assert proven(prom(server.url)).verdict == "unproven"


def test_passive_checks_only_get() -> None:
    with serving(lambda asked: as_json({"status": "success", "data": []})) as server:
        proven(
            Settings(
                prometheus=Endpoint(url=server.url),
                alertmanager=Endpoint(url=server.url),
                loki=LokiEndpoint(url=server.url),
            )
        )
        assert {a.method for a in server.asked} == {"GET"}


def test_what_a_server_says_to_a_probe_is_redacted() -> None:
    with serving(answering(422, f"card {PAN}".encode())) as server:
        assert PAN not in json.dumps(proven(manager(server.url), probe=True).as_json())


def test_probes_are_shown_for_configured_servers_only_and_each_says_why_it_is_harmless() -> None:
    assert probes_for(Settings()) == ()
    shown = probes_for(logs("http://x"))
    assert {p.server for p in shown} == {"loki"} and all(p.harmless for p in PROBES)
    acting = ("reload", "flush", "shutdown", "snapshot", "clean_tombstones", "quit", "ingester")
    assert not any(word in p.path for p in PROBES for word in acting)


@given(st.sampled_from(["POST", "PUT", "DELETE", "GET"]), st.text(max_size=30), st.binary(max_size=8))
def test_the_probes_door_lets_out_probes_byte_for_byte_and_nothing_else(method: str, path: str, body: bytes) -> None:
    session = ProbeSession("loki", Endpoint(url="http://127.0.0.1:1"))
    known = {(p.method, p.path, p.body) for p in PROBES if p.server == "loki"}
    assert session.permitted(method, path, frozenset(), body) == ((method, path, body) in known)


def test_the_probes_door_does_not_know_another_servers_probes_or_reads() -> None:
    with serving(lambda asked: as_json({})) as server:
        session = ProbeSession("alertmanager", Endpoint(url=server.url))
        for call in (lambda: session.get(server.url + "/api/v2/alerts"), lambda: session.ask(PROBES[0])):
            with pytest.raises(ForbiddenRequest):
                call()
        assert server.asked == []


def check(server: str, verdict: Verdict, *, probe: bool = False) -> Check:
    return Check(server, "x", verdict, "y", probe=probe)


def test_the_worst_counts_and_a_denied_probe_settles_what_could_not_be_seen() -> None:
    assert per_server([check("a", "unproven"), check("a", "read-only", probe=True)]) == {"a": "read-only"}
    assert per_server([check("a", "read-only"), check("a", "open", probe=True)]) == {"a": "open"}
    assert per_server([check("a", "read-only", probe=True), check("a", "unproven", probe=True)]) == {"a": "unproven"}
    assert attestation([check("a", "read-only"), check("b", "writable")], at=NOW).verdict == "writable"
    assert attestation([], at=NOW).verdict == "unproven"


def test_equal_findings_have_equal_ids_and_others_do_not() -> None:
    first = attestation([check("a", "read-only")], at=NOW)
    assert first.id == attestation([check("a", "read-only")], at=Instant(NOW + 3600)).id
    assert first.id != attestation([check("a", "open")], at=NOW).id


def test_serve_refuses_our_writable_credential_and_only_that() -> None:
    for verdict in ("read-only", "unproven", "open"):
        refuse_writable(attestation([check("a", verdict)], at=NOW), allowed=False)
    found = attestation([check("a", "writable")], at=NOW)
    with pytest.raises(WritableCredential, match="a") as caught:
        refuse_writable(found, allowed=False)
    assert "CREDENTIALS.md" in caught.value.mend
    refuse_writable(found, allowed=True)
    assert attestation([check("a", "open")], at=NOW).warnings() == ("a: open",)


@pytest.mark.parametrize(
    ("granted", "verdict"),
    [(SCOPES, "read-only"), (SCOPES | OPTIONAL, "read-only"), (SCOPES - {"commands"}, "unproven"),
     (frozenset[str](), "unproven"), (SCOPES | {"channels:join"}, "writable"),
     (SCOPES | {"admin.users:write"}, "writable")],
)  # fmt: skip
def test_slack_holds_exactly_the_scopes_of_the_manifest(granted: frozenset[str], verdict: Verdict, token: str) -> None:
    def respond(asked: Asked) -> Answer:
        return replace(as_json({"ok": True}), headers={"x-oauth-scopes": ",".join(granted)})

    with serving(respond) as server:
        found = proven(Settings(slack=Slack(url=server.url + "/api/", bot_token_file=token)))
        assert [(a.method, a.path) for a in server.asked] == [("GET", "/api/auth.test")]
    assert per_server(found.checks) == {"slack": verdict}


@pytest.mark.parametrize("answer", [Answer(500, b""), as_json({"ok": False, "error": "invalid_auth"}), as_json([])])
def test_slack_that_does_not_answer_is_unproven(answer: Answer, token: str) -> None:
    with serving(lambda asked: answer) as server:
        assert proven(Settings(slack=Slack(url=server.url, bot_token_file=token))).verdict == "unproven"


@pytest.mark.parametrize(
    ("actions", "verdict"),
    [
        ({"datasources:query": ["*"], "dashboards:read": []}, "read-only"),
        ({"datasources:query": [], "dashboards:write": []}, "writable"),
    ],
)
def test_a_grafana_token_is_what_its_permissions_say(actions: dict[str, Any], verdict: Verdict, token: str) -> None:
    with serving(lambda asked: as_json(actions)) as server:
        found = proven(prom(server.url + "/api/datasources/proxy/uid/p1", bearer_file=token))
        assert server.paths == ["/api/access-control/user/permissions"]
    assert found.verdict == verdict


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def account(tmp_path: Path, certificates: Authority) -> Iterator[Path]:
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "namespace").write_text("payments")
    (tmp_path / "ca.crt").write_bytes(certificates.ca.read_bytes())
    yield tmp_path


def reviews(rules: list[dict[str, Any]], *, incomplete: bool = False, allowed: bool = False) -> Respond:
    def respond(asked: Asked) -> Answer:
        kind = json.loads(asked.body)["kind"]
        status: dict[str, Any] = {"allowed": allowed}
        if kind == "SelfSubjectRulesReview":
            status = {"resourceRules": rules, "incomplete": incomplete}
        return as_json({"status": status}, 201)

    return respond


READS = {"verbs": ["get", "list", "watch"], "apiGroups": [""], "resources": ["pods"]}
SELF = {"verbs": ["create"], "apiGroups": ["authorization.k8s.io"], "resources": ["selfsubjectaccessreviews"]}
CLUSTERS: dict[str, tuple[Respond, Verdict]] = {
    "reads": (reviews([READS, SELF]), "read-only"),
    "writes": (reviews([READS, {"verbs": ["patch"], "resources": ["deployments"]}]), "writable"),
    "anything": (reviews([{"verbs": ["*"], "resources": ["*"]}]), "writable"),
    "not all told, denied when asked": (reviews([READS], incomplete=True), "read-only"),
    "not all told, allowed when asked": (reviews([READS], incomplete=True, allowed=True), "writable"),
    "no answer": (lambda asked: Answer(403, b""), "unproven"),
    "another shape": (lambda asked: as_json({"status": 3}), "unproven"),
}


@pytest.mark.parametrize("what", CLUSTERS)
def test_a_mounted_service_account_is_what_the_cluster_says(what: str, account: Path, certificates: Authority) -> None:
    respond, verdict = CLUSTERS[what]
    with serving(respond, tls=certificates.server()) as server:
        (found,) = kubernetes_check(account=account, cluster=server.url)
        assert {a.path.rpartition("/")[2] for a in server.asked} <= {
            "selfsubjectrulesreviews",
            "selfsubjectaccessreviews",
        }
    assert found.verdict == verdict


def test_without_a_service_account_nothing_is_asked(tmp_path: Path) -> None:
    assert list(kubernetes_check(account=tmp_path)) == []


def test_the_review_door_lets_out_reviews_of_ourselves_only() -> None:
    session = ReviewSession(Endpoint(url="https://127.0.0.1:1"))
    path = "/apis/authorization.k8s.io/v1/"
    body = json.dumps({"kind": "SelfSubjectRulesReview"}).encode()
    assert session.permitted("POST", path + "selfsubjectrulesreviews", frozenset(), body)
    assert not session.permitted("POST", path + "subjectaccessreviews", frozenset(), body)
    assert not session.permitted("POST", path + "selfsubjectrulesreviews", frozenset({"dryRun"}), body)
    assert not session.permitted("POST", "/api/v1/namespaces", frozenset(), body)
    assert not session.permitted("POST", path + "selfsubjectrulesreviews", frozenset(), base64.b64encode(body))
