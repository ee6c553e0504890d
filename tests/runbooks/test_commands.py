import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from assistant.commands.runbooks import app

run = CliRunner().invoke


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_search_gives_the_shipped_runbook_as_json(tmp_path: Path) -> None:
    done = run(app, ["search", "IssuerUnavailable", "--json", "-k", "2", "--lexical", "--state", str(tmp_path)])
    answer = json.loads(done.stdout)
    assert done.exit_code == 0 and answer["fits"] is True and len(answer["results"]) == 2
    first = answer["results"][0]
    assert first["path"] == "acquirer-connector/IssuerUnavailable.md" and first["reason"] == "alert name (generic)"
    assert set(first) == {"id", "title", "path", "heading", "score", "reason", "text"}


def test_search_in_a_given_corpus_says_when_nothing_fits(write, tmp_path: Path) -> None:
    write("KafkaLag", "Consumers of a topic are behind.")
    done = run(app, ["search", "parental leave form", "--corpus", str(tmp_path / "books"), "--lexical"])
    assert done.exit_code == 0
    assert done.stdout.startswith("no runbook fits (best score 0.")


def test_search_in_an_empty_folder_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run(app, ["search", "x", "--corpus", str(tmp_path / "empty"), "--json"])
    assert json.loads(done.stdout) == {"fits": False, "score": 0.0, "results": []}


def test_an_absent_folder_is_one_line_and_exit_one(tmp_path: Path) -> None:
    done = run(app, ["search", "x", "--corpus", str(tmp_path / "absent")])
    assert done.exit_code == 1
    assert done.stderr.startswith("payops: runbook folder") and done.stderr.count("\n") == 1


def test_lint_is_clean_on_the_shipped_and_fails_on_a_broken_folder(write, tmp_path: Path) -> None:
    assert run(app, ["lint", "--max-age", "100000"]).exit_code == 0
    write("Bad", front="alertnames: [x")
    done = run(app, ["lint", str(tmp_path / "books"), "--json"])
    assert done.exit_code == 1
    assert [p["rule"] for p in json.loads(done.stdout)] == ["front-matter"]


def test_lint_of_nothing_does_not_pass(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run(app, ["lint", str(tmp_path / "empty")])
    assert done.exit_code == 1 and "no runbooks" in done.stdout


def test_index_says_what_it_left_out(write, tmp_path: Path) -> None:
    write("Good")
    (tmp_path / "books" / "x.md").write_bytes(b"\0")
    config = tmp_path / "payops.toml"
    config.write_text(f'[runbooks]\nweights_dir = "{tmp_path / "absent"}"\n')
    done = run(app, ["index", "--corpus", str(tmp_path / "books"), "--config", str(config), "--json"])
    answer = json.loads(done.stdout)
    assert answer["runbooks"] == 1 and answer["skipped"] == [{"path": "x.md", "reason": "a binary file"}]
    assert "ranked by words alone" in answer["warnings"][0]


def test_a_new_runbook_says_what_belongs_where_and_lint_what_is_still_to_be_written(tmp_path: Path) -> None:
    done = run(app, ["new", "VaultSlow", "--service", "token-vault", "--out", str(tmp_path / "mine")])
    made = tmp_path / "mine" / "token-vault" / "VaultSlow.md"
    assert done.exit_code == 0 and str(made) in done.stdout
    found = json.loads(run(app, ["lint", str(tmp_path / "mine"), "--json"]).stdout)
    empty = ("Meaning", "Impact", "Mitigation", "Escalation")
    assert {p["message"] for p in found} == {f'"{heading}" is empty' for heading in empty}
    assert "<!--" in made.read_text() and "VaultSlow" in made.read_text()
    again = run(app, ["new", "VaultSlow", "--service", "token-vault", "--out", str(tmp_path / "mine")])
    assert again.exit_code == 2 and "is there already" in again.stderr


def test_a_shipped_runbook_becomes_a_teams_own_and_is_clean(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    done = run(app, ["new", "VaultDown", "--service", "vault", "--like", "TokenVaultErrors", "--out", str(mine)])
    assert done.exit_code == 0, done.stderr
    text = (mine / "vault" / "VaultDown.md").read_text()
    assert "alertnames: [VaultDown]" in text and "generic:" not in text and "## Mitigation" in text
    assert run(app, ["lint", str(mine)]).exit_code == 0


@pytest.mark.parametrize(
    "args", [["../x"], ["a: b"], ["A", "--service", "../../etc"], ["A", "--like", "NoSuch"], ["\n"]]
)
def test_a_name_that_is_none_is_one_line_and_writes_nothing(tmp_path: Path, args: list[str]) -> None:
    done = run(app, ["new", *args, "--out", str(tmp_path / "mine")])
    assert done.exit_code in {1, 2} and done.stderr.startswith("payops:")
    assert not list(tmp_path.rglob("*.md"))
