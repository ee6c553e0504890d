"""No question, label, window or runbook, however made, produces a query over budget or outside its grammar."""

from __future__ import annotations

import math
from typing import Any

import promql_parser
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from assistant.core.query import Increase, Matcher, Max, Quantile, Query, Rate, Ratio, Select, Sum, TopK
from assistant.core.time import Instant, Window
from assistant.errors import SourceError, SourceMalformed, SourceTooLarge
from assistant.settings import Endpoint, LokiEndpoint
from assistant.sources import log_budget
from assistant.sources.logql import search_text
from assistant.sources.metric_budget import MAX_QUERY, affordable, bounded, held, held_expression, reach_of, selects_of
from assistant.sources.promql import narrowed, quote, re2_escape, render
from assistant.sources.promql_parse import MAX_BYTES, expression_of, metrics_of, parsed

LIMITS = Endpoint(url="http://x")
LOKI = LokiEndpoint(url="http://x")
TEXT = st.text(max_size=60)
USUAL = st.sampled_from(["auth_total", "issuer", "le", "scheme"])
NAMES = st.one_of(USUAL, st.sampled_from(["a:b", "", "__name__"]), TEXT)
SECONDS = st.one_of(st.integers(-10, 10**7), st.sampled_from([60, 300, 3600]))


def matchers(names: st.SearchStrategy[str]) -> st.SearchStrategy[Matcher]:
    regexes = st.one_of(st.just(".+"), TEXT.map(re2_escape))
    return st.one_of(
        st.builds(Matcher, names, st.sampled_from(["=", "!="]), TEXT),
        st.builds(Matcher, names, st.sampled_from(["=~", "!~"]), regexes),
    )


def queries(names: st.SearchStrategy[str], seconds: st.SearchStrategy[int]) -> st.SearchStrategy[Query]:
    selects = st.builds(Select, names, st.lists(matchers(names), max_size=2).map(tuple))
    by = st.lists(names, max_size=2).map(tuple)

    def grow(inner: st.SearchStrategy[Query]) -> st.SearchStrategy[Query]:
        return st.one_of(st.builds(Sum, inner, by), st.builds(Max, inner, by), st.builds(Ratio, inner, inner))

    base = st.one_of(
        selects,
        st.builds(Rate, selects, seconds),
        st.builds(Increase, selects, seconds),
        st.builds(Quantile, st.floats(0, 1), selects, seconds, by),
    )
    whole = st.recursive(base, grow, max_leaves=4)
    return st.one_of(whole, st.builds(TopK, st.integers(1, 3000), whole))


QUERIES = st.one_of(
    queries(USUAL, st.sampled_from([60, 300, 3600])),
    queries(NAMES, SECONDS),
    st.builds(TopK, st.integers(-2, 2), queries(USUAL, SECONDS)),
    st.builds(Select, NAMES, st.tuples(st.builds(Matcher, USUAL, st.just(") or ("), TEXT))),
)
MATCHERS = matchers(NAMES)
WINDOWS = st.tuples(st.floats(0, 2e9), st.one_of(st.floats(0.001, 1e8), st.floats(60, 86400))).map(
    lambda x: Window(Instant(x[0]), Instant(x[0] + x[1]))
)
STEPS = st.one_of(st.floats(), st.floats(0.01, 600), st.sampled_from([0.0, -1.0, 1e-12, 15.0, 60.0]))


def selectors(tree: Any) -> list[Any]:
    found: list[Any] = []

    def visit(node: Any) -> None:
        if type(node).__name__ == "VectorSelector":
            found.append(node)

    promql_parser.walk(tree, visit)
    return found


@settings(max_examples=400)
@given(QUERIES, WINDOWS, STEPS)
def test_whatever_is_asked_stays_in_range_points_and_grammar(query: Query, window: Window, step: float) -> None:
    try:
        held(query, window, LIMITS)
        request = bounded(render(query), window, step, LIMITS)
    except SourceError:
        return
    event("asked")
    assert request.points <= LIMITS.max_points
    assert (
        request.end - request.start <= LIMITS.max_range_s and window.start <= request.start <= request.end < window.end
    )
    assert reach_of(query) <= LIMITS.max_range_s
    assert len(request.promql.encode()) <= MAX_QUERY
    tree = promql_parser.parse(request.promql)
    found = selectors(tree)
    for node in found:  # nothing that reads everything, and nothing that was not a selector of the query
        named = node.name or any(str(m.op) == "MatchOp.Equal" and m.value for m in node.matchers.matchers)
        assert named
    assert {n.name or "" for n in found} == {s.metric for s in selects_of(query)}


@given(TEXT, TEXT)
def test_a_label_value_can_only_be_a_label_value(value: str, other: str) -> None:
    query = Sum(Rate(Select("a", (Matcher("x", "=", value), Matcher("y", "!=", other))), 300), ("z",))
    (node,) = selectors(promql_parser.parse(render(query)))
    clean = {m.name: m.value for m in node.matchers.matchers}
    if not any(0xD800 <= ord(c) <= 0xDFFF for c in value + other):
        assert clean == {"x": value, "y": other}


@given(st.dictionaries(st.sampled_from(["issuer", "scheme"]), st.sets(st.text(max_size=12), min_size=1, max_size=4)))
def test_narrowing_adds_matchers_and_nothing_else(values: dict[str, set[str]]) -> None:
    whole = Ratio(Sum(Rate(Select("a"), 60), ("issuer", "scheme")), Sum(Rate(Select("b"), 60), ("issuer",)))
    close = narrowed(whole, values)
    promql_parser.parse(render(close))
    assert [s.metric for s in selects_of(close)] == ["a", "b"]
    part, other = (next(s for s in selects_of(close) if s.metric == name) for name in ("a", "b"))
    assert {m.label for m in part.matchers} == set(values)
    assert {m.label for m in other.matchers} == set(values) & {"issuer"}


@given(st.floats(0, 1e9), st.floats(0, 1e7))
def test_what_is_affordable_is_within_series_and_samples(series: float, seconds: float) -> None:
    try:
        affordable(series, seconds, LIMITS)
    except SourceTooLarge:
        return
    assert series <= LIMITS.max_series * 50 and series * seconds / 15 <= 20_000_000


PIECES = ["sum(", "rate(", "a", "b{x='1'}", "[5m]", "[90d]", "[1h:1s]", ")", " + ", " by (x) ", "@ 0", "offset 1y"]
PIECES += ["{", "}", "topk(3,", ">", "1", '{__name__=~".+"}']
EXPRESSIONS = st.one_of(
    TEXT,
    st.lists(
        st.sampled_from(PIECES),
        max_size=12,
    ).map("".join),
)  # fmt: skip


@settings(max_examples=300)
@given(EXPRESSIONS)
def test_free_promql_is_refused_or_within_bounds(expr: str) -> None:
    try:
        selects, reach = held_expression(expr, LIMITS)
    except (SourceMalformed, SourceTooLarge):
        return
    assert selects and all(s.metric for s in selects) and reach <= LIMITS.max_range_s


@settings(max_examples=300)
@given(st.lists(MATCHERS, max_size=3), st.lists(TEXT, max_size=5), WINDOWS, st.integers(-5, 10**9))
def test_whatever_is_searched_selects_and_is_bounded(
    selector: list[Matcher], words: list[str], window: Window, limit: int
) -> None:
    try:
        request = log_budget.bounded(selector, words, window, limit, limits=LOKI)
    except SourceError:
        return
    assert 1 <= request.limit <= LOKI.max_lines
    assert request.end - request.start <= (LOKI.max_range_s + 1) * 1e9
    assert any(m.op in ("=", "=~") and m.value for m in selector)
    assert request.query.count("{") >= 1 and len(request.query.encode()) <= log_budget.MAX_QUERY
    parts = log_budget.slices(request, 1000)
    assert sum(p.limit for p in parts) <= max(request.limit, len(parts))
    assert parts[0].start == request.start and parts[-1].end == request.end


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=4))
def test_words_are_words_whatever_they_hold(words: list[str]) -> None:
    query = search_text((Matcher("app", "=", "a"),), words)
    head, _, tail = query.partition(' |~ "')
    assert head == '{app="a"}' and tail.endswith('"')
    assert not _ends_early(tail[:-1])


def _ends_early(inside: str) -> bool:
    """Whether a quote ends the literal before its end."""
    i = 0
    while i < len(inside):
        if inside[i] == "\\":
            i += 2
        elif inside[i] in '"\n':
            return True
        else:
            i += 1
    return False


@given(st.text())
def test_a_literal_is_one_literal(text: str) -> None:
    assert not _ends_early(quote(text)[1:-1])


RULES: dict[str, tuple[tuple[str, ...], list[tuple[str, float]], tuple[str, ...]]] = {
    'sum by (issuer) (rate(a_total{x="1"}[5m])) / sum by (issuer) (rate(b_total[5m])) < 0.9': (
        ("a_total", "b_total"),
        [("<", 0.9)],
        ("issuer",),
    ),
    "0.5 >= histogram_quantile(0.95, sum by (le, svc) (rate(x_bucket[5m])))": (
        ("x_bucket",),
        [("<=", 0.5)],
        ("le", "svc"),
    ),
    "queue_depth > 100 and on (queue) queue_age > 60": (("queue_depth", "queue_age"), [(">", 100.0), (">", 60.0)], ()),
    "absent(up{job='x'})": (("up",), [], ()),
    "predict_linear(disk[1h], 3600) < -(-0)": (("disk",), [("<", 0.0)], ()),
    "a unless b": (("a", "b"), [], ()),
    "max_over_time(rate(a[5m])[30m:1m]) > 1e3": (("a",), [(">", 1000.0)], ()),
}


@pytest.mark.parametrize("expr", RULES)
def test_an_alerts_expression_is_read(expr: str) -> None:
    metrics, thresholds, labels = RULES[expr]
    found = expression_of(expr)
    assert tuple(s.metric for s in found.selects) == metrics
    assert [(t.op, t.value) for t in found.thresholds] == thresholds and found.labels == labels


MEASURED: dict[str, Query | None] = {
    "rate(a[5m]) > 1": Rate(Select("a"), 300),
    "increase(a{x='1'}[1h])": Increase(Select("a", (Matcher("x", "=", "1"),)), 3600),
    "(sum(rate(a[1m])) / sum(rate(b[1m]))) < 0.5": Ratio(Sum(Rate(Select("a"), 60)), Sum(Rate(Select("b"), 60))),
    "histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m]))) > 1": Quantile(0.9, Select("x_bucket"), 300),
    "topk(3, max by (q) (depth)) > 5": TopK(3, Max(Select("depth"), ("q",))),
    "a > 1 and b > 2": Select("a"),
    '{__name__="a", x!="1"} == 0': Select("a", (Matcher("x", "!=", "1"),)),
    "a offset 1d > 1": None,
    "avg(a) > 1": None,
    "a / on (x) b > 1": None,
    "sum without (x) (a) > 1": None,
}


@pytest.mark.parametrize("expr", MEASURED)
def test_the_measured_side_is_a_query_of_the_algebra_where_it_has_one(expr: str) -> None:
    assert expression_of(expr).query == MEASURED[expr]


@given(QUERIES)
def test_what_we_render_we_read_back(query: Query) -> None:
    try:
        text = render(query)
        found = expression_of(text)
    except SourceMalformed:
        return
    assert {s.metric for s in found.selects} == {s.metric for s in selects_of(query)} or len(text) > MAX_BYTES


TOO_MUCH = {
    "eight thousand terms": "a" + "+a" * 8000,
    "words as operators": "a" + " or a" * 700,
    "brackets": "(" * 65 + "a" + ")" * 65,
    "four kilobytes": 'a{x="' + "y" * MAX_BYTES + '"}',
    "a function it does not know": "holt_winters(a[5m], 0.5, 0.5)",
    "cut": "sum(rate(a[5m]",
    "nothing": "",
    "a surrogate": 'a{x="\ud800"}',
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_what_would_end_the_process_or_cannot_be_parsed_is_a_gap(what: str) -> None:
    with pytest.raises(SourceMalformed) as caught:
        metrics_of(TOO_MUCH[what])
    assert caught.value.mend and len(str(caught.value)) < 200


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=300), st.text(alphabet="a+-(){}[]=~\"'5m,:@ ", max_size=4000)))
def test_no_text_ends_the_process(text: str) -> None:
    try:
        parsed(text)
    except SourceMalformed:
        return


def test_a_step_is_raised_in_multiples_of_what_was_asked() -> None:
    request = bounded("a", Window(Instant(0.0), Instant(86400.0)), 1.0, LIMITS)
    assert request.step == 15.0 and request.points == 5760
    assert math.isclose(request.end, 86385.0)
