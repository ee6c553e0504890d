import datetime as dt
from pathlib import Path

import pytest

from assistant.runbook_index.folders import read_folder
from assistant.runbook_index.lint import lint
from assistant.runbook_index.logql import LogQLError, check_logql

TODAY = dt.date(2026, 11, 23)
FRONT = "alertnames: [Thing]\nservices: [ledger]\nowner: team\nreviewed: 2026-11-01\nseverity: critical"
BODY = """# Thing

## Meaning

What it is.

## Impact

Money.

## Diagnosis

1. Look.

   ```promql
   sum(rate(http_requests_total[5m]))
   ```

## Mitigation

1. Act. Risk: small.

## Escalation

- CONTACT(team)
"""
PAN = "5555" + "5555" + "5555" + "4444"


@pytest.fixture
def problems(tmp_path: Path, redactor):
    def run(body: str = BODY, front: str = FRONT, name: str = "Thing.md", **others: str) -> list[tuple[str, str, int]]:
        for file, text in {name: f"---\n{front}\n---\n{body}", **{f"{k}.md": v for k, v in others.items()}}.items():
            (tmp_path / file).write_text(text, encoding="utf-8")
        found = lint(read_folder(tmp_path), folder=tmp_path, today=TODAY, redactor=redactor)
        return [(p.rule, p.message, p.line) for p in found]

    return run


def test_a_good_runbook_has_no_problem(problems) -> None:
    assert problems() == []


@pytest.mark.parametrize(
    ("rule", "front", "old", "new"),
    [
        ("front-matter", FRONT.replace("owner: team\n", ""), "", ""),
        ("front-matter", "alertnames: [x", "", ""),
        ("severity", FRONT.replace("critical", "urgent"), "", ""),
        ("age", FRONT.replace("2026-11-01", "2025-01-01"), "", ""),
        ("age", FRONT.replace("2026-11-01", "2027-01-01"), "", ""),
        ("age", FRONT.replace("2026-11-01", "last spring"), "", ""),
        ("related", FRONT + "\nrelated: [Nobody]", "", ""),
        ("headings", FRONT, "## Impact", "## Effects"),
        ("headings", FRONT, "Money.", ""),
        ("query", FRONT, "[5m]))", "[5m)"),
        ("query", FRONT, "```promql", "```"),
        ("query", FRONT, "```promql\n   sum(rate(http_requests_total[5m]))", '```logql\n   {app="x"} | json | a ~ 1'),
        ("link", FRONT, "What it is.", "See [other](other.md)."),
        ("link", FRONT, "What it is.", "See [other](../../outside.md)."),
        ("risk", FRONT, "Act. Risk: small.", "Act."),
        ("redaction", FRONT, "What it is.", f"Try card {PAN}."),
    ],
)
def test_each_fault_is_named_by_its_rule(problems, rule: str, front: str, old: str, new: str) -> None:
    assert old in BODY
    found = problems(BODY.replace(old, new, 1) if old else BODY, front)
    assert {r for r, _, _ in found} == {rule}
    assert all(PAN not in message for _, message, _ in found)


def test_headings_in_another_order_are_named(problems) -> None:
    swapped = BODY.replace("## Meaning", "## X").replace("## Impact", "## Meaning").replace("## X", "## Impact")
    assert [r for r, _, _ in problems(swapped)] == ["headings"]


@pytest.mark.parametrize(
    "command",
    [
        "kubectl rollout undo deployment/x",
        "kubectl -n payments delete pod y",
        "helm rollback payments 3",
        "curl -X POST https://x/api",
        "curl --data @body https://x/api",
        "psql -c 'DELETE FROM payments'",
        "systemctl restart connector",
        "kafka-consumer-groups --bootstrap-server b:9092 --group g --reset-offsets --to-latest --execute",
        "redis-cli -h x FLUSHALL",
        "sudo rm -rf /var/log/x",
    ],
)
def test_a_command_that_changes_things_must_be_marked_and_stand_in_mitigation(problems, command: str) -> None:
    fence = f"1. Act. Risk: small.\n\n   ```sh\n   {command}\n   ```\n"
    marked = fence.replace("```sh", "```sh changes")
    assert [r for r, _, _ in problems(BODY.replace("1. Act. Risk: small.\n", fence))] == ["changes"]
    assert problems(BODY.replace("1. Act. Risk: small.\n", marked)) == []
    assert [r for r, _, _ in problems(BODY.replace("1. Look.\n", marked.replace("Act. Risk: small.", "Look.")))] == [
        "changes"
    ]


@pytest.mark.parametrize(
    "command", ["kubectl get pods", "curl -s https://x/health", "kafka-consumer-groups --describe --group g"]
)
def test_a_command_that_reads_needs_no_mark(problems, command: str) -> None:
    assert problems(BODY.replace("1. Look.\n", f"1. Look.\n\n   ```sh\n   {command}\n   ```\n")) == []


@pytest.mark.parametrize(("sql", "changes"), [("SELECT updated_at FROM x;", False), ("UPDATE x SET y = 1;", True)])
def test_sql_that_writes_is_told_from_sql_that_reads(problems, sql: str, changes: bool) -> None:
    found = problems(BODY.replace("1. Look.\n", f"1. Look.\n\n   ```sql\n   {sql}\n   ```\n"))
    assert [r for r, _, _ in found] == (["changes"] if changes else [])


def test_two_runbooks_for_one_alert_are_named(problems) -> None:
    found = problems(Other=f"---\n{FRONT}\n---\n{BODY}")
    assert [(r, m) for r, m, _ in found] == [("duplicate", 'the alert "Thing" already belongs to Other.md')]


def test_a_problem_points_at_its_line(problems) -> None:
    (found,) = problems(BODY.replace("[5m]))", "[5m)"))
    text = f"---\n{FRONT}\n---\n{BODY}".splitlines()
    assert text[found[2] - 1].strip().startswith("sum(rate")


GOOD = [
    '{app="a"}',
    'topk(10, sum by (issuer, rc) (count_over_time({app="p"} | json | rc!="00" [5m])))',
    'quantile_over_time(0.95, {app="p"} | json | unwrap ms [5m]) by (acquirer, scheme)',
    '{app="x", level=~"warn|error"} |~ "(?i)a|b" != "c"',
    'sum(rate({a="b"}[5m])) / sum(rate({a="b"}[5m] offset 1h)) > bool 0.5',
    '{a="b"} |= "x" or "y" | logfmt | (rc="91" or ms > 20) and took > 5s | line_format "{{.rc}}"',
    'sum by (x) (sum_over_time({a="b"} | logfmt | unwrap duration(took) [1m]))',
    '{a="b"} | pattern `<_> <code>` | code >= 500 | drop __error__, pod="x" | label_format c=code, d="{{.x}}"',
    'avg_over_time(({a="b"} | json | unwrap bytes(size))[5m]) without (pod) or vector(0)',
]
BAD = [
    ("{}", 1),
    ('{a=~".*"}', 1),
    ('{a!="x"}', 1),
    ('{app="a"', 9),
    ('rate({a="b"})', 13),
    ('sum_over_time({a="b"}[5m])', 1),
    ('count_over_time({a="b"}[5m]) by (x)', 30),
    ('{a="b"} | json | rc ~ "x"', 21),
    ('{a="b"} |~ "("', 12),
    ('{a="b"} foo', 9),
    ('rate({a="b"}[5x])', 14),
    ('{a="b"} | unwrap x', 11),
    ('topk(sum(rate({a="b"}[1m])))', 6),
    ("", 1),
    ('{a="b"} | regexp "x"', 21),
    ('count_over_time({a="b"} | unwrap x [5m])', 1),
    ('{a="b", a}', 10),
    ('{"a"="b"}', 2),
]


@pytest.mark.parametrize("query", GOOD)
def test_logql_that_loki_takes_parses(query: str) -> None:
    check_logql(query)


@pytest.mark.parametrize(("query", "column"), BAD)
def test_logql_that_loki_refuses_names_the_column(query: str, column: int) -> None:
    with pytest.raises(LogQLError) as raised:
        check_logql(query)
    assert raised.value.column == column
