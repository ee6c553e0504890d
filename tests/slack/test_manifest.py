"""deploy/slack-manifest.yaml asks for exactly what the code uses: scopes, events, the command; HTTP by two lines."""

from __future__ import annotations

import ast
import re

import yaml

from assistant.promptlog.record import Event
from assistant.slack.app import BUTTONS, COMMAND, EVENTS
from assistant.slack.client import METHODS
from assistant.slack.guest import PATH
from assistant.sources.proof_identity import OPTIONAL, SCOPES
from assistant.web.access import declared
from tests.house.test_imports import ROOT
from tests.slack.stage import Stage

TEXT = (ROOT / "deploy" / "slack-manifest.yaml").read_text(encoding="utf-8")
MANIFEST = yaml.safe_load(TEXT)
SOURCES = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "assistant" / "slack").glob("*.py")}
FROM_EVENTS = {"app_mention": "app_mentions:read", "message.im": "im:history", "app_home_opened": ""}


def test_scopes_are_those_of_the_methods_and_events_in_use_and_of_doctor() -> None:
    scopes = MANIFEST["oauth_config"]["scopes"]
    needed = {s for s in METHODS.values() if s} | {s for s in FROM_EVENTS.values() if s} | {"commands"}
    assert set(scopes["bot"]) == SCOPES == needed - OPTIONAL - {"connections:write"}
    assert set(scopes["bot_optional"]) == OPTIONAL
    assert needed & OPTIONAL <= OPTIONAL
    assert not re.search(r"chat:write\.public|channels:join|users:read|search:|admin", str(scopes))


def test_every_method_that_is_called_is_on_the_list_and_every_one_listed_is_called() -> None:
    called = set(re.findall(r'_call\(\s*"([a-zA-Z.]+)"', SOURCES["client.py"]))
    called |= {m for m in METHODS if m in ("conversations.history", "conversations.replies")}
    called |= {"apps.connections.open", "files.getUploadURLExternal", "files.completeUploadExternal"}
    assert called == set(METHODS)


def test_events_the_command_and_the_agent_view() -> None:
    settings, features = MANIFEST["settings"], MANIFEST["features"]
    assert tuple(settings["event_subscriptions"]["bot_events"]) == EVENTS
    assert "message.channels" not in TEXT.split("bot_events")[1].split("interactivity")[0].replace("#", "")
    assert [c["command"] for c in features["slash_commands"]] == [COMMAND]
    assert features["agent_view"]["agent_description"] and "assistant_view" not in features
    assert settings["socket_mode_enabled"] is True and settings["interactivity"]["is_enabled"] is True
    assert f"https://payops.example{PATH}" in TEXT, "HTTP mode is told beside it"


def test_every_button_that_is_drawn_is_listened_to() -> None:
    drawn: set[str] = set()
    for name, source in SOURCES.items():
        if name == "elements.py":
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "button" and len(node.args) > 1:
                action = node.args[1]
                assert isinstance(action, ast.Constant)
                drawn.add(str(action.value))
    assert drawn <= set(BUTTONS) and drawn >= {"evidence", "handover", "open_record", "post_to_channel"}


def test_its_route_says_what_it_leaves_in_the_log(stage: Stage) -> None:
    said = declared(stage.client.app.routes)  # type: ignore[attr-defined]
    assert {route: leaves and leaves.event for route, leaves in said.items()} == {
        ("POST", PATH): Event.QUESTION_RECEIVED
    }
