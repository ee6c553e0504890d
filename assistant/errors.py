"""Every error that people or callers see, in one tree.

::

    PayopsError
    ├── UsageError              what a person gave cannot be used; the message says how to mend it
    │   ├── SettingsError       payops.toml or the environment
    │   ├── AlertError          an alert payload
    │   └── WorldError          a world folder
    ├── SourceError             a source of telemetry gave nothing; becomes a `Gap`, never stops an investigation
    │   ├── SourceRefused       no connection, or an answer that denies us
    │   │   └── SourceNotAsked  left alone, because it did not answer before: no request was made
    │   ├── SourceTimeout       the deadline passed
    │   ├── SourceTooLarge      a budget of bytes, points, series or lines would be passed
    │   ├── SourceMalformed     the answer is not what the protocol says
    │   └── ForbiddenRequest    outside the read-only list; raised before a socket opens
    ├── ModelError              no usable draft; becomes the deterministic note
    │   ├── ModelUnavailable    refused, rate-limited, 5xx, or timed out
    │   ├── ModelAnswerInvalid  garbage, wrong schema, cut, refused, filtered
    │   ├── ModelOverBudget     tokens, cost, calls or time
    │   │   └── ModelContextTooLong     the model says that the prompt does not fit it
    │   └── ModelBlocked        the last look found a value that must not leave
    ├── PromptLogError
    │   ├── LogUnavailable      a record could not be made durable: nothing may be sent
    │   ├── LogInconsistent     the log contradicts itself or a checkpoint held elsewhere
    │   └── LogKeyMissing       a key that is needed to read or sign is not there
    ├── RunbookIndexError       the index cannot be built or read
    ├── WorkflowError           durable work cannot go on
    ├── OutletError             a note could not be delivered (Slack, file); kept and retried
    └── WritableCredential      a credential of ours could change what it watches; `serve` refuses

Messages never hold text that came from telemetry: an exception may be printed by code that is not ours.
Redaction has its own small tree (`redaction.RedactionError`), because it knows nothing of this package.
"""

from __future__ import annotations

from typing import Any


class PayopsError(Exception):
    """Base of all of them. `mend` is one sentence saying what the reader can do, or empty."""

    exit_code = 1

    def __init__(self, message: str, *, mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.message}; {self.mend}" if self.mend else self.message


class UsageError(PayopsError):
    exit_code = 2


class SettingsError(UsageError):
    """`also`: what else is wrong in the same file, for those who list all of it."""

    also: tuple[SettingsError, ...] = ()


class AlertError(UsageError):
    pass


class WorldError(UsageError):
    pass


class SourceError(PayopsError):
    """`source` names the source as configuration does: prometheus, alertmanager, loki, changes."""

    def __init__(self, source: str, message: str, *, mend: str = "") -> None:
        super().__init__(message, mend=mend)
        self.source = source


class SourceRefused(SourceError):
    pass


class SourceNotAsked(SourceRefused):
    pass


class SourceTimeout(SourceError):
    pass


class SourceTooLarge(SourceError):
    pass


class SourceMalformed(SourceError):
    pass


class ForbiddenRequest(SourceError):
    pass


class ModelError(PayopsError):
    """`spent` is what asking took until then (`assistant.core.draft.ModelUse`), None where nothing was asked."""

    spent: Any = None


class ModelUnavailable(ModelError):
    pass


class ModelAnswerInvalid(ModelError):
    pass


class ModelOverBudget(ModelError):
    pass


class ModelContextTooLong(ModelOverBudget):
    pass


class ModelBlocked(ModelError):
    pass


class PromptLogError(PayopsError):
    pass


class LogUnavailable(PromptLogError):
    pass


class LogInconsistent(PromptLogError):
    pass


class LogKeyMissing(PromptLogError):
    pass


class RunbookIndexError(PayopsError):
    pass


class WorkflowError(PayopsError):
    pass


class OutletError(PayopsError):
    pass


class WritableCredential(PayopsError):
    pass
