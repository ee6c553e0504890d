from dataclasses import replace

import pytest

from assistant.errors import RunbookIndexError
from assistant.runbook_index.cache import pack, unpack
from assistant.runbook_index.document import parse_runbook, words
from assistant.runbook_index.steps import quoted_steps, shorten


def parse(text: str, path: str = "a/Thing.md"):
    return parse_runbook(text, path=path, digest="0" * 64)


def test_front_matter_names_alerts_services_and_owner() -> None:
    book = parse("---\nalertnames: [A, B]\nservices: [ledger]\nowner: team\ngeneric: true\n---\n# Title\n")
    assert (book.alertnames, book.services, book.owner, book.generic) == (("A", "B"), ("ledger",), "team", True)
    assert book.title == "Title"


def test_a_file_without_front_matter_is_for_the_alert_its_name_looks_like() -> None:
    assert parse("# X", "KubePodCrashLooping.md").alertnames == ("KubePodCrashLooping",)
    assert parse("# X", "how-to-write.md").alertnames == ()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("---\nalertnames: [A\n---\n# T\n", ":"),
        ("---\n- a\n- b\n---\n", ":1"),
        ("---\nalertnames: 7\n---\n", ":1"),
        ("---\nowner: x\n# never closed\n", ":1"),
    ],
)
def test_broken_front_matter_is_one_line_with_the_place(text: str, line: str) -> None:
    with pytest.raises(RunbookIndexError) as raised:
        parse(text)
    assert str(raised.value).startswith(f"a/Thing.md{line}")
    assert "\n" not in str(raised.value)


def test_a_hash_in_a_fence_is_no_heading_and_setext_headings_count() -> None:
    book = parse("Title\n=====\n\nMeaning\n-------\n\n```sh\n# not a heading\nls\n```\n\ntext\n")
    assert [s.trail for s in book.sections] == [("Title",), ("Title", "Meaning")]
    fence = book.sections[1].fences[0]
    assert (fence.language, fence.code, fence.line) == ("sh", "# not a heading\nls\n", 8)


def test_a_heading_below_another_keeps_the_trail_and_a_sibling_drops_it() -> None:
    book = parse("# T\n## Diagnosis\n### Deep\nx\n## Mitigation\ny\n")
    assert book.sections[2].trail == ("T", "Diagnosis", "Deep")
    assert book.sections[3].trail == ("T", "Mitigation")


def test_steps_are_first_paragraphs_of_list_items_in_diagnosis_and_mitigation() -> None:
    book = parse(
        "# T\n## Meaning\n- not a step\n## Diagnosis\n1. **Look** here\n   and there.\n\n   ```promql\n   up\n   ```\n"
        "2. Then\n   - nested is left out\n## Mitigation\n1. Act. Risk: some.\n"
    )
    assert quoted_steps(book) == ("Look here and there.", "Then", "Act. Risk: some.")


def test_a_long_step_ends_after_a_sentence_and_a_longer_sentence_at_a_word() -> None:
    assert shorten("First sentence. " + "Second one goes on " * 20) == "First sentence."
    cut = shorten("word " * 100)
    assert len(cut) <= 220 and cut.endswith("…")


def test_a_packed_runbook_comes_back_equal() -> None:
    book = replace(parse("---\nalertnames: [A]\n---\n# T\nlead\n## Diagnosis\n1. x\n"), extra={}, origin="here")
    assert unpack(pack(book), origin="here") == book


@pytest.mark.parametrize(
    ("name", "spoken"), [("KubeAPIDown", "Kube API Down"), ("issuer_unavailable", "issuer unavailable"), ("X", "X")]
)
def test_names_are_split_into_words(name: str, spoken: str) -> None:
    assert words(name) == spoken
