"""Folders of other shapes than ours: a page a folder, all in one file, other languages, exports of wikis."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.runbook_index.folders import RawFile, Skipped, read_folder, read_git
from assistant.runbook_index.library import read_files
from assistant.runbook_index.several import several, slug
from tests.runbooks.test_folders import reasons
from tests.runbooks.test_index import alert, find
from tests.runbooks.test_store import embedder  # noqa: F401

ONE_FILE = """Our runbooks.

# IssuerDown

The issuer does not answer.

1. Look at the codes.

```sh
# this is no heading
```

# Kafka lag

Consumers of a topic are behind.

# IssuerDown

A second one of the same name.
"""


def put(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_md", ".md")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def names(folder: Path) -> list[str]:
    return [f.path for f in read_folder(folder) if isinstance(f, RawFile)]


def test_a_folders_only_page_is_a_runbook_and_an_index_of_others_is_not(tmp_path: Path) -> None:
    put(tmp_path, README_md="all", a__README_md="list", a__IssuerDown__README_md="# Issuer down", b__index_md="# B")
    put(tmp_path, a__KafkaLag_md="# lag", CONTRIBUTING_md="how", Security_md="whom")
    assert names(tmp_path) == ["a/IssuerDown/README.md", "a/KafkaLag.md", "b/index.md"]


def test_a_folders_page_is_for_the_alert_that_the_folder_is_named_after(tmp_path: Path, books) -> None:
    put(tmp_path / "books", IssuerDown__README_md="Call the issuer.", KafkaLag__README_md="# Lag")
    index = books()
    assert {r.alertnames for r in index.library.runbooks} == {("IssuerDown",), ("KafkaLag",)}
    assert find(index, alert("KafkaLag")).passages[0].path == "KafkaLag/README.md"
    for url in ("https://git.example.com/x/IssuerDown/README.md", "https://git.example.com/x/IssuerDown/"):
        found = find(index, alert("Other", url=url)).passages[0]
        assert (found.path, found.reason) == ("IssuerDown/README.md", "runbook_url")


def test_several_runbooks_in_one_file_are_found_one_by_one(tmp_path: Path, books) -> None:
    put(tmp_path / "books", all_md=ONE_FILE)
    index = books()
    assert [r.path for r in index.library.runbooks] == ["all.md#issuerdown", "all.md#kafka-lag", "all.md#issuerdown-1"]
    assert [r.title for r in index.library.runbooks] == ["IssuerDown", "Kafka lag", "IssuerDown"]
    by_url = find(index, alert("Unknown", url="https://wiki.example.com/books/all.md#kafka-lag"))
    assert [(p.path, p.reason) for p in by_url.passages][:1] == [("all.md#kafka-lag", "runbook_url")]
    assert find(index, alert("IssuerDown")).passages[0].reason == "alert name"
    assert find(index, question="consumers of a topic are behind").passages[0].title == "Kafka lag"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("# One\n\n## Meaning\n\nx\n\n## Impact\n\ny\n", 1),
        ("---\nalertnames: [A]\n---\n# One\n\n# Two\n", 1),
        ("# Runbooks\n\n## HighErrorRate\n\nx\n\n## DiskFull\n\ny\n", 2),
        ("One\n===\n\nx\n\nTwo\n===\n\ny\n", 2),
        ("# Issuer down\n\n# Impact\n\nx\n\n# Steps\n\ny\n", 1),
        ("> # quoted\n\n> # again\n", 1),
        ("```\n# a\n# b\n```\n", 1),
    ],
)
def test_a_file_is_cut_only_where_runbooks_begin(text: str, parts: int) -> None:
    assert len(several(RawFile("x.md", "", text, "d"))) == parts


def test_a_heading_becomes_the_fragment_that_git_hosts_make() -> None:
    assert slug("Issuer down (91)") == "issuer-down-91"
    assert slug("Ärger mit Karten!") == "ärger-mit-karten"


def test_a_wiki_that_was_not_exported_as_markdown_is_told_so(tmp_path: Path) -> None:
    put(tmp_path, **{"IssuerDown.html": "<h1>x</h1>", "b/KafkaLag.html": "<h1>y</h1>"})
    (found,) = read_folder(tmp_path)
    assert isinstance(found, Skipped) and "not Markdown, like 2 files here" in found.reason


def test_a_runbook_in_another_language_is_found_in_it_and_by_its_alert(tmp_path: Path, books) -> None:
    put(
        tmp_path / "books",
        AusfallIssuer_md="# Ausfall des Kartenherausgebers\n\nDie Bank antwortet nicht auf Anfragen.",
    )
    put(tmp_path / "books", Cola_md="# Cola de reembolsos\n\nLas devoluciones no salen y la cola crece.")
    put(tmp_path / "books", Kassa_md="# Терминалы не в сети\n\nКассы магазинов не подключаются к хосту.")
    index = books()
    for asked, wanted in (
        ("die Bank antwortet nicht", "AusfallIssuer.md"),
        ("la cola de devoluciones crece mucho", "Cola.md"),
        ("кассы не подключаются", "Kassa.md"),
    ):
        assert index.search(asked, 1)[0][0].path == wanted
    assert find(index, alert("AusfallIssuer")).passages[0].reason == "alert name"


def test_a_long_procedure_keeps_its_steps_and_gives_few_chunks(tmp_path: Path, books) -> None:
    from assistant.runbook_index.chunks import MOST, WORDS, chunks

    steps = "\n".join(f"{n}. Step number {n} of the switch, with some words around it." for n in range(1, 2001))
    put(
        tmp_path / "books", SiteSwitch_md=f"# Switch the site\n\n## Meaning\n\nBoth sites.\n\n## Diagnosis\n\n{steps}\n"
    )
    index = books()
    (runbook,) = index.library.runbooks
    assert sum(len(s.steps) for s in runbook.sections) == 2000
    assert len(chunks(runbook)) == MOST and max(len(c.split()) for c in chunks(runbook)) <= WORDS
    assert len(find(index, alert("SiteSwitch")).next_steps) == 3


def test_git_takes_the_same_shapes(tmp_path: Path) -> None:
    import subprocess

    put(tmp_path, README_md="all", IssuerDown__README_md="# Issuer down", all_md=ONE_FILE)
    for args in (
        ("init", "-q"),
        ("add", "-A"),
        ("-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm1"),
    ):
        subprocess.run(["git", "-C", str(tmp_path), *args], check=True)
    assert [f.path for f in read_git(str(tmp_path))] == ["IssuerDown/README.md", "all.md"]
    assert len(list(read_files((), (str(tmp_path),)))) == 4
    assert not reasons(read_git(str(tmp_path)))
