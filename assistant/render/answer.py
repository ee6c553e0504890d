"""An answer in a terminal: one sentence first, claims with their evidence, what stays unknown, where it was looked."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from assistant.core.answer import Answer
from assistant.core.inert import inert, visible

_CLAIMS = 5
_FOUND = 6
"""Lines of what a look found that are shown; all of it stands under the evidence id in `--json`."""


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
        _show_trace(answer, console)
    by = f"answered by {answer.model.name}" if answer.model else f"answered without a model: {answer.without_model}"
    where = f"record {record}" if record is not None else "not recorded: the prompt log cannot be written"
    console.print(Text(f"{by} · {len(answer.looked_at)} looks · {where}", style="dim"))


def _show_trace(answer: Answer, console: Console) -> None:
    """Each look in its order: what was asked of which tool, and what it found or why it found nothing."""
    texts = {str(e.id): e.text.text for e in answer.evidence}
    for n, look in enumerate(answer.looked_at, 1):
        console.print(Text(f"{n}. {look.tool}: {visible(look.asked)}"[:400], style="dim"))
        if not look.evidence:
            console.print(Text(f"   nothing: {inert(look.found)}"[:400], style="dim"))
            continue
        found = texts.get(look.evidence, look.found).splitlines()
        for line in found[:_FOUND]:
            console.print(Text(f"   {look.evidence}  {inert(visible(line))}"[:400], style="dim"))
        if len(found) > _FOUND:
            console.print(Text(f"   {look.evidence}  and {len(found) - _FOUND} more lines", style="dim"))
    if not answer.looked_at:
        console.print(Text("no look beyond what the analyst measured", style="dim"))
