"""`slackblocks`' own limits, asked of blocks that we rendered: each dict is built again as the library's object, which
raises where Slack would refuse. Written by others, so that one mistake cannot pass both.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import slackblocks as sb
from slackblocks import rich_text as rt

from assistant.slack.blocks import Message
from assistant.slack.elements import CAP, MAX_BLOCKS, allowed

HOSTS = ("payops.example",)


def judge(message: Message) -> None:
    """Raises where a limit is passed, a link is not ours, or something is live."""
    blocks = list(message.blocks)
    assert len(json.dumps(blocks)) <= CAP
    assert 0 < len(blocks) <= MAX_BLOCKS
    made = [_block(b) for b in blocks]
    sb.Message(channel="C1", text=message.text[:3000], blocks=made)
    assert len({b["block_id"] for b in blocks}) == len(blocks)
    _nothing_live(blocks)


def view(raw: dict[str, Any]) -> None:
    blocks = [_block(b) for b in raw["blocks"]]
    sb.Modal(
        title=raw["title"]["text"], blocks=blocks, submit=raw["submit"]["text"], close=raw["close"]["text"],
        private_metadata=raw["private_metadata"], callback_id=raw["callback_id"],
    )  # fmt: skip


def _block(b: dict[str, Any]) -> Any:
    key = b["block_id"]
    match b["type"]:
        case "header":
            return sb.HeaderBlock(b["text"]["text"], block_id=key)
        case "context":
            return sb.ContextBlock([_plain(e) for e in b["elements"]], block_id=key)
        case "rich_text":
            return sb.RichTextBlock([_rich(e) for e in b["elements"]], block_id=key)
        case "actions":
            return sb.ActionsBlock([_button(e) for e in b["elements"]], block_id=key)
        case "context_actions":
            return sb.ContextActionsBlock([_feedback(e) for e in b["elements"]], block_id=key)
        case "table":
            rows = [[sb.RawText(c["text"]) for c in row] for row in b["rows"]]
            return sb.TableBlock(rows, block_id=key)
        case "data_visualization":
            return sb.DataVisualizationBlock(b["title"], _chart(b["chart"]), block_id=key)
        case "input":
            return sb.InputBlock(label=b["label"]["text"], element=_input(b["element"]), block_id=key)
    raise AssertionError(f"a block of type {b['type']} is not one of ours")


def _plain(e: dict[str, Any]) -> Any:
    assert e["type"] == "plain_text" and e["text"]
    return sb.Text(e["text"], type_=sb.TextType.PLAINTEXT, emoji=False)


def _rich(e: dict[str, Any]) -> Any:
    match e["type"]:
        case "rich_text_section":
            return rt.RichTextSection([_piece(x) for x in e["elements"]])
        case "rich_text_list":
            return rt.RichTextList(style="bullet", elements=[_rich(x) for x in e["elements"]])
        case "rich_text_preformatted":
            return rt.RichTextCodeBlock([_piece(x) for x in e["elements"]])
    raise AssertionError(e["type"])


def _piece(x: dict[str, Any]) -> Any:
    if x["type"] == "link":
        assert allowed(x["url"], HOSTS), x["url"]
        return rt.RichTextLink(url=x["url"], text=x["text"])
    assert x["type"] == "text" and x["text"], "an empty text is refused by Slack"
    return rt.RichText(x["text"], **dict(x.get("style", {})))


def _button(e: dict[str, Any]) -> Any:
    if "url" in e:
        assert allowed(e["url"], HOSTS), e["url"]
    return sb.Button(text=e["text"]["text"], action_id=e["action_id"], value=e.get("value"), url=e.get("url"))


def _feedback(e: dict[str, Any]) -> Any:
    def one(b: dict[str, Any]) -> Any:
        return sb.FeedbackButton(b["text"]["text"], b["value"])

    return sb.FeedbackButtons(one(e["positive_button"]), one(e["negative_button"]), action_id=e["action_id"])


def _chart(c: dict[str, Any]) -> Any:
    series = [sb.DataSeries(s["name"], [sb.DataPoint(p["label"], p["value"]) for p in s["data"]]) for s in c["series"]]
    assert c["type"] == "line" and len(series) <= 6
    axis = c["axis_config"]
    return sb.LineChart(series, sb.AxisConfig(axis["categories"], y_label=axis.get("y_label")))


def _input(e: dict[str, Any]) -> Any:
    if e["type"] == "radio_buttons":
        options = [sb.Option(text=o["text"]["text"], value=o["value"]) for o in e["options"]]
        return sb.RadioButtonGroup(action_id=e["action_id"], options=options)
    return sb.PlainTextInput(action_id=e["action_id"], multiline=e["multiline"], max_length=e["max_length"])


def _nothing_live(value: Any) -> None:
    """No element that Slack acts on: user, channel, usergroup, broadcast, mrkdwn, image, or a link that is not ours."""
    if isinstance(value, dict):
        assert value.get("type") not in {"user", "channel", "usergroup", "broadcast", "mrkdwn", "image", "emoji"}
        for v in value.values():
            _nothing_live(v)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for v in value:
            _nothing_live(v)
