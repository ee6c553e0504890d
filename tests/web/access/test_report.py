"""`payops access`: what the records say about who may what, and ending it from outside."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from assistant.bootstrap import prompt_log
from assistant.commands.access import app
from assistant.promptlog.record import Event
from assistant.promptlog.retention import erase_person
from assistant.settings import Settings, Slack, Web, load_settings
from assistant.web.access.open import open_sessions, session_key
from assistant.web.access.person import person
from assistant.web.access.records import Records
from assistant.web.access.report import access_report, report_lines
from redaction import FinalScanner
from tests.fakes.promptlog import MemoryLog

START = datetime(2026, 1, 1, tzinfo=UTC)


class Days:
    """A clock that is moved by days."""

    def __init__(self) -> None:
        self.day = 0

    def __call__(self) -> datetime:
        return START + timedelta(days=self.day)


def came(records: Records, who: str, *roles: str) -> None:
    records.login(person(f"oidc:{who}@idp", who, roles), how="oidc", ok=bool(roles))


def test_the_report_tells_who_has_which_role_since_when() -> None:
    clock = Days()
    log = MemoryLog(clock=clock)
    records = Records(lambda: log)
    came(records, "ada", "auditor")
    came(records, "bob", "responder")
    clock.day = 40
    came(records, "bob", "commander", "auditor")
    clock.day = 50
    records.denied("oidc:ada@idp", "role", "page:act")
    clock.day = 130
    came(records, "cleo")
    settings = Settings(web=Web(login="oidc", roles={"auditor": ("audit",)}), slack=Slack(users=("U1",)))
    report = access_report(log, settings, names={"oidc:bob@idp": ("Bob B.", 0.0)})
    told = {g.person: (g.roles, (g.since - START).days, (g.last_seen - START).days, g.logins) for g in report.grants}
    assert told == {
        "oidc:ada@idp": (("auditor",), 0, 50, 1),
        "oidc:bob@idp": (("auditor", "commander", "responder"), 40, 40, 2),
        "oidc:cleo@idp": ((), 130, 130, 0),
    }
    notes = {g.person: g.notes for g in report.grants}
    assert notes["oidc:ada@idp"] == ("refused 1 times",)
    assert notes["oidc:bob@idp"] == ("both operates and audits",)
    assert [(d - START).days for d, _ in report.grants[1].history] == [0, 40]
    assert report.configured == {"web.roles.auditor": ("audit",), "slack.users": ("U1",), "slack.channels": ()}
    assert any("Bob B. (oidc:bob@idp)" in line for line in report_lines(report))
    clock.day = 230
    late = {g.person: g.notes for g in access_report(log, settings).grants}
    assert late["oidc:bob@idp"] == ("both operates and audits", "not seen for 190 days")


def test_a_person_who_was_erased_is_a_pseudonym() -> None:
    log = MemoryLog()
    came(Records(lambda: log), "lovelace", "auditor")
    erase_person(log, "oidc:lovelace@idp", identity="os:dpo")
    grant = next(g for g in access_report(log, Settings()).grants if g.roles == ("auditor",))
    assert grant.person == "(erased)"
    assert "lovelace" not in "".join(report_lines(access_report(log, Settings())))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "payops.toml"
    file.write_text(
        '[web]\nlogin = "oidc"\nurl = "https://payops.example"\noidc_issuer = "https://idp.example"\n'
        'oidc_client_id = "payops"\n[web.roles]\nauditor = ["audit"]\n'
    )
    return file


def payops(config: Path, *args: str) -> Result:
    return CliRunner().invoke(app, [*args, "--config", str(config), "--state", str(config.parent)])


def a_login(config: Path) -> tuple[Any, str]:
    """Somebody logs in, as `serve` would do it."""
    settings = load_settings(config, state=config.parent)
    log: Any = prompt_log(settings, FinalScanner())
    ada = person("oidc:ada@idp", "Ada", ["auditor"])
    Records(lambda: log).login(ada, how="oidc")
    store = open_sessions(settings, session_key(settings))
    store.prepare()
    cookie, _ = store.begin(ada, how="oidc")
    log.close()
    return store, cookie


def events(config: Path) -> list[tuple[str, dict[str, Any]]]:
    log: Any = prompt_log(load_settings(config, state=config.parent), FinalScanner())
    try:
        return [(r.event.value, dict(r.facts)) for r in log.scan()]
    finally:
        log.close()


def test_the_command_reports_and_is_a_record(config: Path) -> None:
    a_login(config)
    told = json.loads(payops(config, "report", "--json").stdout)
    assert [(p["person"], p["name"], p["roles"]) for p in told["people"]] == [("oidc:ada@idp", "Ada", ["auditor"])]
    assert "Ada (oidc:ada@idp)" in payops(config, "report").stdout
    reads = [f for e, f in events(config) if e == Event.AUDIT_READ.value]
    assert [f["action"] for f in reads] == ["access-report", "access-report"]


def test_sessions_are_shown_and_ended_from_outside(config: Path) -> None:
    store, cookie = a_login(config)
    assert "Ada (oidc:ada@idp)  auditor  by oidc" in payops(config, "sessions").stdout
    assert store.find(cookie, active=True) is not None
    assert payops(config, "revoke", "oidc:ada@idp").stdout == "1 sessions ended\n"
    assert store.find(cookie, active=True) is None
    assert payops(config, "sessions").stdout == "nobody is in\n"
    decided = next(f for e, f in events(config) if e == Event.CONFIG_CHANGE.value)
    assert decided["decision"] == "revoke"
    assert str(decided["people"][0]).startswith("person-")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["revoke"], "whose sessions?; give PERSON, or --all"),
        (["revoke", "oidc:ada@idp", "--all"], "whose sessions?"),
        (["revoke", "oidc:eve@idp"], "nobody of that name is in the log"),
        (["forget", "person-bbbbbbbbbbbbbbbb"], "nobody of that name is in the log"),
    ],
)
def test_what_cannot_be_meant_is_one_line(config: Path, args: list[str], said: str) -> None:
    a_login(config)
    answer = payops(config, *args)
    assert answer.exit_code == 2
    assert said in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1


def test_a_person_is_forgotten_everywhere(config: Path) -> None:
    store, cookie = a_login(config)
    pseudonym = json.loads(payops(config, "report", "--json").stdout)["people"][0]["actor"]
    assert payops(config, "forget", pseudonym).exit_code == 0
    assert store.find(cookie, active=True) is None
    told = payops(config, "report").stdout
    assert pseudonym in told
    assert not re.search(r"\bada\b", told.lower())  # three letters may stand in a pseudonym by chance
    assert not store.names()


def test_no_log_is_said(tmp_path: Path) -> None:
    file = tmp_path / "payops.toml"
    file.write_text("")
    answer = payops(file, "report")
    assert answer.exit_code == 2
    assert "no prompt log in" in answer.stderr
