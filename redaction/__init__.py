"""Redaction: text in, `RedactedText` out; knows nothing of incidents, and imports nothing of ours.

    from redaction import Redactor
    Redactor.default().redact("card 4111111111111111 declined").text   # card <PAN_1 visa 411111> declined

`Redactor` removes card data, authentication data, personal data and secrets from text, structures, labels and bytes,
by a `Policy`. `FinalScanner` is the independent last look at bytes that are about to leave. `RedactedText` is what
only these two make.
"""

from redaction.errors import LeakBlocked, RedactionError
from redaction.findings import CardholderFinding
from redaction.policy import Policy
from redaction.redactor import Redactor
from redaction.scanner import FinalScanner
from redaction.text import RedactedText, RedactedValue, Span

__all__ = [
    "CardholderFinding",
    "FinalScanner",
    "LeakBlocked",
    "Policy",
    "RedactedText",
    "RedactedValue",
    "RedactionError",
    "Redactor",
    "Span",
]
