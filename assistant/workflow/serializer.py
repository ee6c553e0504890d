"""What DBOS writes of ours: JSON through the final scanner, never pickle (pickle can forge a sealed value)."""

from __future__ import annotations

import json
from typing import Any, cast

from assistant.errors import PayopsError, WorkflowError
from redaction import FinalScanner

NAME = "payops_json_1"


class JsonSerializer:
    """DBOS's `Serializer`, by its methods. Values: JSON and tuples (which come back as lists). Errors keep the name
    of their type, and their message only if they are ours: a foreign one may quote telemetry.

    Raises: redaction.LeakBlocked from `serialize`; WorkflowError for what is not JSON.
    """

    def __init__(self, scanner: FinalScanner) -> None:
        self._scanner = scanner

    def name(self) -> str:
        return NAME

    def serialize(self, data: Any) -> str:
        plain = {"error": _error(data)} if isinstance(data, BaseException) else {"value": data}
        try:
            text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        except (TypeError, ValueError):
            raise WorkflowError(f"a {type(data).__name__} is not JSON and cannot be kept by the workflow") from None
        self._scanner.check(text, sink="workflow")
        return text

    def deserialize(self, serialized_data: str) -> Any:
        try:
            plain = json.loads(serialized_data)
            if "error" in plain:
                return Remembered(plain["error"]["type"], plain["error"]["message"])
            return plain["value"]
        except (ValueError, KeyError, TypeError):
            raise WorkflowError("a value of the workflow database is not ours") from None


class Remembered(WorkflowError):
    """An error that a workflow ended with, as it is remembered: the name of its type and perhaps its message."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}" if message else kind)
        self.kind = kind


def _error(error: BaseException) -> dict[str, str]:
    if isinstance(error, Remembered):
        return {"type": error.kind, "message": ""}
    return {"type": type(error).__name__, "message": str(error) if isinstance(error, PayopsError) else ""}


def for_dbos(scanner: FinalScanner) -> Any:
    """The serializer as a subclass of DBOS's own abstract class, which it checks for nowhere but types."""
    from dbos._serialization import Serializer

    return cast(Any, type("PayopsSerializer", (JsonSerializer, Serializer), {}))(scanner)
