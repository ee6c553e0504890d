import subprocess
from pathlib import Path

import pytest

from assistant.errors import RunbookIndexError
from assistant.runbook_index.folders import MAX_BYTES, RawFile, Skipped, read_folder, read_git


def reasons(found) -> dict[str, str]:
    return {f.path: f.reason for f in found if isinstance(f, Skipped)}


def test_files_come_sorted_and_readmes_hidden_and_other_files_do_not(tmp_path: Path) -> None:
    for name in ("b/B.md", "A.markdown", "README.md", "x.txt", ".git/C.md", "b/.draft/D.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("# t")
    assert [f.path for f in read_folder(tmp_path)] == ["A.markdown", "b/B.md"]


def test_each_unusable_file_is_left_out_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "big.md").write_bytes(b"x" * 5_000_000)
    (tmp_path / "binary.md").write_bytes(b"\x7fELF\0\0\1")
    (tmp_path / "latin.md").write_bytes("Zürich".encode("latin-1"))
    (tmp_path / "empty.md").write_text(" \n")
    (tmp_path / "good.md").write_text("# good")
    found = list(read_folder(tmp_path))
    assert reasons(found) == {
        "big.md": f"5,000,000 bytes is over the limit of {MAX_BYTES:,}: give each runbook a file",
        "binary.md": "a binary file",
        "latin.md": "not UTF-8 text",
        "empty.md": "empty",
    }
    assert [f.path for f in found if isinstance(f, RawFile)] == ["good.md"]


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text("# private")
    folder = tmp_path / "books"
    folder.mkdir()
    (folder / "Out.md").symlink_to(secret)
    (folder / "Dangling.md").symlink_to(folder / "nowhere.md")
    (folder / "Real.md").write_text("# r")
    (folder / "In.md").symlink_to(folder / "Real.md")
    found = list(read_folder(folder))
    assert reasons(found) == {
        "Out.md": "a link that leads out of the folder",
        "Dangling.md": "cannot be read: No such file or directory",
    }
    assert {f.path for f in found if isinstance(f, RawFile)} == {"Real.md", "In.md"}


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunbookIndexError, match="is not a directory"):
        list(read_folder(tmp_path / "absent"))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    repo = tmp_path / "repo"
    (repo / "docs").mkdir(parents=True)
    (repo / "docs" / "A.md").write_text("# committed")
    (repo / "docs" / "bin.md").write_bytes(b"\0")
    (repo / "other.md").write_text("# other")
    (repo / "docs" / "Link.md").symlink_to("/etc/hostname")
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    for args in (("init", "-q", "-b", "main"), ("add", "-A"), (*identity, "commit", "-q", "-m", "one")):
        subprocess.run(["git", "-C", str(repo), *args], check=True)
    (repo / "docs" / "A.md").write_text("# not committed")
    return repo


def test_git_gives_what_is_committed_below_the_subfolder_and_follows_no_link(repository: Path) -> None:
    found = list(read_git(f"{repository}@main:docs"))
    assert [(f.path, f.text) for f in found if isinstance(f, RawFile)] == [("A.md", "# committed")]
    assert reasons(found) == {"Link.md": "a link; only files are read from Git", "bin.md": "a binary file"}


@pytest.mark.parametrize("spec", ["{}@nosuchref", "{}/absent", "{}@--upload-pack=x"])
def test_a_git_place_that_cannot_be_read_is_one_line(repository: Path, spec: str) -> None:
    with pytest.raises(RunbookIndexError):
        list(read_git(spec.format(repository)))
