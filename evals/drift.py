"""Drift of the assistant itself, as Prometheus rules made from the accepted report.

The report's own mix (verdicts, strikes, seconds) is written as recorded constants, and each is compared with what the
running assistant counts. `promtool check rules` reads what this writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DAY = "1d"


def accepted_mix(report: Mapping[str, Any]) -> dict[str, float]:
    """Shares of verdicts, strikes a note and the 95th percentile of seconds, over the report's worlds."""
    cases = report["cases"]
    seconds = sorted(float(c.get("seconds", 0.0)) for c in cases)
    mix = {f"verdict_{v}": sum(c["verdict"] == v for c in cases) / len(cases) for v in ("confirmed", "inconclusive")}
    mix["struck_a_note"] = sum(c["struck"] for c in cases) / len(cases)
    mix["seconds_p95"] = seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))]
    return {name: round(value, 4) for name, value in mix.items()}


def rules(report: Mapping[str, Any]) -> str:
    """A rule file: constants of the accepted report, and alerts where a day's mix has left them."""
    import yaml

    mix = accepted_mix(report)
    constants = [{"record": f"payops_accepted:{name}", "expr": f"vector({value})"} for name, value in mix.items()]
    group = {"name": "payops-drift", "interval": "5m", "rules": [*constants, *_alerts()]}
    head = f"# Made by `payops eval report FILE --rules OUT` from the report of release {report['head']['release']}.\n"
    return head + yaml.safe_dump({"groups": [group]}, sort_keys=False, width=140)


def _alerts() -> list[dict[str, Any]]:
    notes = f"sum(increase(payops_verdicts_total[{DAY}]))"
    enough = f"{notes} > 20"

    def share(verdict: str) -> str:
        return f'sum(increase(payops_verdicts_total{{verdict="{verdict}"}}[{DAY}])) / {notes}'

    return [
        _alert(
            "PayopsVerdictsDrift",
            f"abs({share('confirmed')} - scalar(payops_accepted:verdict_confirmed)) > 0.3 and {enough}",
            "confirmed verdicts are far from the accepted report's share",
        ),
        _alert(
            "PayopsInconclusiveDrift",
            f"{share('inconclusive')} > scalar(payops_accepted:verdict_inconclusive) + 0.3 and {enough}",
            "far more notes are inconclusive than in the accepted report",
        ),
        _alert(
            "PayopsStrikesDrift",
            f"sum(increase(payops_claims_struck_total[{DAY}])) / {notes} > "
            f"scalar(payops_accepted:struck_a_note) + 2 and {enough}",
            "the checker strikes more claims a note than in the accepted report",
        ),
        _alert(
            "PayopsRedactionsDrift",
            f"sum(increase(payops_redactions_total[{DAY}])) > "
            f"10 * sum(increase(payops_redactions_total[{DAY}] offset 7d)) and {enough}",
            "ten times as many values are removed as a week ago: somebody began to log card or personal data",
        ),
        _alert(
            "PayopsRetrievalDrift",
            f"histogram_quantile(0.5, sum by (le) (increase(payops_retrieval_score_bucket[{DAY}]))) < 0.2 and {enough}",
            "half of the notes find no runbook that fits",
        ),
        _alert(
            "PayopsNotesSlow",
            "histogram_quantile(0.95, sum by (le) (increase(payops_note_seconds_bucket[1h]))) > "
            "4 * scalar(clamp_min(payops_accepted:seconds_p95, 5))",
            "notes take far longer than in the accepted report",
        ),
    ]


def _alert(name: str, expr: str, summary: str) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": expr,
        "for": "30m",
        "labels": {"severity": "warning", "service": "payops"},
        "annotations": {"summary": summary},
    }
