"""Accepting a report takes a second person, proved by a key: every way round it that we could think of is refused, and
then nothing is recorded and nothing is written."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from assistant.bootstrap import prompt_log
from assistant.commands.evaluate import app
from assistant.errors import PayopsError, UsageError
from assistant.promptlog.keys import new_signing_key, parse_signing_key
from assistant.promptlog.record import Event, Record
from assistant.release import release_of
from assistant.settings import Settings
from evals.approval import parse_statement, report_hash, sign
from evals.head import FORMAT, Head, lab_id
from evals.history import history
from evals.people import parse_people
from evals.promote import NOBODY, Place, accepted_by, baseline, check_accepted, promote, statement
from evals.reports import ACCEPTED, read_report, report_of
from redaction import FinalScanner
from tests.evals.test_gate import case

NOW = 1_795_000_000.0
KEYS = {name: parse_signing_key(new_signing_key(name)) for name in ("ann", "bea", "carl", "dora")}


def people_text(*names: str, **git: tuple[str, ...]) -> str:
    rows = (
        f'[[person]]\nid = "{n}"\nkey = "{KEYS[n].key}"\ngit = {json.dumps([f"{n}@shop.example", *git.get(n, ())])}\n'
        for n in names
    )
    return "\n".join(rows)


@dataclass
class Team:
    """A checkout with commits of Ann, a log, and who may accept."""

    home: Path
    people_text: str

    @property
    def settings(self) -> Settings:
        return Settings(state=self.home / "state")

    @property
    def place(self) -> Place:
        return Place(accepted=self.home / "lab.json", checkout=self.home / "repo")

    def commit(self, author: str, *, message: str = "a change") -> None:
        repo = self.home / "repo"
        file = repo / "assistant.txt"
        file.write_text((file.read_text() if file.exists() else "") + "x")
        git(repo, "add", "-A")
        git(repo, "commit", "-q", "-m", message, "--author", author)

    def report(self, release: str = "", *, lab: str = lab_id(), **more: Any) -> dict[str, Any]:
        cases = [case(f"a/{i}") for i in range(3)] + [case("healthy/1", quiet=True, **more)]
        return report_of(cases, Head(FORMAT, release or release_of(self.settings).id, "line", lab=lab), None)

    def approve(self, report: dict[str, Any], by: str = "bea", *, rollback: bool = False, now: float = NOW) -> str:
        action = "rollback" if rollback else "accept"
        people = parse_people(self.people_text)
        said = statement(
            report,
            self.settings,
            people,
            approver=by,
            action=action,  # type: ignore[arg-type]
            now=now,
            place=self.place,
        )
        return sign(said, KEYS[by])

    def accept(self, report: dict[str, Any], approval: str, *, now: float = NOW, rollback: bool = False) -> None:
        people = parse_people(self.people_text)
        promote(report, self.settings, people, approval=approval, rollback=rollback, place=self.place, now=now)

    def records(self) -> list[tuple[Record, dict[str, bytes]]]:
        with closing(prompt_log(self.settings, FinalScanner())) as log:
            found = [r for r in log.scan() if r.event is Event.RELEASE_PROMOTE]
            assert log.verify().ok
            return [(r, {name: log.body(r, name) for name in r.bodies}) for r in found]  # type: ignore[misc]


def git(repo: Path, *words: str) -> None:
    identity = ("-c", "user.name=ci", "-c", "user.email=ci@shop.example", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(repo), *identity, *words], check=True, capture_output=True)


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    (tmp_path / "repo").mkdir()
    git(tmp_path / "repo", "init", "-q")
    made = Team(tmp_path, people_text("ann", "bea"))
    made.commit("Ann <ann@shop.example>")
    yield made


def refused(team: Team, what: Callable[[], object], match: str) -> None:
    before = len(team.records())
    file = team.home / "lab.json"
    text = file.read_bytes() if file.exists() else None
    with pytest.raises(UsageError, match=match) as told:
        what()
    assert told.value.mend
    assert len(team.records()) == before
    assert (file.read_bytes() if file.exists() else None) == text


def test_a_second_person_accepts_and_both_are_in_the_record(team: Team) -> None:
    report = team.report()
    approval = team.approve(report)
    team.accept(report, approval)
    ((record, bodies),) = team.records()
    assert record.facts["approved"] is True and record.facts["rollback"] is False
    assert record.facts["release"] == report["head"]["release"]
    assert bodies["approval"] == approval.encode()
    assert bodies["authors"] == b"ann"
    assert bodies["approvers"].decode().splitlines() == [f"{n} {KEYS[n].key}" for n in ("ann", "bea")]
    with closing(prompt_log(team.settings, FinalScanner())) as log:
        assert log.identity(record) == "bea"
    leaf = record.leaf.decode()  # it is kept for ever, and names nobody
    assert not any(name in leaf for name in ('"ann', '"bea"', "bea+", "shop.example"))
    kept = read_report(team.home / "lab.json")
    assert accepted_by(kept).startswith("accepted by bea on 2026-11-")
    assert check_accepted(kept, parse_people(team.people_text)).id == "bea"


def test_the_author_does_not_accept_the_own_change_under_any_spelling(team: Team) -> None:
    report = team.report()
    refused(team, lambda: team.accept(report, team.approve(report, "ann")), "wrote this change")
    team.commit("Bea B. <BEA@Shop.Example>")
    refused(team, lambda: team.accept(report, team.approve(report, "bea")), "wrote this change")


def test_another_address_of_the_approver_is_the_approver(team: Team) -> None:
    team.people_text = people_text("ann", "bea", bea=("b.home@elsewhere.example",))
    team.commit("Somebody Else <b.home@elsewhere.example>")
    report = team.report()
    refused(team, lambda: team.accept(report, team.approve(report)), "bea wrote this change")


def test_a_co_author_is_an_author(team: Team) -> None:
    team.commit("Ann <ann@shop.example>", message="x\n\nCo-authored-by: Bea <bea@shop.example>")
    report = team.report()
    refused(team, lambda: team.accept(report, team.approve(report)), "bea wrote this change")


def test_an_author_whom_nobody_knows_stops_it(team: Team) -> None:
    team.commit("Mallory <mallory@elsewhere.example>")
    report = team.report()
    refused(team, lambda: team.approve(report), "nobody in the people file commits as mallory@elsewhere.example")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (people_text("ann", "bea", bea=("ann@shop.example",)), "ann and bea are one person"),
        (people_text("ann") + people_text("ann"), "are one person"),
        (people_text("ann") + people_text("ann").replace('id = "ann', 'id = "Ann'), "are one person"),
        (f'[[person]]\nid = "eve"\nkey = "{KEYS["ann"].key}"\n', "is ann's"),
        ('[[person]]\nid = "аnn"\n', "is no handle"),
        ('[[person]]\nid = "ann"\nkey = "x"\n', "not an Ed25519 verifier key"),
        ('[[person]]\nid = "ann"\nrole = "boss"\n', 'unknown key "role"'),
        ('[people]\nann = 1\n', r"wants \[\[person\]\]"),
        ("[[person", "not TOML"),
    ],
    ids=["two-ids", "twice", "two-spellings", "one-key", "look-alike", "no-key", "unknown-key", "no-list", "no-toml"],
)  # fmt: skip
def test_a_people_file_that_makes_one_person_two_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_people(text)


def test_the_same_key_under_two_names_is_one_person() -> None:
    seed = new_signing_key("ann")
    twin = parse_signing_key(seed)
    other = replace(twin.key, name="eve")
    text = "\n".join(f'[[person]]\nid = "{k.name}"\nkey = "{k}"' for k in (twin.key, other))
    with pytest.raises(UsageError, match="are one person"):
        parse_people(text)


def test_an_approval_of_a_report_that_was_edited_since_is_refused(team: Team) -> None:
    report = team.report()
    approval = team.approve(report)
    edited = {**report, "cases": [{**c, "onset_error": 1.0} for c in report["cases"]]}
    refused(team, lambda: team.accept(edited, approval), "for another report")
    better = {**report, "figures": {**report["figures"], "leaks": 0, "cost": 1.0}}
    refused(team, lambda: team.accept(better, approval), "for another report")


def test_an_approval_whose_text_was_edited_is_refused(team: Team) -> None:
    report = team.report()
    approval = team.approve(report)
    other = {**report, "seen": True}
    forged = approval.replace(report_hash(report), report_hash(other))
    refused(team, lambda: team.accept(other, forged), "not signed by bea")
    refused(
        team,
        lambda: team.accept(report, approval.replace("approver bea", "approver ann")),
        "not signed by ann",
    )
    refused(team, lambda: team.accept(report, approval.replace("action accept", "action  accept")), "not signed by bea")
    refused(team, lambda: team.accept(report, approval.rpartition("\n\n")[0]), "not a signed approval")
    refused(team, lambda: team.accept(report, ""), "not a signed approval")


def test_the_signature_of_another_key_under_the_right_name_is_refused(team: Team) -> None:
    report = team.report()
    said = parse_statement(team.approve(report).rpartition("\n\n")[0] + "\n")
    thief = parse_signing_key(new_signing_key("bea"))
    refused(team, lambda: team.accept(report, sign(said, thief)), "not signed by bea")


def test_somebody_outside_the_list_is_refused(team: Team) -> None:
    report = team.report()
    refused(team, lambda: team.accept(report, team.approve(report, "carl")), "carl may not accept")


def test_another_release_is_refused(team: Team) -> None:
    refused(team, lambda: team.approve(team.report("0123456789ab")), "is of release 0123456789ab")


def test_a_report_of_another_lab_is_refused(team: Team) -> None:
    report = team.report(lab="feedbeef")
    refused(team, lambda: team.approve(report), "with another lab")
    refused(team, lambda: baseline(report, team.settings, place=team.place), "with another lab")


def test_an_approval_is_used_once_and_for_what_came_before_it(team: Team) -> None:
    first = team.report()
    approval = team.approve(first)
    team.accept(first, approval)
    refused(team, lambda: team.accept(first, approval), "for another after")
    (team.home / "lab.json").unlink()  # the checkout put back to where it was: only the log remembers
    refused(team, lambda: team.accept(first, approval), "used already")


def test_an_approval_of_another_commit_is_refused(team: Team) -> None:
    report = team.report()
    approval = team.approve(report)
    team.commit("Ann <ann@shop.example>")
    refused(team, lambda: team.accept(report, approval), "for another commit")


def test_an_approval_grows_old(team: Team) -> None:
    report = team.report()
    approval = team.approve(report)
    refused(team, lambda: team.accept(report, approval, now=NOW + 31 * 86_400), "not of the last 30 days")
    refused(team, lambda: team.accept(report, approval, now=NOW - 3600), "not of the last 30 days")


def test_who_was_added_in_the_change_cannot_accept_it(team: Team) -> None:
    first = team.report()
    team.accept(first, team.approve(first))
    team.people_text = people_text("ann", "bea", "carl")
    second = team.report(severity="low")
    refused(team, lambda: team.accept(second, team.approve(second, "carl")), "carl could not accept")
    team.accept(second, team.approve(second, "bea"))
    third = team.report(severity="critical")
    team.accept(third, team.approve(third, "carl"))
    assert len(team.records()) == 3


def test_a_new_key_for_an_old_name_cannot_accept_either(team: Team) -> None:
    first = team.report()
    team.accept(first, team.approve(first))
    thief = parse_signing_key(new_signing_key("bea"))
    team.people_text = people_text("ann") + f'\n[[person]]\nid = "bea"\nkey = "{thief.key}"\n'
    second = team.report(severity="low")
    said = parse_statement(team.approve(second).rpartition("\n\n")[0] + "\n")
    refused(team, lambda: team.accept(second, sign(said, thief)), "could not accept the last release with this key")


def test_what_falls_below_the_gate_is_signed_for(team: Team) -> None:
    report = team.report(leaks=1)
    approval = team.approve(report)
    assert "falls leaks" in approval
    whole = team.approve(team.report())
    assert "falls none" in whole
    team.accept(report, approval)
    assert list(team.records()[0][0].facts["falls"]) == ["leaks"]  # type: ignore[arg-type]


def test_a_rollback_goes_back_to_what_was_accepted_and_is_recorded_as_one(team: Team) -> None:
    now = team.report()
    team.accept(now, team.approve(now))
    unknown = team.report("0123456789ab")
    refused(
        team,
        lambda: team.accept(unknown, team.approve(unknown, rollback=True), rollback=True),
        "was never accepted here",
    )
    second = team.report(severity="low")
    team.accept(second, team.approve(second))
    forward = team.approve(now)
    refused(team, lambda: team.accept(now, forward, rollback=True), "for another action")
    team.accept(now, team.approve(now, rollback=True), rollback=True)
    assert [r.facts["rollback"] for r, _ in team.records()] == [False, False, True]
    assert report_hash(read_report(team.home / "lab.json")) == report_hash(now)


def test_uncommitted_changes_have_no_author(team: Team) -> None:
    (team.home / "repo" / "assistant").mkdir()
    (team.home / "repo" / "assistant" / "x.py").write_text("x")
    refused(team, lambda: team.approve(team.report()), r"assistant/x.py is not committed")


def test_without_a_checkout_nobody_is_the_author(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="git rev-parse") as told:
        history(root=tmp_path)
    assert "checkout that the release is made from" in told.value.mend


def test_authors_are_those_since_the_accepted_commit(team: Team) -> None:
    first = history(root=team.home / "repo")
    team.people_text = people_text("ann", "bea", "carl")
    team.commit("Carl <carl@shop.example>")
    assert history(first.commit, root=team.home / "repo").authors == ("carl@shop.example",)
    assert history(root=team.home / "repo").authors == ("ann@shop.example", "carl@shop.example")
    assert history("0" * 40, root=team.home / "repo").authors == ("ann@shop.example", "carl@shop.example")


def test_a_baseline_says_that_nobody_approved_it_and_does_not_go_round_approvals(team: Team) -> None:
    report = team.report()
    baseline(report, team.settings, place=team.place)
    kept = read_report(team.home / "lab.json")
    assert accepted_by(kept) == NOBODY == kept["acceptance"]["words"]
    ((record, _),) = team.records()
    assert record.facts["approved"] is False and record.actor == "baseline"
    with pytest.raises(UsageError, match="approved by nobody"):
        check_accepted(kept, parse_people(team.people_text))
    team.accept(report, team.approve(report))
    refused(team, lambda: baseline(report, team.settings, place=team.place), "releases are approved here")


def test_an_accepted_file_that_was_edited_no_longer_carries_its_approval(team: Team) -> None:
    report = team.report()
    team.accept(report, team.approve(report))
    file = team.home / "lab.json"
    edited = json.loads(file.read_text())
    edited["cases"][0]["impact_error"] = 0.0
    with pytest.raises(UsageError, match="for another report"):
        check_accepted(edited, parse_people(team.people_text))
    edited = json.loads(file.read_text())
    edited["acceptance"]["approver"] = "dora"
    assert check_accepted(edited, parse_people(team.people_text)).id == "bea"


def test_every_record_carries_the_release(tmp_path: Path) -> None:
    settings = Settings(state=tmp_path / "state")
    with closing(prompt_log(settings, FinalScanner())):
        pass
    with closing(prompt_log(settings, FinalScanner())) as log:
        found = list(log.scan())
    assert len(found) >= 2
    assert {r.facts.get("release") for r in found} == {release_of(settings).id}


def test_a_log_that_cannot_take_the_record_accepts_nothing(team: Team) -> None:
    report = team.report()
    approval = team.approve(report)
    state = team.home / "state"
    state.rename(team.home / "gone") if state.exists() else None
    state.write_text("in the way")
    with pytest.raises((PayopsError, OSError)):
        team.accept(report, approval)
    assert not (team.home / "lab.json").exists()


def test_the_commands_make_a_private_key_and_refuse_in_one_line(tmp_path: Path) -> None:
    cli, file = CliRunner(), tmp_path / "bea.key"
    made = cli.invoke(app, ["key", str(file), "--id", "bea"])
    assert made.exit_code == 0 and made.stdout.startswith('key = "bea+')
    assert file.stat().st_mode & 0o777 == 0o600
    people = tmp_path / "people.toml"
    people.write_text(f'[[person]]\nid = "bea"\n{made.stdout}git = ["bea@shop.example"]\n')
    assert parse_people(people.read_text()).by_id("bea") is not None
    secret = file.read_text()
    for arguments, said in (
        (["key", str(file), "--id", "bea"], "is there already"),
        (["key", str(tmp_path / "x"), "--id", "bea@shop.example"], "is no handle"),
        (["accept", str(ACCEPTED)], "accepting needs --approval and --people"),
        (["accept", str(ACCEPTED), "--baseline", "--rollback"], "is no rollback"),
        (["accept", str(tmp_path / "none.json"), "--approval", str(file), "--people", str(people)], "No such file"),
        (["approve", str(ACCEPTED), "--key", str(people), "--people", str(people)], "not a key"),
        (["accepted", "--people", str(tmp_path / "nobody.toml")], ""),
    ):
        answer = cli.invoke(app, arguments)
        assert answer.exit_code in {1, 2}, arguments
        assert said in answer.stderr and answer.stderr.count("\n") <= 1, answer.stderr
        assert secret.strip() not in answer.output
    assert file.read_text() == secret
