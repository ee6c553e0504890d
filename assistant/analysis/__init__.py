"""The analyst: what changed, where, since when, what it costs and why, worked out by statistics before any model.

Everything here is a pure function over values of `assistant.core`; no query is made in this room. `plan` says what to
ask for before there is data, `analyse` reads the answers.
"""

from assistant.analysis.analyst import Analysis, analyse

__all__ = ["Analysis", "analyse"]
