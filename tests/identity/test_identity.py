"""What belongs together: the rules of incident identity, one plain sentence a test."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.core.alert import Alert
from assistant.core.incident import IncidentId
from assistant.identity import Head, Held, Placed, Rules, agree, entities, merged, place, scope, split
from tests.fakes.alerts import T0, alert

NOW = T0 + 60


class Desk:
    """Places deliveries one after another and keeps what a notebook would keep."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.heads: dict[IncidentId, Head] = {}
        self.held: dict[str, Held] = {}
        self.rules = rules or Rules()
        self._ids = (IncidentId(f"inc-{n}") for n in itertools.count(1))

    def take(self, *alerts: Alert, now: float = NOW) -> Placed:
        placed = place(
            alerts,
            heads=tuple(self.heads.values()),
            held=self.held,
            now=now,
            new_id=lambda: next(self._ids),
            rules=self.rules,
        )
        self.heads.update(placed.heads)
        for p in placed.placements:
            if p.incident is not None and p.weight != "stale":
                a = p.alert
                self.held[a.fingerprint] = Held(p.incident, a.starts_at, a.status, now, a.ends_at)
        return placed


def how(placed: Placed) -> list[str]:
    return [p.how for p in placed.placements]


def test_the_first_alert_opens_an_incident() -> None:
    placed = Desk().take(alert())
    assert how(placed) == ["new"]
    assert placed.placements[0].weight == "material"


def test_the_same_delivery_again_changes_nothing() -> None:
    desk = Desk()
    first = desk.take(alert())
    again = desk.take(alert(), now=NOW + 300)
    assert [(p.how, p.weight) for p in again.placements] == [("fingerprint", "repeat")]
    assert next(iter(again.heads.values())).wants == next(iter(first.heads.values())).wants == 1


def test_one_outage_that_fires_ten_groups_is_one_incident() -> None:
    alerts = [alert(f"A{i}", at=T0 + 20 * i, group=f"g{i}", labels={"scheme": "visa"}) for i in range(10)]
    desk = Desk()
    for one in alerts:
        desk.take(one)
    assert len(desk.heads) == 1


def test_the_same_group_an_hour_later_is_another_incident() -> None:
    desk = Desk()
    desk.take(alert("A", group="g"))
    assert how(desk.take(alert("B", at=T0 + 3600, group="g"), now=NOW + 3600)) == ["new"]


def test_the_same_group_at_the_same_time_joins_without_a_shared_entity() -> None:
    desk = Desk()
    assert how(desk.take(alert("A", group="g"), alert("B", at=T0 + 900, group="g"))) == ["new", "group"]


def test_a_shared_service_joins_only_near_in_time() -> None:
    desk = Desk()
    desk.take(alert("A", labels={"service": "auth"}))
    assert how(desk.take(alert("B", at=T0 + 500, labels={"service": "auth"}))) == ["entity"]
    assert how(desk.take(alert("C", at=T0 + 5000, labels={"service": "auth"}), now=NOW + 5000)) == ["new"]


def test_two_environments_are_two_incidents() -> None:
    desk = Desk()
    desk.take(alert("A", labels={"service": "auth", "env": "prod"}))
    assert how(desk.take(alert("B", labels={"service": "auth", "env": "staging"}))) == ["new"]


def test_team_and_region_and_instance_join_nothing() -> None:
    desk = Desk()
    labels = {"team": "payments", "region": "eu", "instance": "host:9090", "job": "exporter"}
    desk.take(alert("A", labels=labels))
    assert how(desk.take(alert("B", labels=labels))) == ["new"]


def test_an_incident_ends_with_its_last_alert() -> None:
    desk = Desk()
    desk.take(alert("A", group="g"), alert("B", group="g"))
    one = desk.take(alert("A", group="g", status="resolved"), now=NOW + 100)
    assert one.placements[0].weight == "repeat"
    last = desk.take(alert("B", group="g", status="resolved"), now=NOW + 200)
    assert last.placements[0].weight == "material"
    (head,) = desk.heads.values()
    assert (head.firing, head.resolved_at) == (0, NOW + 200)


def test_firing_again_within_half_an_hour_reopens_and_later_does_not() -> None:
    for later, expected in ((1700.0, "reopened"), (1900.0, "new")):
        desk = Desk()
        desk.take(alert())
        desk.take(alert(status="resolved"), now=NOW + 100)
        assert how(desk.take(alert(at=T0 + 100 + later), now=NOW + 100 + later)) == [expected]


def test_a_reopened_incident_wants_a_new_look_and_is_open() -> None:
    desk = Desk()
    desk.take(alert())
    desk.take(alert(status="resolved"), now=NOW + 100)
    desk.take(alert(at=T0 + 300), now=NOW + 300)
    (head,) = desk.heads.values()
    assert head.open and head.wants == 3


def test_a_late_firing_after_its_resolve_is_stale() -> None:
    desk = Desk()
    desk.take(alert())
    desk.take(alert(status="resolved"), now=NOW + 100)
    late = desk.take(alert(), now=NOW + 101)
    assert late.placements[0].weight == "stale"
    assert not next(iter(desk.heads.values())).open


def test_firing_on_after_a_resolve_with_the_same_start_is_real() -> None:
    desk = Desk()
    desk.take(alert())
    desk.take(alert(status="resolved"), now=NOW + 100)
    assert how(desk.take(alert(), now=NOW + 400)) == ["reopened"]


def test_a_delivery_of_an_earlier_episode_is_stale() -> None:
    desk = Desk()
    desk.take(alert(at=T0 + 600))
    old = desk.take(alert(at=T0, status="resolved"), now=NOW + 700)
    assert old.placements[0].weight == "stale"
    assert next(iter(desk.heads.values())).open


def test_a_resolve_of_something_never_seen_opens_nothing() -> None:
    placed = Desk().take(alert(status="resolved"))
    assert [(p.how, p.incident) for p in placed.placements] == [("unmatched", None)]


def test_a_worse_severity_is_worth_a_new_look_and_a_milder_one_is_not() -> None:
    desk = Desk()
    desk.take(alert("A", group="g", labels={"severity": "warning"}))
    worse = desk.take(alert("A", group="g", labels={"severity": "critical"}))
    milder = desk.take(alert("A", group="g", labels={"severity": "info"}))
    assert [worse.placements[0].weight, milder.placements[0].weight] == ["material", "repeat"]


def test_the_sixth_incident_of_a_minute_is_a_storm_that_takes_the_rest() -> None:
    desk = Desk()
    placed = desk.take(*(alert(f"A{i}", labels={"service": f"s{i}"}) for i in range(40)))
    assert how(placed) == ["new"] * 6 + ["storm"] * 34
    assert [h.storm for h in desk.heads.values()] == [False] * 5 + [True]
    storm = list(desk.heads.values())[-1]
    assert (storm.firing, storm.wants) == (35, 1)


def test_a_storm_is_over_when_it_was_quiet() -> None:
    desk = Desk()
    desk.take(*(alert(f"A{i}", labels={"service": f"s{i}"}) for i in range(10)))
    later = desk.take(alert("late", at=T0 + 700, labels={"service": "late"}), now=NOW + 700)
    assert how(later) == ["new"]


def test_clocks_that_are_apart_change_nothing() -> None:
    """Prometheus' clock runs two hours ahead of ours, or behind: the same things belong together."""
    for skew in (7200.0, -7200.0):
        desk = Desk()
        desk.take(alert("A", at=T0 + skew, labels={"service": "auth"}))
        assert how(desk.take(alert("B", at=T0 + skew + 60, labels={"service": "auth"}))) == ["entity"]
        desk.take(alert("A", at=T0 + skew, labels={"service": "auth"}, status="resolved"), now=NOW + 60)
        desk.take(alert("B", at=T0 + skew + 60, labels={"service": "auth"}, status="resolved"), now=NOW + 60)
        assert how(desk.take(alert("A", at=T0 + skew + 300, labels={"service": "auth"}), now=NOW + 300)) == ["reopened"]


def test_merging_keeps_everything_and_points_the_other_way() -> None:
    desk = Desk()
    desk.take(alert("A", labels={"service": "a"}), alert("B", labels={"service": "b"}))
    one, two = desk.heads.values()
    whole, gone = merged(one, two)
    assert whole.firing == 2 and whole.names == {"A", "B"}
    assert gone.merged_into == one.id and not gone.open
    with pytest.raises(ValueError, match="merged"):
        merged(whole, gone)
    with pytest.raises(ValueError, match="merged"):
        merged(whole, whole)


def test_splitting_takes_alerts_with_them() -> None:
    desk = Desk()
    a, b = alert("A", group="g"), alert("B", group="g", at=T0 + 30)
    desk.take(a, b)
    (head,) = desk.heads.values()
    old, new = split(head, [b], [a], now=NOW + 10, new_id=IncidentId("inc-new"))
    assert (old.names, new.names) == ({"A"}, {"B"})
    assert (old.firing, new.firing, new.wants) == (1, 1, 1)
    with pytest.raises(ValueError, match="each side"):
        split(head, [], [a, b], now=NOW, new_id=IncidentId("x"))


def test_scopes_agree_unless_they_contradict() -> None:
    prod, none = scope(alert(labels={"env": "prod"})), scope(alert())
    assert agree(prod, none) and agree(none, prod) and agree(prod, prod)
    assert not agree(prod, scope(alert(labels={"env": "test"})))


def test_names_of_services_are_one_kind_whatever_the_label() -> None:
    assert entities(alert(labels={"app": "Auth"})) == entities(alert(labels={"service": "auth"}))


labels = st.fixed_dictionaries({"service": st.sampled_from("abc"), "env": st.sampled_from(("p", "t"))})
deliveries = st.lists(
    st.builds(
        alert,
        st.sampled_from(("A", "B", "C")),
        at=st.sampled_from((T0, T0 + 100, T0 + 4000)),
        status=st.sampled_from(("firing", "resolved")),
        group=st.sampled_from(("", "g", "h")),
        labels=labels,
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(deliveries, st.sampled_from((1, 3, 40)))
def test_counts_hold_whatever_comes_in_whatever_order(alerts: Sequence[Alert], batch: int) -> None:
    """No firing alert is lost, none is in two incidents; an incident is open exactly while one of its alerts fires."""
    desk = Desk(Rules(late_s=0.0))
    for i in range(0, len(alerts), batch):
        desk.take(*alerts[i : i + batch], now=NOW + i)
    for incident, head in desk.heads.items():
        mine = [h for h in desk.held.values() if h.incident == incident]
        assert head.firing == sum(h.status == "firing" for h in mine)
        assert head.open == (head.firing > 0)
    firing = {a.fingerprint for a in alerts if a.status == "firing"}
    assert firing <= set(desk.held)


@settings(max_examples=100, deadline=None)
@given(deliveries)
def test_a_repeated_delivery_never_adds_a_look(alerts: Sequence[Alert]) -> None:
    desk = Desk()
    for one in alerts:
        desk.take(one)
        before = {i: h.wants for i, h in desk.heads.items()}
        desk.take(one)
        assert {i: h.wants for i, h in desk.heads.items()} == before
