"""Drift of the assistant itself, as Prometheus rules made from the accepted report.

The report's own mix (verdicts, causes missed, strikes, redactions, retrieval scores, seconds) is written as recorded
constants, and each is compared with what the running assistant counts; what people say is compared with how often the
report was wrong. `promtool` reads what this writes and tests that it fires.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DAY = "1d"


def accepted_mix(report: Mapping[str, Any]) -> dict[str, float]:
    """Shares of verdicts and of wrong causes, strikes and redactions a note, median retrieval score and the 95th
    percentile of seconds, over the report's worlds. Reports from before a figure was kept lack it."""
    cases = report["cases"]
    seconds = sorted(float(c.get("seconds", 0.0)) for c in cases)
    mix = {f"verdict_{v}": sum(c["verdict"] == v for c in cases) / len(cases) for v in ("confirmed", "inconclusive")}
    mix["struck_a_note"] = sum(c["struck"] for c in cases) / len(cases)
    mix["seconds_p95"] = seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))]
    mix["wrong"] = sum(not c["right@1"] for c in cases) / len(cases)
    if all("redactions" in c for c in cases):
        mix["redactions_a_note"] = sum(c["redactions"] for c in cases) / len(cases)
        mix["retrieval_p50"] = sorted(float(c["retrieval"]) for c in cases)[len(cases) // 2]
    return {name: round(value, 4) for name, value in mix.items()}


def rules(report: Mapping[str, Any]) -> str:
    """A rule file: constants of the accepted report, and alerts where a day's mix has left them."""
    import yaml

    mix = accepted_mix(report)
    constants = [{"record": f"payops_accepted:{name}", "expr": f"vector({value})"} for name, value in mix.items()]
    # Without a model there is no drafted note: what people wait for are the facts.
    waited = "note" if report["head"]["solver"] == "model" else "facts"
    alerts = [*_alerts(waited), *(_against_kept() if "redactions_a_note" in mix else ())]
    group = {"name": "payops-drift", "interval": "5m", "rules": [*constants, *alerts]}
    head = f"# Made by `payops eval report FILE --rules OUT` from the report of release {report['head']['release']}.\n"
    return head + yaml.safe_dump({"groups": [group]}, sort_keys=False, width=140)


def _alerts(waited: str) -> list[dict[str, Any]]:
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
            "PayopsFeedbackDrift",
            'sum(increase(payops_feedback_total{judgement=~"wrong|confidently_wrong"}[7d])) / '
            "sum(increase(payops_feedback_total[7d])) > scalar(payops_accepted:wrong) + 0.2 "
            "and sum(increase(payops_feedback_total[7d])) > 10",
            "people call notes wrong far more often than the accepted report was",
        ),
        _alert(
            "PayopsNotesSlow",
            f"histogram_quantile(0.95, sum by (le) (increase(payops_{waited}_seconds_bucket[1h]))) > "
            "4 * scalar(clamp_min(payops_accepted:seconds_p95, 5))",
            "notes take far longer than in the accepted report",
        ),
    ]


def _against_kept() -> list[dict[str, Any]]:
    """Alerts on figures that the report has kept for every case."""
    notes = f"sum(increase(payops_verdicts_total[{DAY}]))"
    return [
        _alert(
            "PayopsRedactionsAboveAccepted",
            f"sum(increase(payops_redactions_total[{DAY}])) / {notes} > "
            f"10 * scalar(clamp_min(payops_accepted:redactions_a_note, 1)) and {notes} > 20",
            "ten times as many values are removed a note as in the accepted report",
        ),
        _alert(
            "PayopsRetrievalBelowAccepted",
            f"histogram_quantile(0.5, sum by (le) (increase(payops_retrieval_score_bucket[{DAY}]))) < "
            f"scalar(payops_accepted:retrieval_p50) - 0.3 and {notes} > 20",
            "runbooks fit far worse than in the accepted report",
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
