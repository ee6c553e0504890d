"""A state in which a value stands everywhere: put past every scanner, as a bug would."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from assistant.promptlog.open import open_configured
from assistant.promptlog.record import Entry, Event
from assistant.settings import Settings

PAN = "5555341244441115"
FORMS = (PAN, "5555 3412 4444 1115", "5555%203412%204444%201115", "NTU1NTM0MTI0NDQ0MTExNQ")

_STRUCTURE = {"owner", "shape", "state", "outlet", "claim", "outcome", "kind", "ref"}
_PROSE = {"title", "error"}
_KEPT_BY_DBOS = {"inputs", "output", "error"}


def look_at_nothing(content: bytes) -> None:
    """The last look that a bug switched off."""


def plant_log(settings: Settings) -> dict[str, str]:
    """A request, its answer and a note that carry it, and one of each that do not; ids by what they are."""
    log = open_configured(settings, last_look=look_at_nothing, service="")
    made = {}
    for name, text in (("leaked", f"card {PAN}"), ("clean", "card <PAN_1 visa 411111>")):
        request = Entry(
            event=Event.LLM_REQUEST, actor="serve", resource="api.example", incident="inc-aaaaaa",
            facts={"model": "gpt-x"}, bodies={"request": json.dumps({"messages": [text, name]}).encode()},
        )  # fmt: skip
        made[name] = log.append(request).id
        bodies = {"response": name.encode()}
        said = {"request": made[name], "answer": f"chatcmpl-{name}", "ticket": f"req_{name}"}
        log.append(
            Entry(event=Event.LLM_RESPONSE, actor="serve", resource="api.example", facts=said, bodies=bodies),
        )
    log.append(Entry(event=Event.NOTE_POST, actor="serve", incident="inc-aaaaaa", bodies={"note": FORMS[1].encode()}))
    log.close()
    return made


def plant_files(state: Path) -> None:
    (state / "notes" / "inc-aaaaaa").mkdir(parents=True, exist_ok=True)
    (state / "notes" / "inc-aaaaaa" / "0009.json").write_text(json.dumps({"summary": FORMS[0], "revision": 9}))
    (state / "exports").mkdir(exist_ok=True)
    (state / "exports" / f"of-{PAN}.txt").write_text("\n".join(("kept", *FORMS, "kept too")))
    (state / "runbooks").mkdir(exist_ok=True)
    with closing(sqlite3.connect(state / "runbooks" / "vectors.sqlite")) as cache, cache:
        cache.execute("CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")
        cache.execute("INSERT INTO kept VALUES (?, ?)", ("k", json.dumps({"text": FORMS[2]}).encode()))


def plant_rows(engine: sa.Engine) -> int:
    """Into every column of every row that can hold text of an incident; how many cells."""
    cells = 0
    inspector = sa.inspect(engine)
    postgres = engine.dialect.name == "postgresql"
    with engine.begin() as c:
        for schema in ("public", "dbos") if postgres else (None,):
            for name in inspector.get_table_names(schema=schema):
                table = sa.Table(name, sa.MetaData(), autoload_with=engine, schema=schema)
                keys = {k.name for k in table.primary_key} | {f.parent.name for f in table.foreign_keys} | _STRUCTURE
                if name in {"payops_meta", "payops_switch", "dbos_migrations"}:
                    continue
                for column in table.columns:
                    if not isinstance(column.type, sa.String) or column.name in keys:
                        continue
                    if not name.startswith("payops_") and column.name not in _KEPT_BY_DBOS:
                        continue
                    inside = sa.literal('{"planted":"' + FORMS[1] + '",') + sa.func.substr(column, 2)
                    grown = sa.case((column.like('{"%'), inside), else_=column + f" {PAN}")
                    fits = column.like('{"%') if column.name not in _PROSE else column.is_not(None)
                    cells += c.execute(sa.update(table).where(fits).values({column.name: grown})).rowcount
    return cells


def holding(folder: Path) -> list[str]:
    """Files under a folder whose bytes hold any of the forms."""
    needles = [f.encode() for f in FORMS]
    files = [p for p in folder.rglob("*") if p.is_file()]
    return [str(p.relative_to(folder)) for p in files if any(n in p.read_bytes() for n in needles)]


def wait_for(what: Any, *, within: float = 60.0) -> None:
    until = time.monotonic() + within
    while not what():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)
