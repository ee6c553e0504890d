"""A strict parser of LogQL, for linting queries in runbooks: it takes what Loki's grammar has, and names what is off.

Source: Loki's grammar (`pkg/logql/syntax/expr.y`, 3.x) without variants and comments. Where Loki checks more than
grammar (a matcher that could match everything, regular expressions, `unwrap` where an aggregation needs numbers), this
does too. It answers with nothing: a query parses or raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"(?:\\.|[^"\\\n])*"|`[^`]*`)
    | (?P<duration>(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|[smhdwy]))+(?![A-Za-z0-9_]))
    | (?P<bytes>\d+(?:\.\d+)?(?:[kKMGTP]i?)?B(?![A-Za-z0-9_]))
    | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<flag>--[a-z-]+)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<op>\|=|\|~|\|>|!=|!~|!>|=~|==|>=|<=|[{}()\[\],=<>|+\-*/%^])
    )""",
    re.VERBOSE,
)
VECTOR = {"sum", "avg", "min", "max", "count", "stddev", "stdvar", "sort", "sort_desc"}
VECTOR_WITH_K = {"topk", "bottomk", "approx_topk"}
RANGE = {"rate", "count_over_time", "bytes_rate", "bytes_over_time", "absent_over_time"}
RANGE_UNWRAPPED = {
    *("sum_over_time", "avg_over_time", "max_over_time", "min_over_time", "first_over_time", "last_over_time"),
    *("stdvar_over_time", "stddev_over_time", "quantile_over_time", "rate_counter"),
}
GROUPABLE = {"avg_over_time", "max_over_time", "min_over_time", "first_over_time", "last_over_time"} | {
    *("stdvar_over_time", "stddev_over_time", "quantile_over_time"),
}
LINE_FILTERS = {"|=", "|~", "!=", "!~", "|>", "!>"}
COMPARE = {"==", "!=", ">", ">=", "<", "<="}
BINARY = COMPARE | {"+", "-", "*", "/", "%", "^"}
SET_WORDS = {"and", "or", "unless"}
CONVERSIONS = {"duration", "duration_seconds", "bytes"}


class LogQLError(ValueError):
    """Where and why a query does not parse; `column` counts from 1 in the query's text."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"column {column}: {message}")
        self.column = column


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int


def check_logql(query: str) -> None:
    """Return if `query` is a log or metric query that Loki would take. Raises LogQLError."""
    _Parser(_tokens(query)).whole()


def _tokens(query: str) -> list[_Token]:
    found, at = [], 0
    while query[at:].strip():
        match = TOKEN.match(query, at)
        if not match or match.lastgroup is None:
            column = at + len(query[at:]) - len(query[at:].lstrip()) + 1
            raise LogQLError(f"unexpected {query[column - 1]!r}", column)
        found.append(_Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup) + 1))
        at = match.end()
    return [*found, _Token("end", "the end", len(query) + 1)]


class _Parser:
    """Recursive descent, one method a grammar rule; each consumes its tokens or raises."""

    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens, self.at = tokens, 0

    @property
    def next(self) -> _Token:
        return self.tokens[self.at]

    def take(self) -> _Token:
        token = self.next
        self.at += 1
        return token

    def sees(self, *texts: str) -> bool:
        return self.next.kind not in {"string", "end"} and self.next.text in texts

    def accept(self, *texts: str) -> bool:
        if self.sees(*texts):
            self.at += 1
            return True
        return False

    def expect(self, *texts: str) -> _Token:
        if not self.sees(*texts):
            raise self.wrong(" or ".join(repr(t) for t in texts))
        return self.take()

    def expect_kind(self, *kinds: str) -> _Token:
        if self.next.kind not in kinds:
            raise self.wrong(" or ".join(kinds))
        return self.take()

    def wrong(self, wanted: str) -> LogQLError:
        return LogQLError(f"wanted {wanted}, found {self.next.text!r}", self.next.column)

    def whole(self) -> None:
        if self.sees("{"):
            self.selector()
            self.pipeline()
        else:
            self.metric()
        if self.next.kind != "end":
            raise self.wrong("the end of the query")

    def metric(self) -> None:
        self.operand()
        while self.sees(*BINARY) or self.sees(*SET_WORDS):
            self.take()
            self.accept("bool")
            if self.accept("on", "ignoring"):
                self.labels()
                if self.accept("group_left", "group_right") and self.sees("("):
                    self.labels()
            self.operand()

    def operand(self) -> None:
        self.accept("-", "+")
        if self.next.kind == "number":
            self.take()
        elif self.accept("("):
            self.metric()
            self.expect(")")
        elif self.next.text in VECTOR | VECTOR_WITH_K:
            self.vector_aggregation()
        elif self.next.text in RANGE | RANGE_UNWRAPPED:
            self.range_aggregation()
        elif self.accept("vector"):
            self.expect("(")
            self.expect_kind("number")
            self.expect(")")
        else:
            raise self.wrong("a selector, a number or an aggregation")

    def vector_aggregation(self) -> None:
        name = self.take().text
        grouped = self.grouping()
        self.expect("(")
        if name in VECTOR_WITH_K:
            self.expect_kind("number")
            self.expect(",")
        self.metric()
        self.expect(")")
        if not grouped:
            self.grouping()

    def grouping(self) -> bool:
        if not self.accept("by", "without"):
            return False
        self.labels()
        return True

    def labels(self) -> None:
        self.expect("(")
        while not self.sees(")"):
            self.expect_kind("word")
            if not self.accept(","):
                break
        self.expect(")")

    def range_aggregation(self) -> None:
        name, column = self.next.text, self.take().column
        self.expect("(")
        if name == "quantile_over_time":
            self.expect_kind("number")
            self.expect(",")
        unwrapped = self.log_range()
        self.expect(")")
        if name in RANGE_UNWRAPPED and not unwrapped:
            raise LogQLError(f"{name} needs `| unwrap label`", column)
        if unwrapped and name not in RANGE_UNWRAPPED | {"rate"}:
            raise LogQLError(f"{name} does not take `| unwrap`", column)
        if self.sees("by", "without") and name not in GROUPABLE:
            raise LogQLError(f"{name} takes no grouping; put `sum by (…)` around it", self.next.column)
        self.grouping()

    def log_range(self) -> bool:
        """A selector, its pipeline and its `[range]`, in either order; whether a value is unwrapped."""
        bracketed = self.accept("(")
        self.selector()
        ranged = self.range_if_any()
        unwrapped = self.pipeline(in_range=True)
        ranged = ranged or self.range_if_any()
        if bracketed:
            self.expect(")")
            ranged = ranged or self.range_if_any()
        if not ranged:
            raise self.wrong("a range such as '[5m]'")
        if self.accept("offset"):
            self.accept("-")
            self.expect_kind("duration")
        return unwrapped

    def range_if_any(self) -> bool:
        if not self.accept("["):
            return False
        self.expect_kind("duration")
        self.expect("]")
        return True

    def selector(self) -> None:
        column = self.expect("{").column
        selective = False
        while not self.sees("}"):
            self.expect_kind("word")
            op = self.expect("=", "!=", "=~", "!~").text
            value = self.text(regex=op in {"=~", "!~"})
            selective |= (op == "=" and value != "") or (op == "=~" and not re.fullmatch(value, ""))
            if not self.accept(","):
                break
        self.expect("}")
        if not selective:
            raise LogQLError("a selector needs a matcher that does not match the empty value", column)

    def pipeline(self, *, in_range: bool = False) -> bool:
        """Stages to the end; whether one of them is `unwrap`."""
        unwrapped = False
        while True:
            if self.sees(*LINE_FILTERS):
                self.line_filter()
            elif self.accept("|"):
                if self.sees("unwrap"):
                    if not in_range:
                        raise self.wrong("no `unwrap` outside an aggregation")
                    self.unwrap()
                    unwrapped = True
                else:
                    self.stage()
            else:
                return unwrapped

    def line_filter(self) -> None:
        op = self.take().text
        while True:
            if self.accept("ip"):
                self.expect("(")
                self.text()
                self.expect(")")
            else:
                self.text(regex=op in {"|~", "!~"})
            if not self.accept("or"):
                return

    def stage(self) -> None:
        if self.accept("json", "logfmt"):
            while self.next.kind == "flag":
                self.take()
            if self.next.kind == "word" and not self.sees("or", "and"):
                self.extractions()
        elif self.accept("regexp"):
            if "(?P<" not in self.text(regex=True):
                raise self.wrong("a named group in the regexp before")
        elif self.accept("pattern", "line_format"):
            self.text()
        elif self.accept("unpack", "decolorize"):
            return
        elif self.accept("label_format"):
            self.formats()
        elif self.accept("drop", "keep"):
            self.kept()
        else:
            self.label_filter()

    def extractions(self) -> None:
        while True:
            self.expect_kind("word")
            if self.accept("="):
                self.text()
            if not self.accept(","):
                return

    def formats(self) -> None:
        while True:
            self.expect_kind("word")
            self.expect("=")
            self.expect_kind("word", "string")
            if not self.accept(","):
                return

    def kept(self) -> None:
        while True:
            self.expect_kind("word")
            if self.sees("=", "!=", "=~", "!~"):
                self.text(regex=self.take().text in {"=~", "!~"})
            if not self.accept(","):
                return

    def unwrap(self) -> None:
        self.expect("unwrap")
        conversion = self.expect_kind("word").text
        if self.accept("("):
            if conversion not in CONVERSIONS:
                raise self.wrong(f"one of {', '.join(sorted(CONVERSIONS))} before '('")
            self.expect_kind("word")
            self.expect(")")

    def label_filter(self) -> None:
        self.one_label_filter()
        while self.sees("and", "or", ","):
            self.take()
            self.one_label_filter()

    def one_label_filter(self) -> None:
        if self.accept("("):
            self.label_filter()
            self.expect(")")
            return
        self.expect_kind("word")
        op = self.expect("=", "=~", "!~", *COMPARE).text
        if op in {"=~", "!~"}:
            self.text(regex=True)
        elif op == "=" or (op == "!=" and self.next.kind == "string"):
            if self.accept("ip"):
                self.expect("(")
                self.text()
                self.expect(")")
            elif self.next.kind in {"number", "duration", "bytes"}:
                self.take()
            else:
                self.text()
        else:
            self.accept("-")
            self.expect_kind("number", "duration", "bytes")

    def text(self, *, regex: bool = False) -> str:
        token = self.expect_kind("string")
        value = token.text[1:-1]
        if token.text[0] == '"':
            value = re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), value)
        if regex:
            try:
                re.compile(value)
            except re.error as error:
                raise LogQLError(f"not a regular expression: {error.msg}", token.column) from None
        return value
