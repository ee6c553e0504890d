"""What an alert's own expression speaks of: its selectors, its thresholds, the labels it groups by.

`promql-parser` is native code that ends the process on very long or deep input, so that size and nesting are checked
before it sees any. What it cannot parse (`holt_winters`, functions newer than it) is a SourceMalformed: a gap.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from assistant.core.query import Increase, Matcher, Max, Op, Quantile, Query, Rate, Ratio, Select, Sum, TopK
from assistant.errors import SourceMalformed

MAX_BYTES = 4096
MAX_NESTING = 64
MAX_TERMS = 256
NAME = "__name__"
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}
_OPS: Mapping[str, Op] = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}


@dataclass(frozen=True, slots=True)
class Threshold:
    """The condition fires where `value_of_expression op value`."""

    op: str
    value: float


@dataclass(frozen=True, slots=True)
class Expression:
    """`query` is what stands left of the threshold, where the algebra has it; else None."""

    selects: tuple[Select, ...]
    thresholds: tuple[Threshold, ...]
    labels: tuple[str, ...]
    query: Query | None = None


def metrics_of(expr: str) -> tuple[Select, ...]:
    """The selectors of an expression, in order, each once. Raises SourceMalformed."""
    return expression_of(expr).selects


def expression_of(expr: str) -> Expression:
    """Read an expression. Raises SourceMalformed for what is too long, too deep, or not understood."""
    tree = parsed(expr)
    nodes = tuple(nodes_of(tree))
    selects = dict.fromkeys(select_of(n) for n in nodes if _kind(n) == "VectorSelector")
    labels = dict.fromkeys(name for n in nodes for name in _grouping(n))
    thresholds = tuple(t for n in nodes if (t := _threshold(n)) is not None)
    return Expression(tuple(selects), thresholds, tuple(labels), _query(_left_of_threshold(tree)))


def parsed(expr: str) -> Any:
    """The syntax tree of promql-parser, the guard first."""
    _guard(expr)
    import promql_parser

    try:
        return promql_parser.parse(expr)
    except ValueError:
        raise SourceMalformed("prometheus", "an expression could not be parsed", mend="check its syntax") from None


def _guard(expr: str) -> None:
    depth = deepest = terms = 0
    for c in expr:
        if c in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif c in ")]}":
            depth -= 1
        elif c in "+-*/%^<>=!":
            terms += 1
    words = expr.split()
    terms += sum(words.count(w) for w in ("and", "or", "unless", "atan2"))
    if len(expr.encode(errors="surrogatepass")) > MAX_BYTES or deepest > MAX_NESTING or terms > MAX_TERMS:
        limit = f"{MAX_BYTES} bytes, {MAX_NESTING} brackets deep, {MAX_TERMS} operators"
        raise SourceMalformed("prometheus", f"an alert's expression is over {limit}", mend="split the rule")


def nodes_of(tree: Any) -> Iterator[Any]:
    stack = [tree]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(_children(node)))


def _children(node: Any) -> list[Any]:
    match _kind(node):
        case "BinaryExpr":
            return [node.lhs, node.rhs]
        case "AggregateExpr" | "SubqueryExpr" | "ParenExpr" | "UnaryExpr":
            return [node.expr]
        case "Call":
            return list(node.args)
        case "MatrixSelector":
            return [node.vector_selector]
        case _:
            return []


def select_of(node: Any) -> Select:
    matchers = tuple(Matcher(m.name, _OPS[_enum(m.op)], m.value) for m in node.matchers.matchers)
    named = [m.value for m in matchers if m.label == NAME and m.op == "="]
    if node.name or named:
        return Select(node.name or named[0], tuple(m for m in matchers if m.label != NAME))
    return Select("", matchers)


def _grouping(node: Any) -> tuple[str, ...]:
    modifier = getattr(node, "modifier", None)
    if _kind(node) == "AggregateExpr" and modifier is not None and _enum(modifier.type) == "By":
        return tuple(modifier.labels)
    return ()


def _threshold(node: Any) -> Threshold | None:
    op = _op(node)
    if op not in _FLIPPED:
        return None
    if (right := _number(node.rhs)) is not None:
        return Threshold(op, right)
    left = _number(node.lhs)
    return None if left is None else Threshold(_FLIPPED[op], left)


def _left_of_threshold(tree: Any) -> Any:
    """The measured side of the outermost comparison; of `and` and `unless` the first operand is what is measured."""
    while True:
        if _kind(tree) == "ParenExpr":
            tree = tree.expr
        elif _op(tree) in ("and", "unless"):
            tree = tree.lhs
        elif _op(tree) in _FLIPPED:
            tree = tree.rhs if _number(tree.lhs) is not None else tree.lhs
        else:
            return tree


def _number(node: Any) -> float | None:
    match _kind(node):
        case "NumberLiteral":
            return float(node.val)
        case "ParenExpr":
            return _number(node.expr)
        case "UnaryExpr":
            inner = _number(node.expr)
            return None if inner is None else -inner
        case _:
            return None


def _query(node: Any) -> Query | None:
    match _kind(node):
        case "ParenExpr":
            return _query(node.expr)
        case "VectorSelector" if node.offset is None and node.at is None:
            return select_of(node)
        case "Call":
            return _call(node)
        case "AggregateExpr":
            return _aggregate(node)
        case "BinaryExpr" if _op(node) == "/" and node.modifier is None:
            part, whole = _query(node.lhs), _query(node.rhs)
            return None if part is None or whole is None else Ratio(part, whole)
        case _:
            return None


def _call(node: Any) -> Query | None:
    name, args = node.func.name, list(node.args)
    if name in ("rate", "increase") and _kind(args[0]) == "MatrixSelector":
        of, seconds = _query(args[0].vector_selector), int(args[0].range.total_seconds())
        if isinstance(of, Select) and seconds:
            return Rate(of, seconds) if name == "rate" else Increase(of, seconds)
    if name == "histogram_quantile" and (q := _number(args[0])) is not None:
        match _query(args[1]):
            case Sum(of=Rate(of=bucket, seconds=seconds), by=by) if "le" in by:
                return Quantile(q, bucket, seconds, tuple(n for n in by if n != "le"))
    return None


def _aggregate(node: Any) -> Query | None:
    of = _query(node.expr)
    if of is None or (node.modifier is not None and _enum(node.modifier.type) != "By"):
        return None
    match str(node.op):
        case "sum":
            return Sum(of, _grouping(node))
        case "max":
            return Max(of, _grouping(node))
        case "topk" if (k := _number(node.param)) is not None and k >= 1 and not _grouping(node):
            return TopK(int(k), of)
        case _:
            return None


def _op(node: Any) -> str:
    return str(node.op) if _kind(node) == "BinaryExpr" else ""


def _enum(value: Any) -> str:
    return str(value).rpartition(".")[2]


def _kind(node: Any) -> str:
    return type(node).__name__
