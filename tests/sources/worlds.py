"""A small world on disk, for tests that then break one of its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NOW = 1_795_446_872.0
PAN = "4111" + "111111111111"
TOML = f"""format = 1
name = "lantern"
now = {NOW}
timezone = "Europe/Berlin"
[[services]]
name = "gateway"
kind = "api"
[[services]]
name = "switch"
[[edges]]
caller = "gateway"
callee = "switch"
[[edges]]
caller = "switch"
callee = "issuer-link"
[payments]
approved = ["00"]
[payments.metrics]
attempts = "auth_total"
"""
ALERT = {
    "labels": {"alertname": "DeclineRateHigh", "issuer": "aba", "note": f"card {PAN}", "severity": "critical"},
    "annotations": {"summary": f"customer {PAN} declined", "runbook_url": "https://runbooks.example/declines"},
    "startsAt": "2026-11-23T15:00:00.000Z",
    "endsAt": "2026-11-23T15:20:00.000Z",
    "fingerprint": "6b67d9dfe537f7b9",
    "status": {"state": "suppressed", "silencedBy": ["x"], "inhibitedBy": []},
    "generatorURL": "http://prometheus:9090/graph",
}
RULE = {
    "name": "DeclineRateHigh",
    "query": "declines / attempts > 0.2",
    "duration": 120,
    "labels": {"severity": "critical"},
    "type": "alerting",
    "alerts": [
        {
            "labels": {"alertname": "DeclineRateHigh", "issuer": "aba", "note": f"card {PAN}", "severity": "critical"},
            "state": "firing",
            "activeAt": "2026-11-23T14:58:00.5Z",
        }
    ],
}


def write(folder: Path, name: str, document: Any) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))


def lines(*items: Any) -> str:
    return "".join(json.dumps(item) + "\n" for item in items)


def small_world(folder: Path) -> Path:
    """Every file there is, small."""
    write(folder, "world.toml", TOML)
    write(folder, "alerts.json", [ALERT])
    write(folder, "rules.json", {"status": "success", "data": {"groups": [{"name": "payments", "rules": [RULE]}]}})
    t0 = NOW - 3600
    counter = {"__name__": "auth_total", "issuer": "aba", "holder": f"card {PAN}"}
    series = lines(
        {"labels": counter, "t0": t0, "step": 15, "v": [float(i) for i in range(240)]},
        {"labels": {"__name__": "queue_depth", "queue": "settle"}, "t": [t0, t0 + 60, NOW + 60], "v": [1, None, 9]},
        {"labels": {"__name__": "lag_bucket", "le": "+Inf"}, "t0": t0, "step": 60, "v": [1, 2, 3]},
    )
    write(folder, "metrics/series.ndjson", series)
    metadata = {"auth_total": [{"type": "counter", "help": "Authorisations.", "unit": ""}]}
    write(folder, "metrics/metadata.json", metadata)
    logs = [
        {"ts": int((NOW - 600 + i) * 1e9), "labels": {"service": "gateway", "level": "error"}, "line": line}
        for i, line in enumerate((f"Timeout for {PAN}", "ok", "connection REFUSED by switch"))
    ]
    logs.append({"ts": int((NOW + 5) * 1e9), "labels": {"service": "gateway"}, "line": "from the future"})
    write(folder, "logs.ndjson", lines(*reversed(logs)))
    change = {"ts": NOW - 900, "kind": "deploy", "service": "gateway", "id": "c0ffee1", "title": "Deploy 1.2"}
    write(folder, "changes.json", [change, {**change, "ts": NOW + 1, "id": "later"}])
    return folder
