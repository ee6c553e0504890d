"""The model's libraries are imported beside the collecting, and tracing is off before the first of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

CODE = """
import json, os, sys
from assistant.drafting.model import load_beside, load_libraries
before = [name for name in sys.modules if name.partition(".")[0] in ("langchain", "langchain_core", "langsmith")]
load_beside()
load_libraries()
from langchain.agents import create_agent
from langsmith.utils import tracing_is_enabled
print(json.dumps([before, os.environ["LANGSMITH_TRACING"], bool(tracing_is_enabled()), callable(create_agent)]))
"""


def test_the_libraries_come_in_a_thread_with_tracing_off() -> None:
    told = {**os.environ, "LANGSMITH_TRACING": "true", "LANGCHAIN_TRACING_V2": "true", "LANGSMITH_API_KEY": "lsv2_x"}
    ran = subprocess.run([sys.executable, "-c", CODE], env=told, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == [[], "false", False, True]
