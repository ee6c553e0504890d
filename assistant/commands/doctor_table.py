"""What `payops doctor` prints for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from assistant.commands.doctor import Cost
    from assistant.core.observations import PaymentsMap, Role
    from assistant.sources.attestation import Attestation
    from assistant.sources.survey import ServerFacts

_WORDS = {
    "read-only": ("proven read-only", "green"),
    "unproven": ("unproven", "yellow"),
    "open": ("open to everyone", "red"),
    "writable": ("CAN WRITE", "bold red"),
}


def show(facts: tuple[ServerFacts, ...], found: Attestation, *, payments: PaymentsMap, cost: Cost) -> None:
    """Servers, credentials, the guessed mapping, and what an incident costs."""
    console = Console()
    console.print(_servers(facts))
    for f in facts:
        if f.limits:
            console.print(Text(f"  limits of {f.server}: {', '.join(f'{k} {v}' for k, v in f.limits.items())}"))
        for problem in f.problems:
            console.print(Text(f"  {f.server}: {problem}"))
    console.print(_credentials(found))
    console.print(_mapping(payments))
    for missing in payments.unmapped:
        console.print(Text(f"  not mapped: {missing}"))
    for said in to_say(payments):
        console.print(Text(f"  {said}"))
    console.print(_cost(cost))
    for gap in cost.gaps:
        console.print(Text(f"  {gap}"))
    word, style = _WORDS[found.verdict]
    console.print(Text(f"{word}  (attestation {found.id})", style=style))


def _servers(facts: tuple[ServerFacts, ...]) -> Table:
    table = _table("servers", "server", "url", "reachable", "version", "clock", "retention", "labels")
    for f in facts:
        clock = "" if f.clock_offset is None else f"{f.clock_offset:+.1f} s"
        labels = "\n".join(f"{r.role} = {r.label}" for r in f.labels)
        table.add_row(f.server, f.url, "yes" if f.reachable else "no", f.version, clock, f.retention, labels)
    return table


def _credentials(found: Attestation) -> Table:
    table = _table("credentials", "server", "check", "verdict", "the answer that says so", "mend")
    for c in found.checks:
        word, style = _WORDS[c.verdict]
        table.add_row(c.server, c.name, Text(word, style=style), Text(c.answer), Text(c.mend))
    return table


def _mapping(payments: PaymentsMap) -> Table:
    table = _table("payments: what metrics, labels and log fields mean", "role", "is", "because")
    for kind in (payments.metrics, payments.labels, payments.fields):
        for role in kind.values():
            table.add_row(role.role, Text(_name(role)), Text("configured" if role.configured else role.why))
    return table


def to_say(payments: PaymentsMap) -> Iterator[str]:
    """What a team can say itself of what could not be guessed. Without approvals no rate, no loss, no money is told."""
    if "attempts" in payments.metrics and "approved" not in payments.metrics:
        result = payments.labels.get("result")
        where = f" of label {result.label}" if result else ""
        yield f'say which values{where} are approvals, for rates and losses: [payments] approved = ["…"]'
    if payments.unmapped:
        yield 'say what goes by another name, in payops.toml: [payments.labels] scheme = "…"; [payments.metrics] …'


def _name(role: Role) -> str:
    values = f"{{{role.label}={'|'.join(role.values)}}}" if role.label and role.values else ""
    return f"{role.name}{values or (f' by {role.label}' if role.label else '')}"


def _cost(cost: Cost) -> Text:
    return Text(
        f"a typical incident: {cost.requests} requests, {cost.bytes / 1e6:.1f} MB, {cost.seconds:.1f} s; "
        f"{cost.queries} metric queries and {cost.searches} log searches answered"
    )


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
