"""An answer in a terminal: one sentence first, claims with their evidence, what stays unknown, where it was looked."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from assistant.core.answer import Answer
from assistant.core.inert import inert, visible

_CLAIMS = 5


def show_answer(answer: Answer, record: int | None, console: Console, *, trace: bool = False) -> None:
    """Print the answer. Text of others is made inert first."""
    if answer.lead:
        console.print(Text(answer.lead, style="bold"))
    for claim in answer.claims[:_CLAIMS]:
        line = Text(f"- {inert(claim.text)}")
        console.print(line.append(f" [{', '.join(claim.evidence)}]", style="dim"))
    for unknown in answer.not_known:
        console.print(Text(f"not known: {inert(unknown)}"))
    if trace:
        for look in answer.looked_at:
            console.print(Text(f"{look.tool}: {visible(look.asked)} -> {inert(look.found)}"[:400], style="dim"))
    by = f"answered by {answer.model.name}" if answer.model else f"answered without a model: {answer.without_model}"
    where = f"record {record}" if record is not None else "not recorded: the prompt log cannot be written"
    console.print(Text(f"{by} · {len(answer.looked_at)} looks · {where}", style="dim"))
