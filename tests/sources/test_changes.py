"""Change events from every place they are told, as one value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from assistant.core.evidence import LogLine, Series
from assistant.core.query import Matcher
from assistant.core.time import Instant, Window
from assistant.errors import SettingsError, SourceError, SourceRefused
from assistant.ports import ChangeSource
from assistant.settings import Changes, Endpoint, LokiEndpoint
from assistant.sources.change_logs import changes_of_lines, selector_of
from assistant.sources.changes import ChangeEvents
from assistant.sources.loki import Loki
from assistant.sources.prometheus import Prometheus
from redaction import Redactor
from tests.sources.http_server import as_json, serving
from tests.sources.servers import needs, prometheus
from tests.sources.test_loki import replaying
from tests.sources.worlds import PAN

END = 1_795_447_200.0
WINDOW = Window(Instant(END - 7200), Instant(END))
REDACTOR = Redactor.default()
LISTED = [
    {
        "ts": END - 60,
        "kind": "deploy",
        "service": "gateway",
        "id": "c0ffee1",
        "title": f"Deploy for {PAN}",
        "diff": "a",
    },
    {"ts": END - 9000, "kind": "config", "service": "switch", "id": "old", "title": "before the window"},
]


def stepped(labels: dict[str, str], *parts: tuple[int, float]) -> Series:
    """A series of `(steps, value)` at 15 s; NaN is absence."""
    v = np.concatenate([np.full(n, value) for n, value in parts])
    return Series(labels, WINDOW.start + 15.0 * np.arange(len(v)), v)


def history() -> tuple[Series, ...]:
    gone = float("nan")
    rollout = {"__name__": "kube_deployment_status_observed_generation", "namespace": "pay", "deployment": "switch"}
    config = {"__name__": "kube_configmap_metadata_resource_version", "namespace": "pay", "configmap": "routes"}
    start = {"__name__": "process_start_time_seconds", "job": "ledger", "instance": "ledger-0"}
    calls = {"__name__": "traces_service_graph_request_total", "client": "gateway", "server": "switch"}
    build = {"__name__": "gateway_build_info", "service": "gateway"}
    return (
        stepped({**build, "version": "1.4.0"}, (300, 1.0), (180, gone)),
        stepped({**build, "version": "1.5.0"}, (300, gone), (180, 1.0)),
        stepped({**build, "service": "quiet", "version": "2.0"}, (480, 1.0)),
        stepped(rollout, (200, 7.0), (280, 8.0)),
        stepped(config, (120, 100.0), (360, 180.0)),
        stepped(start, (240, END - 90000.0), (240, END - 3601.5)),
        stepped(calls, (480, 5.0)),
    )


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prometheus(tmp_path_factory.mktemp("p"), history=history()) as url:
        yield url


@pytest.mark.live
@needs("prometheus", "promtool")
def test_metrics_tell_of_deploys_rollouts_configuration_and_restarts(url: str) -> None:
    server = Prometheus.from_settings(Endpoint(url=url), redactor=REDACTOR)
    source: ChangeSource = ChangeEvents.from_settings(Changes(), redactor=REDACTOR, prometheus=server)
    found = source.changes(WINDOW)
    assert [(c.kind, c.service, c.id) for c in found] == [
        ("config", "routes", "routes@180"),
        ("deploy", "switch", "switch@8"),
        ("restart", "ledger", f"ledger-0@{END - 3601.5:.0f}"),
        ("deploy", "gateway", "1.5.0"),
    ]
    assert found[-1].title == "gateway 1.4.0 -> 1.5.0"
    told = [120 * 15.0, 200 * 15.0, 3598.5, 300 * 15.0]
    assert all(0 <= c.t - WINDOW.start - at <= 60 for c, at in zip(found, told, strict=True))


@pytest.mark.live
@needs("prometheus", "promtool")
def test_what_was_there_before_is_no_change(url: str) -> None:
    server = Prometheus.from_settings(Endpoint(url=url), redactor=REDACTOR)
    later = Window(Instant(WINDOW.start + 5400), WINDOW.end)
    assert ChangeEvents.from_settings(Changes(), redactor=REDACTOR, prometheus=server).changes(later) == ()


def test_a_file_is_read_redacted_and_held_to_the_window(tmp_path: Path) -> None:
    path = tmp_path / "changes.json"
    path.write_text(json.dumps({"changes": LISTED}))
    (change,) = ChangeEvents.from_settings(Changes(file=str(path)), redactor=REDACTOR).changes(WINDOW)
    assert (change.kind, change.service, change.id, change.diff) == ("deploy", "gateway", "c0ffee1", "a")
    assert PAN not in str(change)


def test_a_url_is_asked_for_itself_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("tok")
    with serving(lambda asked: as_json(LISTED)) as server:
        settings = Changes(url=f"{server.url}/feed/changes.json", bearer_file=str(tmp_path / "t"))
        assert len(ChangeEvents.from_settings(settings, redactor=REDACTOR).changes(WINDOW)) == 1
        (asked,) = server.asked
    assert (asked.method, asked.path, asked.headers["Authorization"]) == ("GET", "/feed/changes.json", "Bearer tok")


def test_log_streams_tell_of_changes() -> None:
    line = json.dumps({"kind": "flag", "service": "risk", "id": "FLAG-7", "title": "stand-in switched on"})
    stream = {"stream": {"app": "deployer"}, "values": [[str(int((END - 30) * 1e9)), line]]}
    document = {"status": "success", "data": {"resultType": "streams", "result": [stream]}}
    with serving(replaying(query_range=as_json(document))) as server:
        loki = Loki.from_settings(LokiEndpoint(url=server.url), redactor=REDACTOR)
        settings = Changes(loki=('{app="deployer"}',), metrics=False)
        (change,) = ChangeEvents.from_settings(settings, redactor=REDACTOR, loki=loki).changes(WINDOW)
    assert (change.kind, change.service, change.id, change.title) == ("flag", "risk", "FLAG-7", "stand-in switched on")


@pytest.mark.parametrize(
    ("text", "kind", "ident"),
    [
        ("rollout of switch v2.3.1 finished", "deploy", "v2.3.1"),
        ("feature flag stand_in enabled", "flag", f"{END:.0f}"),
        ("TLS certificate renewed for acquirer link", "certificate", f"{END:.0f}"),
        ("maintenance begins CHG-4711", "maintenance", "CHG-4711"),
        ("config reloaded, commit 9fceb02d0ae5", "config", "9fceb02d0ae5"),
        ("{not json", "change", f"{END:.0f}"),
    ],
)
def test_a_line_of_text_is_a_change_too(text: str, kind: str, ident: str) -> None:
    (change,) = changes_of_lines([LogLine(END, {"service": "s"}, text)])
    assert (change.kind, change.id, change.service, change.title) == (kind, ident, "s", text)


def test_selectors_are_read_strictly() -> None:
    found = selector_of('{app="deployer", env=~"prod|live", q="a\\"b"}')
    assert found == (Matcher("app", "=", "deployer"), Matcher("env", "=~", "prod|live"), Matcher("q", "=", 'a"b'))
    for text in ("app", "{app}", '{app="x"} |= "y"', '{app="x" env="y"}', "{app='x'}"):
        with pytest.raises(SettingsError):
            ChangeEvents.from_settings(Changes(loki=(text,)), redactor=REDACTOR)


def test_one_change_told_twice_is_one(tmp_path: Path) -> None:
    path = tmp_path / "changes.json"
    path.write_text(json.dumps(LISTED))
    with serving(lambda asked: as_json(LISTED)) as server:
        settings = Changes(url=server.url + "/x.json", file=str(path))
        assert len(ChangeEvents.from_settings(settings, redactor=REDACTOR).changes(WINDOW)) == 1


def test_when_every_place_fails_it_is_an_error(tmp_path: Path) -> None:
    settings = Changes(url="http://127.0.0.1:1/x.json", file=str(tmp_path / "absent"))
    with pytest.raises(SourceRefused):
        ChangeEvents.from_settings(settings, redactor=REDACTOR).changes(WINDOW)


def test_without_any_place_there_are_no_changes() -> None:
    events = ChangeEvents.from_settings(Changes(), redactor=REDACTOR)
    assert events.changes(WINDOW) == () and events.topology().edges == ()


@pytest.mark.parametrize("text", ["", "[", "3", '[{"ts": "x"}]', '[{"ts": true}]'])
def test_a_bad_file_is_a_source_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "changes.json"
    path.write_text(text)
    with pytest.raises(SourceError):
        ChangeEvents.from_settings(Changes(file=str(path)), redactor=REDACTOR).changes(WINDOW)
