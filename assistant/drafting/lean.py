"""What the libraries of a question try to import and work without, left out of a command that answers once and ends.

`openai` looks for `aiohttp` (a transport that we do not use), `langsmith` for OpenTelemetry and `zstandard` (tracing,
which is off), `bm25s` for `scipy` (its other way to build the same matrix) and `tqdm` (progress bars), `httpx` for
`click` and `pygments` (its own command line), `requests` for a guesser of character sets (we read bytes). Each is
optional to them: where it is absent they go on. Together they are a fifth of the memory of a `payops ask`. `serve`
imports them all: it pays once.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

OPTIONAL = (
    "aiohttp", "opentelemetry", "zstandard", "scipy", "tqdm", "click", "pygments", "chardet", "charset_normalizer",
)  # fmt: skip


@contextmanager
def lean() -> Iterator[None]:
    """Until its end, none of `OPTIONAL` that is not imported yet can be imported: to the importer it is not installed.

    For a process that does one thing; a thread that needs one of them meanwhile would be told that it is absent.
    """
    modules: dict[str, Any] = sys.modules  # None there means "not found": see the reference of `import`
    hidden = [name for name in OPTIONAL if name not in modules]
    warnings.filterwarnings("ignore", message="Unable to find acceptable character detection")
    for name in hidden:
        modules[name] = None
    try:
        yield
    finally:
        for name in hidden:
            modules.pop(name, None)
