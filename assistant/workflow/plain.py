"""The note of last resort: what the alerts themselves say, when looking further crashed or was stopped."""

from __future__ import annotations

from assistant.core.draft import Claim
from assistant.core.evidence import Evidence, EvidenceId, Gap
from assistant.core.finding import Findings
from assistant.core.incident import Incident, Severity
from assistant.core.note import Event, Note
from assistant.core.time import Instant, iso
from assistant.identity import severity
from redaction import FinalScanner

_SHOWN = 20


def plain_note(incident: Incident, *, why: str, now: float, revision: int, scanner: FinalScanner) -> Note:
    """A note with alerts and nothing else; `why` (words of ours) stands in it as the gap and as the reason."""
    shown = incident.alerts[:_SHOWN]
    resolved = bool(incident.alerts) and all(a.status == "resolved" for a in incident.alerts)
    names = sorted({a.name for a in incident.alerts})
    evidence = tuple(
        Evidence(
            id=EvidenceId(f"A{i}"),
            kind="alert",
            query=a.name,
            window=incident.window,
            text=scanner.restore(f"{a.name} {a.status} since {iso(a.starts_at)}"),
        )
        for i, a in enumerate(shown, start=1)
    )
    claims = tuple(Claim(f"{e.text.text}.", (e.id,)) for e in evidence[:3])
    left = len(incident.alerts) - len(shown)
    return Note(
        incident_id=incident.id,
        status="resolved" if resolved else "open",
        severity=_severity(incident),
        title=f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else (names[0] if names else "an incident"),
        summary=claims,
        since=min((a.starts_at for a in incident.alerts), default=None),
        impact=None,
        findings=Findings(health="unknown", onset=None),
        hypotheses=(),
        not_known=("what changed, where and why: nothing beyond the alerts was looked at",),
        gaps=(Gap("assistant", why), *((Gap("alerts", f"{left} more alerts are not shown"),) if left else ())),
        timeline=tuple(
            Event(Instant(a.starts_at), f"{a.name} fires", e.id) for a, e in zip(shown, evidence, strict=True)
        ),
        evidence=evidence,
        without_model=why,
        revision=revision,
        written_at=now,
    )


def _severity(incident: Incident) -> Severity:
    order: tuple[Severity, ...] = ("critical", "high", "medium", "low")
    return min((severity(a) for a in incident.alerts), key=order.index, default="medium")
