"""Writes `payops.json`, the Grafana dashboard on the assistant itself, from the list of panels below.

`python deploy/grafana/make_dashboard.py` after a change; a test compares, parses every query and holds every metric
against what `payops serve` exports. The data source is a variable, so that the file imports into any Grafana of version
10 or newer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

OUT = Path(__file__).parent / "payops.json"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH, HIGH, LOW = 24, 8, 4
R = "[$__rate_interval]"


def p95(metric: str, by: str = "", window: str = R) -> str:
    names = f"le, {by}" if by else "le"
    return f"histogram_quantile(0.95, sum by ({names}) (rate({metric}_bucket{window})))"


def share(part: str, whole: str, window: str = "[1d]") -> str:
    return f"sum(increase({part}{window})) / clamp_min(sum(increase({whole}{window})), 1)"


# (row, [(kind, title, unit, what it tells, {legend: query})])
ROWS: list[tuple[str, list[tuple[str, str, str, str, dict[str, str]]]]] = [
    (
        "At a glance",
        [
            ("stat", "Open incidents", "short", "Storms count as one.", {"open": "max(payops_incidents_open)"}),
            ("stat", "Replicas", "short", "Alive by their heartbeat.", {"alive": "max(payops_replicas)"}),
            ("stat", "Switched off", "bool_yes_no", "payops off.", {"off": "max(payops_switched_off)"}),
            ("stat", "Prompt log", "short", "1 takes records.", {"ok": "min(payops_promptlog_ok)"}),
            ("stat", "Not yet held elsewhere", "short", "Records after the last checkpoint.",
             {"records": "max(payops_promptlog_unprotected_records)"}),
            ("stat", "Writable credential", "bool_yes_no", "A credential of ours can write.",
             {"writable": "max(payops_credentials_writable)"}),
        ],
    ),
    (
        "Notes",
        [
            ("timeseries", "Alert in to facts-only note", "s", "Target: 3 s.",
             {"p95": p95("payops_facts_seconds"), "p50": p95("payops_facts_seconds").replace("0.95", "0.5", 1)}),
            ("timeseries", "A round", "s", "To the drafted note.", {"p95": p95("payops_note_seconds")}),
            ("timeseries", "Notes", "short", "Revisions kept, by kind and whether a model wrote.",
             {"{{kind}}, model {{model}}": f"sum by (kind, model) (increase(payops_notes_total{R}))"}),
            ("timeseries", "Incidents opened", "short", "",
             {"incidents": f"sum(increase(payops_incidents_opened_total{R}))",
              "storms open": "max(payops_storms_open)"}),
        ],
    ),
    (
        "Sources",
        [
            ("timeseries", "Last query answered", "short", "0 is a gap in every note.",
             {"{{source}}": "min by (source) (payops_source_up)"}),
            ("timeseries", "Queries", "reqps", "By source and outcome.",
             {"{{source}} {{outcome}}": f"sum by (source, outcome) (rate(payops_source_queries_total{R}))"}),
            ("timeseries", "Time of a query, p95", "s", "", {"{{source}}": p95("payops_source_seconds", "source")}),
            ("timeseries", "Webhooks", "short", "By status; 401 is a missing or wrong token.",
             {"{{code}}": f"sum by (code) (increase(payops_webhook_requests_total{R}))"}),
        ],
    ),
    (
        "Queue",
        [
            ("timeseries", "Outbox", "short", "Notes that wait to be shown, and those that could not be.",
             {"waiting": "max(payops_outbox_waiting)", "failed": "max(payops_outbox_failed)"}),
            ("timeseries", "Oldest waiting", "s", "", {"age": "max(payops_outbox_oldest_seconds)"}),
            ("timeseries", "Rounds", "short", "Looks at incidents.",
             {"unfinished": "max(payops_rounds_unfinished)", "running": "sum(payops_rounds_running_here)"}),
            ("timeseries", "Alerts and posts", "short", "Alerts by how they were placed; notes shown by outlet.",
             {"alerts {{how}}": f"sum by (how) (increase(payops_alert_deliveries_total{R}))",
              "shown {{outlet}}": f"sum by (outlet) (increase(payops_posts_total{R}))",
              "taken over": f"sum(increase(payops_takeovers_total{R}))"}),
        ],
    ),
    (
        "Model",
        [
            ("timeseries", "Answers", "short", "By line and outcome; blocked never left.",
             {"{{line}} {{outcome}}": f"sum by (line, outcome) (increase(payops_model_answers_total{R}))"}),
            ("timeseries", "Time of an answer, p95", "s", "", {"{{line}}": p95("payops_model_seconds", "line")}),
            ("timeseries", "Of today's budget", "percentunit", "At 100 % notes are written without a model.",
             {"tokens": "max(payops_model_tokens_today / payops_model_tokens_today_limit)",
              "cost": "max(payops_model_cost_today / payops_model_cost_today_limit)"}),
            ("timeseries", "Tokens and cost", "short", "Cost in the currency of [model].",
             {"tokens {{direction}}": f"sum by (direction) (increase(payops_model_tokens_total{R}))",
              "cost": f"sum(increase(payops_model_cost_total{R}))",
              "endpoints resting": "max(payops_model_endpoints_resting)"}),
        ],
    ),
    (
        "Redaction",
        [
            ("timeseries", "Values removed, by class", "short", "A jump: somebody began to log card or personal data.",
             {"{{klass}}": f"sum by (klass) (increase(payops_redactions_total{R}))"}),
            ("timeseries", "Values removed a note", "short", "In a day, against the accepted report.",
             {"now": "sum(increase(payops_redactions_total[1d])) / clamp_min(sum(increase(payops_notes_total[1d])), 1)",
              "accepted": "payops_accepted:redactions_a_note"}),
            ("timeseries", "Stopped by the last look", "short", "Each is a rule that is missing.",
             {"log lines": f"sum(increase(payops_log_lines_withheld_total{R}))",
              "{{event}}": f'sum by (event) (increase(payops_records_total{{outcome="blocked"}}{R}))'}),
        ],
    ),
    (
        "Is it still right?",
        [
            ("timeseries", "Verdicts, share of a day", "percentunit", "Against the accepted report, if its rules run.",
             {"confirmed": share('payops_verdicts_total{verdict="confirmed"}', "payops_verdicts_total"),
              "inconclusive": share('payops_verdicts_total{verdict="inconclusive"}', "payops_verdicts_total"),
              "confirmed, accepted": "payops_accepted:verdict_confirmed",
              "wrong, by people": 'sum(increase(payops_feedback_total{judgement=~"wrong|confidently_wrong"}[7d])) / '
                                  "clamp_min(sum(increase(payops_feedback_total[7d])), 1)",
              "wrong, accepted": "payops_accepted:wrong",
              "inconclusive, accepted": "payops_accepted:verdict_inconclusive"}),
            ("timeseries", "Claims struck", "percentunit", "Of all claims of drafts, in a day.",
             {"struck": "sum(increase(payops_claims_struck_total[1d])) / clamp_min(sum(increase("
                        "payops_claims_struck_total[1d])) + sum(increase(payops_claims_kept_total[1d])), 1)"}),
            ("timeseries", "Runbook found, score", "short", "Median and worst tenth of a day; 0 where none fits.",
             {"p50": "histogram_quantile(0.5, sum by (le) (increase(payops_retrieval_score_bucket[1d])))",
              "p50, accepted": "payops_accepted:retrieval_p50",
              "p10": "histogram_quantile(0.1, sum by (le) (increase(payops_retrieval_score_bucket[1d])))"}),
            ("timeseries", "What people said", "short", "In a day.",
             {"{{judgement}}": "sum by (judgement) (increase(payops_feedback_total[1d]))"}),
        ],
    ),
    (
        "Prompt log",
        [
            ("timeseries", "Records", "short", "Appended, by event.",
             {"{{event}}": f"sum by (event) (increase(payops_records_total{R}))"}),
            ("timeseries", "Held elsewhere", "short", "Records after the last checkpoint; places that fail.",
             {"unprotected": "max(payops_promptlog_unprotected_records)",
              "failing places": "max(payops_promptlog_failing_places)", "doubts": "max(payops_promptlog_doubts)"}),
        ],
    ),
    (
        "Slack",
        [
            ("timeseries", "From question to reply", "s", "", {"p95": p95("payops_slack_reply_seconds")}),
            ("timeseries", "Answers and calls", "short", "Whole answers, partial ones, calls of Slack's API.",
             {"answers {{kind}}": f"sum by (kind) (increase(payops_slack_answers_total{R}))",
              "calls {{method}}": f"sum by (method) (increase(payops_slack_calls_total{R}))"}),
            ("timeseries", "Refused and stopped", "short", "People refused; payloads that the last look stopped.",
             {"refused {{why}}": f"sum by (why) (increase(payops_slack_refused_total{R}))",
              "stopped {{method}}": f"sum by (method) (increase(payops_slack_blocked_total{R}))"}),
            ("timeseries", "Card data where it should not be", "short", "Cases, by place and class.",
             {"{{place}} {{klass}}": f"sum by (place, klass) (increase(payops_cardholder_cases_total{R}))"}),
        ],
    ),
    (
        "Console",
        [
            ("timeseries", "Pages, p95", "s", "Until a page begins to answer. Target: 100 ms.",
             {"{{route}}": p95("payops_page_seconds", "route")}),
            ("timeseries", "Pages by status", "reqps", "",
             {"{{code}}": f"sum by (code) (rate(payops_page_seconds_count{R}))"}),
            ("timeseries", "Refused", "short", "By why; each is a record.",
             {"{{why}}": f"sum by (why) (increase(payops_auth_denied_total{R}))"}),
            ("timeseries", "People in", "short", "Sessions that stand.", {"sessions": "max(payops_sessions_open)"}),
        ],
    ),
]  # fmt: skip


def panel(
    number: int, kind: str, title: str, unit: str, about: str, queries: dict[str, str], at: dict[str, int]
) -> Any:
    targets = [
        {"refId": chr(65 + i), "datasource": SOURCE, "expr": expr, "legendFormat": legend, "range": True}
        for i, (legend, expr) in enumerate(queries.items())
    ]
    made: dict[str, Any] = {
        "id": number,
        "type": kind,
        "title": title,
        "description": about,
        "datasource": SOURCE,
        "gridPos": at,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": targets,
    }
    if kind == "stat":
        made["options"] = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    else:
        made["options"] = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
    return made


def dashboard() -> dict[str, Any]:
    panels: list[Any] = []
    y = 0
    for title, members in ROWS:
        row = {"id": len(panels) + 1, "type": "row", "title": title, "collapsed": False, "panels": []}
        panels.append({**row, "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}})
        width, high = WIDTH // len(members), LOW if members[0][0] == "stat" else HIGH
        for i, member in enumerate(members):
            at = {"x": i * width, "y": y + 1, "w": width, "h": high}
            panels.append(panel(len(panels) + 1, *member, at))
        y += 1 + high
    variable = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    return {
        "uid": "payops",
        "title": "payops",
        "description": "The incident assistant itself: what it reads, writes, removes, costs and gets wrong.",
        "tags": ["payops"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "timezone": "utc",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [{**variable, "current": {}, "hide": 0}]},
        "annotations": {"list": []},
        "panels": panels,
    }


def text() -> str:
    return json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    OUT.write_text(text(), encoding="utf-8")
