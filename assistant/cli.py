"""`payops`: parse, call, print. Each command imports what it needs when it runs, so that `--help` costs nothing."""

from __future__ import annotations

import atexit
import difflib
import gc
import importlib
import importlib.util
import sys
from collections.abc import Mapping

# ruff: noqa: T201
# name -> (module, attribute, what it does). The help text stands here so that listing commands imports none of them.
COMMANDS: Mapping[str, tuple[str, str, str]] = {
    "demo": ("assistant.commands.triage", "demo", "turn a recorded payment incident into a note"),
    "triage": ("assistant.commands.triage", "triage", "alerts in, note out"),
    "analyse": ("assistant.commands.analyse", "analyse", "hypotheses ranked, no model, no runbooks"),
    "ask": ("assistant.commands.ask", "ask", "ask a question about metrics, logs, alerts and changes"),
    "paper": ("assistant.commands.papers", "paper", "handover, post-incident draft or stakeholder update"),
    "feedback": ("assistant.commands.papers", "feedback", "say what a note was worth; take it as an evaluation set"),
    "serve": ("assistant.commands.serve", "serve", "run beside a team's stack: webhook, Slack, console"),
    "doctor": ("assistant.commands.doctor", "doctor", "what can be reached, and whether any credential could write"),
    "reload": ("assistant.commands.serve", "reload", "have serve read its configuration again"),
    "off": ("assistant.commands.serve", "off", "stop model and posts on every replica at once"),
    "on": ("assistant.commands.serve", "on", "resume model and posts"),
    "redact": ("assistant.commands.redact", "app", "remove card data, personal data and secrets from text"),
    "runbooks": ("assistant.commands.runbooks", "app", "index, search, lint and begin runbooks"),
    "log": ("assistant.commands.log", "app", "read, verify and export the prompt log"),
    "lab": ("assistant.commands.lab", "app", "make payment worlds that are broken in known ways"),
    "eval": ("assistant.commands.evaluate", "app", "predict, score, compare and gate"),
    "backtest": ("assistant.commands.backtest", "backtest", "replay past alerts of your own"),
    "world": ("assistant.commands.world", "app", "keep an incident as a redacted world"),
    "access": ("assistant.commands.access", "app", "who has which role since when"),
    "backup": ("assistant.commands.backup", "app", "the state kept elsewhere, and back"),
    "purge": ("assistant.commands.purge", "purge", "remove a leaked value from every store"),
}


COLLECT_AT = (50_000, 20, 50)
"""Objects before the collector looks for circles (Python's own: 700, 10, 10). Importing a model's libraries makes a
million that stay; at 700 the collector walks them again and again, a fifth of a question's processor time."""


def main(argv: list[str] | None = None) -> int:
    """The `payops` command: find the command's module, hand it the rest. Exit 2 for what is not a command."""
    args = list(sys.argv[1:] if argv is None else argv)
    if not args or args[0] in {"-h", "--help", "help"}:
        print(usage())
        return 0
    if args[0] == "--version":
        print(f"payops {metadata_version()}")
        return 0
    gc.set_threshold(*COLLECT_AT)
    atexit.register(gc.freeze)  # or the collector walks all of it twice more on the way out: half a second
    name = args[0]
    if name not in commands():
        near = difflib.get_close_matches(name, commands(), n=1)
        mend = f'did you mean "payops {near[0]}"?' if near else "payops --help lists the commands"
        print(f'payops: no command "{name}"; {mend}', file=sys.stderr)
        return 2
    return _run(name, args[1:])


def commands() -> tuple[str, ...]:
    """The commands whose module is installed."""
    return tuple(name for name, (module, _, _) in COMMANDS.items() if importlib.util.find_spec(module) is not None)


def usage() -> str:
    """What `payops --help` prints. The README's list is checked against it."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {COMMANDS[name][2]}" for name in commands()]
    return "\n".join(
        (
            "Usage: payops COMMAND [OPTIONS]",
            "",
            "A read-only incident assistant for payment operations.",
            "",
            "Commands:",
            *lines,
            "",
            "payops COMMAND --help tells more of one.",
        )
    )


def metadata_version() -> str:
    """The version as pyproject.toml states it."""
    from assistant import __version__

    return __version__


def _run(name: str, args: list[str]) -> int:
    import typer

    module, attribute, about = COMMANDS[name]
    target = getattr(importlib.import_module(module), attribute)
    if isinstance(target, typer.Typer):
        app = target
    else:
        app = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
        app.command(help=target.__doc__ or about)(target)
    try:
        app(args=args, prog_name=f"payops {name}", standalone_mode=True)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    return 0
