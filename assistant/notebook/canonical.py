"""Canonical JSON: keys sorted, no spaces; equal values have equal text."""

from __future__ import annotations

import json


def dump(value: object) -> str:
    """Raises ValueError for NaN and infinity, TypeError for what is not JSON."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
