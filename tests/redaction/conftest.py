"""One default redactor for the tests that only read from it; making one compiles the rules."""

from __future__ import annotations

import pytest

from redaction import Redactor


@pytest.fixture(scope="session")
def redactor() -> Redactor:
    return Redactor.default()
