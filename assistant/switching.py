"""`payops off` and `on`: the switch that every replica obeys, turned from a command and recorded first."""

from __future__ import annotations

from typing import Any

from assistant.errors import PromptLogError
from assistant.serving import database_url
from assistant.settings import Settings


def turn(settings: Settings, *, off: bool, by: str) -> str:
    """Turn the switch, recorded first. Returns why there is no record, or "".

    Switching off works without the log, because it may be the log that is in trouble; switching on does not.
    Raises PromptLogError (on), WorkflowError.
    """
    from assistant.bootstrap import prompt_log
    from assistant.notebook.database import open_database
    from assistant.promptlog.record import Entry, Event
    from assistant.workflow.service import ALL_TABLES
    from assistant.workflow.switch import Switch
    from redaction import FinalScanner

    database = open_database(database_url(settings), state=settings.state)
    database.prepare(*ALL_TABLES)
    record, missing = "", ""
    try:
        log: Any = prompt_log(settings, FinalScanner())
        try:
            entry = Entry(event=Event.CONFIG_CHANGE, identity=by, origin="cli", resource="switch", facts={"off": off})
            record = log.append(entry).id
        finally:
            log.close()
    except PromptLogError as error:
        if not off:
            raise
        missing = str(error)
    Switch(database).turn(off=off, record=record)
    database.close()
    return missing
