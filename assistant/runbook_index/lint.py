"""What `payops runbooks lint` finds in a folder: each problem with its file, line, rule and what to do.

The rules hold for the shipped runbooks and for a team's own folder alike. Nothing is run and no link is requested: a
query is parsed, a relative link is looked up in the folder.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assistant.errors import RunbookIndexError
from assistant.runbook_index.document import Fence, Runbook, Section, parse_runbook
from assistant.runbook_index.folders import RawFile, Skipped
from assistant.runbook_index.library import Redacts
from assistant.runbook_index.logql import LogQLError, check_logql
from redaction import RedactionError

HEADINGS = ("Meaning", "Impact", "Diagnosis", "Mitigation", "Escalation")
QUERY_LENGTH, QUERY_DEPTH, COMMAND_LENGTH = 4000, 50, 2000
SEVERITIES = ("critical", "warning", "info")
BASED_ON = ("cause", "symptom")
MAX_AGE_DAYS = 365
CHANGES = "changes"
SHELL = {"sh", "bash", "shell", "console", "zsh", ""}
MUTATING: Mapping[str, re.Pattern[str]] = {
    "kubectl": re.compile(
        r"\bkubectl\b[^\n|]*?\s(delete|scale|rollout\s+(?:restart|undo|pause|resume)|apply|patch|edit|drain|cordon|"
        r"uncordon|exec|cp|label|annotate|set|replace|create|taint|autoscale|expose|run)\b"
    ),
    "helm": re.compile(r"\bhelm\s+(install|upgrade|rollback|uninstall|delete)\b"),
    "http": re.compile(
        r"\bcurl\b[^\n]*\s(?:-X\s*|--request[ =])(POST|PUT|PATCH|DELETE)\b|\bcurl\b[^\n]*\s(--data\S*|-d)\s"
    ),
    "service": re.compile(r"\b(?:systemctl|service)\s+[^\n]*?\b(start|stop|restart|reload|enable|disable)\b"),
    "host": re.compile(
        r"(?:^|[;&|]\s*|\bsudo\s+)(rm|kill|pkill|killall|reboot|shutdown|truncate|dd|iptables|mv|chmod)\s"
    ),
    "kafka": re.compile(r"\bkafka-[a-z-]+(?:\.sh)?\b[^\n]*\s(--reset-offsets|--delete|--alter|--create|--execute)\b"),
    "redis": re.compile(r"(?i)\bredis-cli\b[^\n]*\s(flushall|flushdb|del|unlink|set|expire|config\s+set|shutdown)\b"),
    "terraform": re.compile(r"\bterraform\s+(apply|destroy|import|taint)\b"),
    "git": re.compile(r"\bgit\s+(push|revert|reset)\b"),
}
SQL = re.compile(
    r"(?im)\b(insert\s+into|update\s+\S+\s+set|delete\s+from|drop\s+\w+|truncate|alter\s+\w+|grant\s|revoke\s|create\s+\w+|"
    r"vacuum\s+full|pg_terminate_backend|pg_cancel_backend|pg_promote)"
)
LINK = re.compile(r"(?<!!)\[[^\[\]\n]{0,300}\]\(\s{0,3}<?([^()<>\s]{1,500})")
RISK = re.compile(r"(?i)\brisk\b")


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """`line` counts from 1. `rule` is one word that people can search this module for."""

    path: str
    line: int
    rule: str
    message: str


def lint(
    files: Iterable[RawFile | Skipped],
    *,
    folder: Path,
    today: dt.date,
    redactor: Redacts,
    max_age_days: int = MAX_AGE_DAYS,
) -> list[Problem]:
    """Every problem of the files of one folder, by path and line."""
    problems: list[Problem] = []
    runbooks: list[tuple[Runbook, RawFile]] = []
    for file in files:
        if isinstance(file, Skipped):
            problems.append(Problem(file.path, 1, "unusable", file.reason))
            continue
        try:
            runbooks.append((parse_runbook(file.text, path=file.path, digest=file.digest), file))
        except RunbookIndexError as error:
            problems.append(_broken(file.path, error.message, error.mend))
    names = {name for runbook, _ in runbooks for name in runbook.alertnames}
    for runbook, file in runbooks:
        problems += _front_matter(runbook, today=today, max_age_days=max_age_days)
        problems += _related(runbook, names)
        problems += _headings(runbook)
        problems += _queries(runbook)
        problems += _links(runbook, folder)
        problems += _mutating(runbook)
        problems += _risks(runbook)
        problems += _values(file, redactor)
    return sorted([*problems, *_duplicates([runbook for runbook, _ in runbooks])])


def _broken(path: str, message: str, mend: str) -> Problem:
    found = re.match(re.escape(path) + r":(\d+): (.*)", message, re.DOTALL)
    line, text = (int(found[1]), found[2]) if found else (1, message)
    return Problem(path, line, "front-matter", f"{text}; {mend}" if mend else text)


def _front_matter(runbook: Runbook, *, today: dt.date, max_age_days: int) -> Iterator[Problem]:
    absent = [key for key in ("alertnames", "services", "owner", "reviewed", "severity") if not runbook.extra.get(key)]
    if absent:
        yield Problem(runbook.path, 1, "front-matter", f"lacks {', '.join(absent)}")
    if runbook.severity and runbook.severity not in SEVERITIES:
        yield Problem(runbook.path, 1, "severity", f'"{runbook.severity}" is not one of {", ".join(SEVERITIES)}')
    if runbook.extra.get("based_on", "cause") not in BASED_ON:
        yield Problem(runbook.path, 1, "front-matter", f"`based_on` is not one of {', '.join(BASED_ON)}")
    if runbook.reviewed:
        yield from _age(runbook, today=today, max_age_days=max_age_days)


def _age(runbook: Runbook, *, today: dt.date, max_age_days: int) -> Iterator[Problem]:
    try:
        age = (today - dt.date.fromisoformat(runbook.reviewed)).days
    except ValueError:
        yield Problem(runbook.path, 1, "age", "`reviewed` is not a date such as 2026-11-23")
        return
    if age > max_age_days:
        yield Problem(
            runbook.path, 1, "age", f"reviewed {age} days ago, over {max_age_days}: read it again, then date it"
        )
    if age < -1:
        yield Problem(runbook.path, 1, "age", "`reviewed` lies in the future")


def _related(runbook: Runbook, names: set[str]) -> Iterator[Problem]:
    for name in runbook.related:
        if name not in names:
            yield Problem(runbook.path, 1, "related", f'no runbook here is for the alert "{name}"')


def _headings(runbook: Runbook) -> Iterator[Problem]:
    second = [s for s in runbook.sections if s.heading in HEADINGS]
    have = [s.heading for s in second]
    for heading in HEADINGS:
        if heading not in have:
            yield Problem(runbook.path, 1, "headings", f'no heading "{heading}"')
    if have != [h for h in HEADINGS if h in have]:
        yield Problem(
            runbook.path, second[0].line, "headings", f"headings stand in another order than {', '.join(HEADINGS)}"
        )
    for n, section in enumerate(runbook.sections):
        below = runbook.sections[n + 1 : n + 2]
        if section in second and not _written(section.text) and not (below and section.heading in below[0].trail[:-1]):
            yield Problem(runbook.path, section.line, "headings", f'"{section.heading}" is empty')


def _written(text: str) -> str:
    """What stands outside HTML comments."""
    first, *rest = text.split("<!--")
    return "".join((first, *(part.partition("-->")[2] for part in rest))).strip()


def _queries(runbook: Runbook) -> Iterator[Problem]:
    for fence in _fences(runbook.sections):
        kind = fence.language.split()[0] if fence.language else ""
        if kind in {"promql", "logql"} and _unreadable(fence.code):
            yield Problem(runbook.path, fence.line, "query", "longer or deeper than a query that a person reads")
        elif kind == "promql":
            yield from _promql(runbook, fence)
        elif kind == "logql":
            try:
                check_logql(fence.code.strip())
            except LogQLError as error:
                yield Problem(runbook.path, fence.line, "query", f"LogQL: {error}")
        elif not kind:
            yield Problem(
                runbook.path, fence.line - 1, "query", "a code block without a language: promql, logql, sh, sql or text"
            )


def _unreadable(code: str) -> bool:
    """Parsers descend into brackets, and the one of PromQL takes the process with it when it runs out of stack."""
    depth = deepest = 0
    for c in code:
        depth += (c in "([{") - (c in ")]}")
        deepest = max(deepest, depth)
    return len(code) > QUERY_LENGTH or deepest > QUERY_DEPTH


def _promql(runbook: Runbook, fence: Fence) -> Iterator[Problem]:
    import promql_parser

    try:
        promql_parser.parse(fence.code.strip())
    except ValueError as error:
        yield Problem(runbook.path, fence.line, "query", f"PromQL: {str(error).splitlines()[0]}")


def _links(runbook: Runbook, folder: Path) -> Iterator[Problem]:
    root, here = folder.resolve(), (folder / runbook.path).parent
    for section in runbook.sections:
        for n, line in enumerate(_without_fences(section)):
            for target in LINK.findall(line):
                bare = target.partition("#")[0]
                if not bare or re.match(r"[a-z][a-z0-9+.-]*:", bare):
                    continue
                found = (here / bare).resolve()
                if not found.is_relative_to(root):
                    yield Problem(runbook.path, section.line + n + 1, "link", f"{target} leads out of the folder")
                elif not found.exists():
                    yield Problem(runbook.path, section.line + n + 1, "link", f"{target} is not there")


def _mutating(runbook: Runbook) -> Iterator[Problem]:
    for section in runbook.sections:
        mitigation = "mitigation" in (h.lower() for h in section.trail)
        for fence in section.fences:
            what = mutating_command(fence)
            if what and not mitigation:
                yield Problem(
                    runbook.path, fence.line, "changes", f"`{what}` changes state and stands outside Mitigation"
                )
            elif what and CHANGES not in fence.language.split():
                kind = fence.language or "sh"
                yield Problem(
                    runbook.path, fence.line, "changes", f"`{what}` changes state: mark it ```{kind} {CHANGES}"
                )


def mutating_command(fence: Fence) -> str:
    """The first command in the fence that changes what it is run against, shortened, or ""."""
    kind = fence.language.split()[0] if fence.language else ""
    patterns = [SQL] if kind in {"sql", "psql"} else list(MUTATING.values()) if kind in SHELL else []
    for line in (whole[:COMMAND_LENGTH] for whole in fence.code.splitlines()):
        if any(p.search(line.removeprefix("$ ")) for p in patterns) or (
            kind in SHELL and "psql" in line and SQL.search(line)
        ):
            return line.strip()[:60]
    return ""


def _risks(runbook: Runbook) -> Iterator[Problem]:
    for section in runbook.sections:
        if "mitigation" in (h.lower() for h in section.trail):
            for step in section.steps:
                if not RISK.search(step.text):
                    yield Problem(runbook.path, step.line, "risk", "a mitigation step that does not say its risk")


def _values(file: RawFile, redactor: Redacts) -> Iterator[Problem]:
    """Card numbers, secrets and personal data; the classes are named, never the value."""
    try:
        spans = redactor.redact(file.text).spans
    except RedactionError:
        yield Problem(file.path, 1, "redaction", "could not be looked through for card data")
        return
    for span in spans:
        if span.klass.upper() not in QUIET:
            line = file.text.count("\n", 0, span.start) + 1
            yield Problem(file.path, line, "redaction", f"holds a value of class {span.klass}: take it out")


QUIET = frozenset({"NAME", "PERSON"})


def _duplicates(runbooks: Sequence[Runbook]) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for runbook in runbooks:
        for name in runbook.alertnames:
            other = first.setdefault(name, runbook.path)
            if other != runbook.path:
                yield Problem(runbook.path, 1, "duplicate", f'the alert "{name}" already belongs to {other}')


def _fences(sections: Sequence[Section]) -> Iterator[Fence]:
    for section in sections:
        yield from section.fences


def _without_fences(section: Section) -> Iterator[str]:
    inside = False
    for line in section.text.splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            inside = not inside
        yield "" if inside else line
