"""Payments tables, templates, log novelty, changes, thresholds, triage, spread, roots, diffs, a database."""

from __future__ import annotations

import numpy as np
import pytest

from assistant.analysis import payments as pay
from assistant.analysis.changes import Symptom, weigh
from assistant.analysis.charts import sparkline
from assistant.analysis.culprits import CodeChange, Fault, verdict
from assistant.analysis.database import Event, Measure, Query, Vitals, diagnose
from assistant.analysis.diffs import cosmetic, effects, explains, symptoms_of
from assistant.analysis.logs import complaint, fields_of, mined, patterns_of
from assistant.analysis.rules import limit_of
from assistant.analysis.say import number
from assistant.analysis.spread import Moved, spread
from assistant.analysis.templates import mine
from assistant.analysis.traverse import NodeChange, roots
from assistant.analysis.triage import Fired, Owned, triage
from assistant.core.alert import Rule
from assistant.core.evidence import Change, Topology
from assistant.core.time import Instant
from tests.analysis.shop import Shop


@pytest.mark.parametrize(
    ("code", "family"),
    [
        ("00", "approved"), ("0", "approved"), ("000", "approved"), ("05", "issuer decision"), ("51", "funds"),
        ("91", "unavailable"), ("96", "system"), ("1a", "authentication"), ("30", "configuration"), ("911",
            "unavailable"),
        ("zz", "unknown"), ("do_not_honor", "issuer decision"), ("issuer_unavailable", "unavailable"),
        ("insufficient_funds", "funds"),
    ],
)  # fmt: skip
def test_response_codes_have_families(code: str, family: str) -> None:
    assert pay.code_of(code).family == family


def test_every_code_stands_under_its_own_key_and_every_hard_one_is_a_decline() -> None:
    assert all(key == c.code and len(key) == 2 and key == key.upper() for key, c in pay.RESPONSE_CODES.items())
    assert all(pay.RESPONSE_CODES[c].family != "approved" for c in pay.NEVER_RETRY)
    assert all(c.family != "approved" for c in pay.RESPONSE_CODES.values() if c.hard)
    assert pay.is_approved("10") and not pay.is_approved("91")


def test_an_acquirer_may_have_codes_of_its_own() -> None:
    assert pay.code_of("E7", {"E7": "91"}).family == "unavailable"


def test_soft_declines_depend_on_the_scheme() -> None:
    assert pay.soft_decline("1A", "Visa") and pay.soft_decline("65", "MC")
    assert not pay.soft_decline("65", "visa") and not pay.soft_decline("65")
    assert pay.scheme_of("Master-Card") == "mastercard" and pay.scheme_of("eth0") == ""


def test_templates_keep_choices_apart_and_join_values() -> None:
    lines = [f"session opened for user u{i}" for i in range(30)] + [f"session closed for user u{i}" for i in range(30)]
    lines += [f"user {name} logged in" for name in ("maria", "ines", "tom", "yuki", "ana", "root", "guest")]
    templates, index = mine(lines)
    assert len(set(index[:30])) == 1 and len(set(index[30:60])) == 1 and index[0] != index[30]
    assert len(set(index[60:])) == 1 and "<*>" in templates[index[60]]


def test_templates_of_odd_lines_are_survived() -> None:
    templates, index = mine(
        ["", "   ", "{", '{"a": [1', '{"msg": "x 1"}', "\x00\x01", "a" * 10_000, "line\nCaused by: y"]
    )
    assert len(index) == 8 and max(index) < len(templates)
    assert mine([]) == ([], [])


def test_new_and_surging_lines_are_told_from_the_usual() -> None:
    shop = Shop().say("link", "certificate has expired for host-#", 40).say("core", "slow answer to request #", 300)
    seen = shop.observations()
    found = {p.service: p for p in patterns_of(seen, mined(seen))}
    assert found["link"].new and found["link"].kind == "certificate" and found["link"].severity == 2
    assert not found["core"].new and found["core"].count > 3 * found["core"].usual
    assert set(found) == {"link", "core"}


def test_empty_logs_have_no_patterns() -> None:
    seen = Shop().observations(logs=False)
    assert patterns_of(seen, mined(seen)) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("x509: certificate has expired", "certificate"), ("lookup api: no such host", "dns"),
        ("remaining connection slots are reserved", "pool"), ("write: no space left on device", "disk"),
        ("429 too many requests", "rate limit"), ("read timed out", "timeout"), ("all is well", ""),
    ],
)  # fmt: skip
def test_complaints_are_sorted(text: str, kind: str) -> None:
    assert complaint(text) == kind


def test_fields_of_json_and_logfmt() -> None:
    assert fields_of('{"rc": "91", "card": {"bin": "411111"}}') == {"rc": "91", "bin": "411111"}
    assert fields_of('level=error msg="no answer" acquirer=a1')["msg"] == "no answer"
    assert fields_of("plain words") == {}


def test_changes_are_weighed_by_time_and_place() -> None:
    symptom = Symptom(("link",), frozenset(), frozenset({"timeout"}), frozenset({"a1"}))
    changes = (
        Change(Instant(940), "deploy", "link", "near", "time-outs for a1", "- timeout: 3s\n+ timeout: 1s"),
        Change(Instant(990), "deploy", "books", "aside", "colour of the logo"),
        Change(Instant(1300), "deploy", "link", "after", "time-outs for a1"),
    )
    links = {k.change_id: k for k in weigh(changes, onset=1000.0, symptom=symptom, topology=Topology())}
    assert links["near"].score > 0.7 > 0.3 > links["aside"].score
    assert links["after"].score == 0.0 and any("after the onset" in r for r in links["after"].against)


@pytest.mark.parametrize(
    ("expr", "above", "value"),
    [
        ("max by (s) (lag_seconds) > 60", True, 60.0),
        ("sum(rate(x[5m])) / sum(rate(y[5m])) >= 0.05 and sum(rate(y[5m])) > 1", True, 0.05),
        ("min(up) < 1", False, 1.0),
    ],
)
def test_a_rules_limit_is_read(expr: str, above: bool, value: float) -> None:
    limit = limit_of(Rule("r", expr, 0.0))
    assert limit is not None and (limit.above, limit.value) == (above, value)


def test_a_rule_without_a_number_has_no_limit() -> None:
    assert limit_of(Rule("r", "absent(up)", 0.0)) is None


def fired(ident: str, **more: object) -> Fired:
    base: dict[str, object] = {
        "service": "s", "metric": "m", "rank": 2, "at": 100.0, "value": 9.0, "threshold": 5.0, "times_last_hour": 1,
        "resolved_after": None, "signature_id": "", "signature": "", "rise": float("nan"), "complaint": None,
        "t": np.array([0.0, 100.0, 400.0, 900.0]), "v": np.array([1.0, 9.0, 12.0, 20.0]),
    }  # fmt: skip
    return Fired(id=ident, **{**base, **more})  # type: ignore[arg-type]


def test_triage_pages_what_climbs_and_not_what_healed() -> None:
    healed = fired("healed", resolved_after=40.0, v=np.array([1.0, 9.0, 1.0, 1.0]), times_last_hour=12, rank=1)
    again = fired("again", resolved_after=60.0, v=np.array([1.0, 9.0, 11.0, 20.0]), complaint=True, rise=500.0)
    found = {d.id: d for d in triage([fired("climbs"), healed, again])}
    assert found["climbs"].page and not found["healed"].page and found["again"].page
    assert found["healed"].reasons


def test_triage_pages_the_root_and_leaves_what_is_owned() -> None:
    shared = {"signature_id": "p", "signature": "db: connection refused", "complaint": True, "rise": 900.0}
    root, other = fired("root", service="db", rank=1, **shared), fired("victim", service="web", **shared)
    owned = fired("owned", service="billing", metric="depth")
    found = {d.id: d.page for d in triage([other, root, owned], [Owned("billing", "depth", "")])}
    assert found == {"root": True, "victim": False, "owned": False}


def test_a_worst_severity_alert_is_never_a_symptom() -> None:
    shared = {"signature_id": "p", "signature": "db gone", "complaint": True, "rise": 900.0, "rank": 1}
    assert all(d.page for d in triage([fired("a", service="db", **shared), fired("b", service="web", **shared)]))


def test_failures_spread_against_the_calls() -> None:
    calls = [("edge", "core"), ("core", "store"), ("other", "store"), ("edge", "idle")]
    moved = {"store": Moved(0.0), "core": Moved(60.0), "other": Moved(70.0), "edge": Moved(120.0)}
    found = spread(moved, calls)
    assert found.origin == "store"
    assert set(found.edges) == {("store", "core"), ("store", "other"), ("core", "edge")}
    assert spread({}, calls).origin == ""


def test_a_flood_spreads_with_the_calls() -> None:
    moved = {"job": Moved(0.0, flooding=True), "store": Moved(300.0)}
    assert spread(moved, [("job", "store")]).edges == (("job", "store"),)


def test_spread_survives_circles() -> None:
    found = spread({"a": Moved(0.0), "b": Moved(10.0)}, [("a", "b"), ("b", "a"), ("a", "a")])
    assert found.origin in {"a", "b"}


def test_the_root_is_who_adds_most_itself() -> None:
    graph = Topology(("edge", "core", "store", "idle"), (("edge", "core"), ("core", "store"), ("core", "idle")))
    changes = {n: NodeChange(s, 9.0) for n, s in {"edge": 10.2, "core": 10.0, "store": 9.5, "idle": 0.1}.items()}
    assert roots(changes, graph, "edge")[0] == "store"
    assert roots({}, graph, "edge") == []


LOOP = """@@ func Assemble
-	order.Lines = append(order.Lines, item)
+	for _, x := range cart.Items {
+		row, err := a.store.GetItem(ctx, x.ID)
+		order.Lines = append(order.Lines, row)
+	}"""
LOCK = "@@\n-	l.mu.Lock()\n-	defer l.mu.Unlock()\n 	l.counts[id]++"
LIMIT = "@@\n-	ORDER BY score DESC LIMIT 50\n+	ORDER BY score DESC"
TIDY = "@@\n-	if err != nil { http.Error(w, err.Error(), 400) }\n+	if err != nil { writeError(w, err, 400) }"


@pytest.mark.parametrize(
    ("diff", "mechanism"), [(LOOP, "call in a loop"), (LOCK, "lock removed"), (LIMIT, "limit removed")]
)
def test_mechanisms_are_read_from_diffs(diff: str, mechanism: str) -> None:
    assert mechanism in [e.mechanism for e in effects(diff)]


def test_a_refactoring_explains_little() -> None:
    slow = symptoms_of([("db query latency p99", 1.0)])
    assert explains(effects(LOOP), slow)[0] > 0.8 > 0.4 > explains(effects(TIDY), slow)[0]
    assert effects("", ["README.md"]) == () and cosmetic(["docs/a.md", "web/x.css"])


def code(ident: str, diff: str, at: float = 900.0) -> CodeChange:
    return CodeChange(ident, at - 30, at, "search", "refactor", ("services/search/q.go",), diff)


def test_the_commit_whose_diff_can_do_it_is_convicted_and_not_the_latest() -> None:
    texts = ("db_query_latency_p99 search", "slow query SELECT FROM events ORDER BY score")
    fault = Fault(
        1000.0, {"search latency": 1000.0}, ("search",), texts, symptoms_of([(t, 1.0) for t in texts]), frozenset()
    )
    assert verdict([code("guilty", LIMIT, 400.0), code("latest", TIDY, 990.0)], fault)[0] == "guilty"
    assert verdict([code("after", LIMIT, 2000.0), code("latest", TIDY, 990.0)], fault)[0] == "none"


def test_a_trigger_outside_needs_more_to_convict_a_commit() -> None:
    texts = ("tls handshake failed: certificate has expired",)
    fault = Fault(1000.0, {}, ("search",), texts, symptoms_of([(texts[0], 1.0)]), frozenset())
    kept = "cfg.MinVersion = tls.VersionTLS12"
    tls = f"@@\n-	{kept}\n+	{kept} // as before\n+	x := tls.Config{{}}"
    assert verdict([code("bait", tls)], fault)[0] == "none"


def measure(name: str, *values: float, unit: str = "Percent") -> Measure:
    return Measure("cloudwatch", name, "db-1", unit, 60.0 * np.arange(len(values)), np.array(values))


def test_a_database_is_told_by_its_vital_signs() -> None:
    calm = measure("CPUUtilization", *[20.0] * 12)
    lag = measure("ReplicaLag", *np.linspace(1, 900, 12), unit="Seconds")
    write = Query("UPDATE orders SET x = 1", 6.0, (("WAL:Lock", 4.0),))
    assert diagnose(Vitals("", (calm,), (), ())).category == "healthy"
    found = diagnose(Vitals("lag", (calm, lag), (), (write,)))
    assert found.category == "resource_exhaustion" and found.limits[0] == "replication lag"
    assert any(text.startswith("not cpu") for text, _ in found.ruled_out)


def test_a_failover_is_infrastructure_and_history_is_history() -> None:
    dip = measure("DatabaseConnections", *[300.0] * 5, 0.0, 0.0, *[300.0] * 6, unit="Count")
    events = (Event(300.0, "Multi-AZ instance failover initiated", "events", "failover"),)
    assert diagnose(Vitals("", (dip,), events, ())).category == "infrastructure"
    old = (Event(-9000.0, "Multi-AZ instance failover completed", "events", "failover"),)
    assert (
        diagnose(Vitals("", (measure("DatabaseConnections", *[300.0] * 9, unit="Count"),), old, ())).category
        == "healthy"
    )


def test_numbers_are_written_once_and_alike() -> None:
    said = [number(0.8841, "ratio"), number(0.0123, "s"), number(1536, "bytes"), number(1234.5), number(float("nan"))]
    assert said == ["88.4 %", "12.3 ms", "1.5 KiB", "1234", "no value"]


def test_a_sparkline_shows_gaps_and_constants() -> None:
    assert sparkline(np.array([0.0, 1.0, np.nan, 2.0]), 4) == "▁▅ █"
    assert sparkline(np.array([])) == "" and sparkline(np.array([np.nan, np.nan]), 2) == "  "
    assert len(set(sparkline(np.full(9, 3.0), 9))) == 1
