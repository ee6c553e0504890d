"""Where telemetry is read: Prometheus, Alertmanager, Loki, change events, and recorded worlds. Read-only, redacting.

Raw text lives inside one call of an adapter here and nowhere else. Every error raised is a `SourceError` (a `Gap` in
the note) or, for what a person handed over, a `UsageError` with one line and its mend.
"""
