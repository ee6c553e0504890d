"""A question leaves out what its libraries can do without, and loses nothing by it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from assistant.drafting.lean import OPTIONAL

_LIBRARIES = """
import json, sys
from contextlib import nullcontext
from assistant.drafting.lean import OPTIONAL, lean
from assistant.runbook_index.lexical import Lexical
with (lean() if sys.argv[1] == "lean" else nullcontext()):
    import langchain.agents, langchain_openai, requests
    texts = [("issuer away", "an issuer answers 91 for its cards"), ("deploy", "a deploy broke the gateway")]
    scores = [float(s) for s in Lexical(texts).scores("which issuer answers 91")]
there = [name for name in OPTIONAL if sys.modules.get(name) is not None]
import aiohttp
print(json.dumps({"there": there, "scores": scores, "after": aiohttp.__name__}))
"""


def _in_process(how: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-W", "error::Warning:requests", "-c", _LIBRARIES, how],
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    return dict(json.loads(done.stdout))


def test_what_is_optional_stays_out_and_the_ranking_is_the_same() -> None:
    pytest.importorskip("aiohttp")
    slim, whole = _in_process("lean"), _in_process("whole")
    assert slim["there"] == []
    assert {"aiohttp", "scipy"} <= set(whole["there"]) <= set(OPTIONAL)
    assert slim["scores"] == pytest.approx(whole["scores"])
    assert slim["after"] == "aiohttp"
