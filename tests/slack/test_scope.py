"""What may be asked where: selectors are read, held to, never widened; card data in telemetry is found at the door."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from assistant.core.alert import frozen
from assistant.core.evidence import Change, Topology
from assistant.core.query import Matcher, Quantile, Rate, Ratio, Select, Sum
from assistant.core.time import Instant, Window
from assistant.errors import SettingsError, SourceRefused
from assistant.house import Sources
from assistant.scope import Scope, matchers_of, narrowed, scope_of, scoped
from assistant.settings import Slack, SlackRoutes
from assistant.slack.routes import Routes
from tests.fakes.alerts import alert
from tests.fakes.sources import FakeSources

GATEWAY = scope_of(['service="gateway"'])


@pytest.mark.parametrize("text", ['team="payments"', "{team=payments}", ' team = "payments" '])
def test_a_selector_is_read_with_and_without_braces_and_quotes(text: str) -> None:
    assert matchers_of(text) == (Matcher("team", "=", "payments"),)


@pytest.mark.parametrize("text", ["", "payments", 'team="a" or b', 'team=~"("', "{}"])
def test_what_is_no_selector_is_said(text: str) -> None:
    with pytest.raises(SettingsError):
        matchers_of(text)


def test_several_selectors_of_one_label_are_alternatives_and_others_cannot_be_joined() -> None:
    either = scope_of(['service="a.b"', 'service=~"c|d"'])
    assert [either.holds({"service": s}) for s in ("a.b", "axb", "d", "")] == [True, False, True, False]
    with pytest.raises(SettingsError, match="cannot be joined"):
        scope_of(['service="a"', 'env="b"'])


def test_every_selector_of_a_query_is_held_to_it() -> None:
    mine = Matcher("service", "=", "gateway")
    query = Sum(Ratio(Rate(Select("a"), 60), Quantile(0.9, Select("b", (mine,)), 60)), ("x",))
    held = narrowed(query, GATEWAY)
    assert isinstance(held, Sum) and isinstance(held.of, Ratio)
    assert held.of.part == Rate(Select("a", (mine,)), 60)
    assert held.of.whole == Quantile(0.9, Select("b", (mine,)), 60)
    with pytest.raises(SourceRefused):
        narrowed(Ratio(Select("a"), Select("b", (Matcher("service", "=", "ledger"),))), GATEWAY)
    wide = narrowed(Select("a", (Matcher("service", "=~", ".*"),)), GATEWAY)
    assert isinstance(wide, Select) and mine in wide.matchers


def test_alerts_changes_and_services_outside_are_not_there() -> None:
    at = Instant(1000.0)
    window = Window(Instant(0.0), Instant(2000.0))
    fake = FakeSources(
        alerts_=(alert(labels={"service": "gateway"}), alert(labels={"service": "ledger"})),
        changes_=(Change(at, "deploy", "gateway", "1", "x"), Change(at, "deploy", "ledger", "2", "y")),
        topology_=Topology(("gateway", "ledger"), (("gateway", "ledger"),)),
    )
    refused: list[str] = []
    seen = scoped(Sources(fake, fake, fake, fake), GATEWAY, refused=refused.append)
    assert [a.labels["service"] for a in seen.alerts.alerts()] == ["gateway"]
    assert [c.service for c in seen.changes.changes(window)] == ["gateway"]
    assert seen.changes.topology() == Topology(("gateway",), ())
    with pytest.raises(SourceRefused):
        seen.logs.search(selector=[Matcher("service", "=", "ledger")], window=window)
    assert len(refused) == 1
    by_env = scoped(Sources(fake, fake, fake, fake), scope_of(['env="prod"']), refused=refused.append)
    assert by_env.changes.changes(window) == (), "a change names no env: it cannot be told to lie inside"


def test_routes_take_the_first_that_an_alert_meets() -> None:
    channels = {'team="a", severity=~"critical|high"': "C1", 'team="a"': "C2", "default": "C3"}
    routes = Routes.of(Slack(routes=SlackRoutes(channels=channels)))
    assert routes.channel([alert(labels={"team": "a"})]) == "C1"
    low = replace(alert(), labels=frozen({"alertname": "x", "team": "a", "severity": "low"}))
    assert routes.channel([low]) == "C2" and routes.channel([alert()]) == "C3"
    assert Routes.of(Slack()).channel([alert()]) == ""


def test_with_one_scope_configured_other_places_have_the_default_or_none() -> None:
    assert Routes.of(Slack()).scope("C9") == Scope()
    one = Routes.of(Slack(routes=SlackRoutes(may_query={"C1": ('a="b"',)})))
    assert one.scope("C1") is not None and one.scope("C9") is None and one.scope("D1", direct=True) is None
    two = Routes.of(Slack(routes=SlackRoutes(may_query={"C1": ('a="b"',), "default": ('a="c"',)})))
    assert two.scope("C9") == two.scope("D1", direct=True) == scope_of(['a="c"'])


def test_card_data_in_the_logs_of_the_recorded_incident_is_found_by_service(tmp_path: Path) -> None:
    from assistant.bootstrap import open_world
    from assistant.incidents import incident_of, together
    from assistant.investigate import examine
    from assistant.settings import Settings

    world = Path(__file__).resolve().parents[2] / "evals" / "worlds" / "first"
    told: list[tuple[str, str, int]] = []
    house, source = open_world(world, Settings(state=tmp_path))

    def found(incident: str, findings: object) -> None:
        told.extend((f.source, f.klass, f.lines) for f in findings)  # type: ignore[attr-defined]

    rules = source.rules()
    incident = incident_of(together(source.alerts(), rules), rules, now=source.now())
    examine(incident, replace(house, found=found))
    house.promptlog.close()
    assert told and {klass for _, klass, _ in told} <= {"PAN", "SAD", "TRACK"}
    assert all(lines > 0 for _, _, lines in told) and all(s and not s.isdigit() for s, _, _ in told)
