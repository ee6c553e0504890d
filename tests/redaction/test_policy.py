"""A policy is strict: what it cannot mean is one line with file, line and mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from redaction import Policy, RedactionError, Redactor

PAN = "4539578763621486"


def _file(folder: Path, text: str) -> Path:
    file = folder / "mine.toml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("\n[pann]\nbin_digits = 6\n", 2, "unknown table [pann]"),
        ("[pan]\n\nbin = 6\n", 3, "unknown key bin in [pan]"),
        ("versoin = '2'\n", 1, "unknown key versoin in the top"),
        ("[pan]\nbin_digits = 7\n", 2, "bin_digits is 7"),
        ("[pan]\nbin_digits = '6'\n", 2, "bin_digits is not a whole number"),
        ("[actions]\nEMAIL = 'hash'\n", 2, "unknown action hash"),
        ("[actions]\nPAN = 'keep'\n", 2, "PAN cannot be kept"),
        ("[actions]\nSAD = 'token'\n", 2, "SAD must be dropped"),
        ("[actions]\nPERSON = 'mask'\n", 2, "PERSON cannot be masked"),
        ("[keys]\nPAN = 'pan'\n", 2, "PAN is not a list of texts"),
        ("[keys]\nPAN = ['12']\n", 2, "a key of PAN has no letter"),
        ("[names]\nvocabulary = ['absent.txt']\n", 2, "cannot read absent.txt"),
        ("[pan]\ntoken_ranges = ['9-8']\n", 2, "not a range of prefixes"),
    ],
)
def test_a_bad_policy_names_its_line(tmp_path: Path, text: str, line: int, problem: str) -> None:
    with pytest.raises(RedactionError) as caught:
        Redactor.from_policy(_file(tmp_path, text))
    said = str(caught.value)
    assert problem in said
    assert f"mine.toml:{line}:" in said
    assert "\n" not in said
    assert caught.value.mend


def test_a_file_that_is_absent_or_not_toml_is_one_line(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.toml", _file(tmp_path, "[pan\n")):
        with pytest.raises(RedactionError) as caught:
            Redactor.from_policy(path)
        assert "\n" not in str(caught.value)


def test_an_unknown_presidio_recognizer_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RedactionError, match="no recognizer Nope"):
        Redactor.from_policy(_file(tmp_path, "[presidio]\nrecognizers = ['Nope']\n")).redact("x")


def test_the_hash_follows_the_meaning_not_the_comments(tmp_path: Path) -> None:
    shipped = Policy.default()
    assert Policy.load(_file(tmp_path, "# nothing changed\n")).hash == shipped.hash
    assert Policy.load(_file(tmp_path, "[pan]\nbin_digits = 8\n")).hash != shipped.hash
    assert len(shipped.hash) == 64
    redactor = Redactor.default()
    assert (redactor.policy_version, redactor.policy_hash) == (shipped.version, shipped.hash)


def test_what_is_left_out_is_as_shipped(tmp_path: Path) -> None:
    mine = Policy.load(_file(tmp_path, "[actions]\nEMAIL = 'drop'\n"))
    assert mine.actions["PAN"] == "token"
    assert mine.actions["EMAIL"] == "drop"
    assert mine.keys == Policy.default().keys


@pytest.mark.parametrize(
    ("setting", "shown"),
    [
        ("[pan]\nbin_digits = 8", "<PAN_1 visa 45395787>"),
        ("[pan]\nbin_digits = 0", "<PAN_1 visa>"),
        ("[actions]\nPAN = 'mask'", "453957******1486"),
        ("[actions]\nPAN = 'drop'", "<PAN removed>"),
    ],
)
def test_what_is_shown_of_a_pan_is_policy(tmp_path: Path, setting: str, shown: str) -> None:
    assert Redactor.from_policy(_file(tmp_path, setting)).redact(f"card {PAN}").text == f"card {shown}"


def test_keep_counts_and_leaves_and_allow_passes(tmp_path: Path) -> None:
    file = _file(tmp_path, "[actions]\nEMAIL = 'keep'\n[allow]\nvalues = ['10.0.0.1', '93.184.216.34']\n")
    redacted = Redactor.from_policy(file).redact("a@b.example from 93.184.216.34")
    assert redacted.text == "a@b.example from 93.184.216.34"
    assert redacted.counts == {"EMAIL": 1}


def test_keys_of_ones_own(tmp_path: Path) -> None:
    redactor = Redactor.from_policy(_file(tmp_path, "[keys]\nNATIONAL_ID = ['kunden_nr']\n"))
    assert "778899" not in redactor.redact("kundenNr=778899 ok").text


def test_a_vocabulary_of_ones_own_lets_words_pass(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("# ours\nzorblax\n", encoding="utf-8")
    redactor = Redactor.from_policy(_file(tmp_path, "[names]\nvocabulary = ['words.txt']\n"))
    assert redactor.redact("sent to Zorblax today").text == "sent to Zorblax today"
    assert "Zorblax" not in Redactor.default().redact("sent to Zorblax today").text


def test_private_addresses_go_when_policy_says_so(tmp_path: Path) -> None:
    redactor = Redactor.from_policy(_file(tmp_path, "[ip]\nkeep_private = false\n"))
    assert "10.1.2.3" not in redactor.redact("from 10.1.2.3").text
