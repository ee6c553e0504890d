"""The recorded first world, as the demo shows it: looked at through `payops analyse`."""

from __future__ import annotations

from pathlib import Path

import pytest

WORLD = Path(__file__).resolve().parents[2] / "evals" / "worlds" / "first"


def test_the_change_that_moved_the_route_leads_and_not_the_partner_behind_it() -> None:
    if not (WORLD / "world.toml").is_file():
        pytest.skip("evals/worlds/first is not there: python -m evals.worlds.record_first makes it")
    from assistant.analysis import analyse
    from assistant.commands.analyse import as_json_value, observe
    from assistant.settings import Settings

    seen = observe(WORLD, Settings())
    found = as_json_value(analyse(seen), seen)
    first = found["hypotheses"][0]
    assert first["class"] == "confirmed" and first["change"] and first["fault"] == "ours"
    assert first["entity"] in {c["service"] for c in found["changes"] if c["id"] == first["change"]}
    assert found["impact"]["lost"] > 0 and set(found["impact"]["amounts"]) == {"EUR"}
    assert found["health"] == "failing" and found["gaps"] == []
