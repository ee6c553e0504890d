"""The same value has the same token within an incident, and in no other place."""

from __future__ import annotations

import threading

from redaction import Redactor
from redaction.tokens import Tokens

PAN = "4539578763621486"


def test_one_incident_one_token_however_it_is_written() -> None:
    incident = Redactor.default().for_incident("INC-1")
    texts = (f"a {PAN}", "b 4539-5787-6362-1486", "c %34539578763621486", f'{{"pan": {PAN}}}')
    assert all("<PAN_1 visa 453957>" in incident.redact(text).text for text in texts)
    assert incident.redact_labels({"card": PAN}) == {"card": "<PAN_1 visa 453957>"}
    assert incident.redact_value({"x": int(PAN)}).value == {"x": "<PAN_1 visa 453957>"}


def test_every_join_that_held_before_holds_after() -> None:
    """Equal stays equal, different stays different, over many values of a class."""
    incident = Redactor.default().for_incident("INC-1")
    mails = [f"user{n}@mail.example" for n in range(300)]
    first = [incident.redact(f"login {m}").text for m in mails]
    again = [incident.redact(f"login {m}").text for m in mails]
    assert first == again
    assert len(set(first)) == len(mails)


def test_incidents_do_not_share_numbers_and_asking_twice_shares_the_map() -> None:
    redactor = Redactor.default()
    redactor.for_incident("INC-1").redact("5425233430109903")
    assert "<PAN_2 visa" in redactor.for_incident("INC-1").redact(PAN).text
    assert "<PAN_1 visa" in redactor.for_incident("INC-2").redact(PAN).text


def test_after_forgetting_or_a_restart_the_epoch_is_in_the_token() -> None:
    redactor = Redactor.default()
    redactor.for_incident("INC-1").redact(PAN)
    redactor.forget("INC-1")
    assert redactor.for_incident("INC-1").redact(PAN).text == "<PAN_2.1 visa 453957>"
    assert Redactor.default().for_incident("INC-1", epoch=3).redact(PAN).text == "<PAN_3.1 visa 453957>"


def test_a_full_map_begins_a_new_epoch_instead_of_growing() -> None:
    tokens = Tokens(b"k" * 16, "scope", capacity=3)
    assert [tokens.name("PAN", str(n)) for n in range(5)] == ["PAN_1", "PAN_2", "PAN_3", "PAN_2.1", "PAN_2.2"]


def test_the_map_holds_no_value() -> None:
    tokens = Tokens(b"k" * 16, "scope")
    tokens.name("PAN", PAN)
    assert PAN not in repr(tokens.__dict__)


def test_threads_agree_on_tokens() -> None:
    incident = Redactor.default().for_incident("INC-1")
    texts = [f"mail user{n}@mail.example" for n in range(100)]
    answers: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: answers.append([incident.redact(t).text for t in texts])) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert len({tuple(a) for a in answers}) == 1


def test_counts_are_totals_over_all_incidents() -> None:
    redactor = Redactor.default()
    redactor.redact(PAN)
    redactor.for_incident("INC-1").redact(f"{PAN} a@b.example")
    assert redactor.counts == {"PAN": 2, "EMAIL": 1}


def test_what_was_removed_is_an_incidents_own() -> None:
    redactor = Redactor.default()
    redactor.redact(PAN)
    first, second = redactor.for_incident("INC-1"), redactor.for_incident("INC-2")
    first.redact(f"{PAN} a@b.example")
    second.redact(PAN)
    assert (first.removed, second.removed) == ({"PAN": 1, "EMAIL": 1}, {"PAN": 1})
    assert redactor.for_incident("INC-1").removed == {}, "looked into again, it counts from nothing"
    assert redactor.removed == {"PAN": 1}
