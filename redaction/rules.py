"""Every rule, by name: what triggers it, and what it finds. The fast path and Presidio run the same ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from redaction import cards, key_forms, keys, names, parted, personal, secrets, shapes
from redaction.cards import Hit
from redaction.policy import Policy


@dataclass(frozen=True, slots=True)
class Rule:
    """`find(text)` gives hits in a view's text. No trigger means that it runs on every text.

    `classes` are those that its hits may have.
    """

    name: str
    classes: tuple[str, ...]
    triggers: tuple[str, ...]
    find: Callable[[str], Iterable[Hit]]


def build(policy: Policy) -> tuple[Rule, ...]:
    """The rules of our own under a policy, in a fixed order."""
    table, card_table = keys.KeyTable(policy.keys), key_forms.card_table(policy.keys)
    gate = names.Gate(vocabulary_of(policy), keys=key_words_of(policy), prose=policy.prose_keys)
    classes = tuple(klass for klass in policy.keys if not klass.endswith("_CODE"))
    return (
        Rule("hexdump", ("LINE",), shapes.HEXDUMP_TRIGGERS, shapes.hexdump),
        Rule("packed_bcd", ("LINE",), shapes.BCD_TRIGGERS, shapes.packed_bcd),
        Rule("iso8583", ("LINE",), shapes.ISO8583_TRIGGERS, shapes.iso8583),
        Rule("pan", ("PAN",), cards.RUN_TRIGGERS, cards.pans),
        Rule("pan_scientific", ("PAN",), cards.SCIENTIFIC_TRIGGERS, cards.scientific),
        Rule("pan_listed", ("PAN",), cards.LISTED_TRIGGERS, cards.listed),
        Rule("pan_spelled", ("PAN",), cards.SPELLED_TRIGGERS, cards.spelled),
        Rule("pan_parted", ("PAN",), parted.PARTED_TRIGGERS, parted.parted),
        Rule("track1", ("TRACK",), cards.TRACK1_TRIGGERS, cards.track1),
        Rule("track2", ("TRACK",), cards.TRACK2_TRIGGERS, cards.track2),
        Rule("emv", ("PAN", "TRACK"), cards.EMV_TRIGGERS, cards.emv),
        Rule("card_and_cvv", ("SAD",), cards.DUMP_TRIGGERS, cards.card_and_cvv),
        Rule("keyed", classes, table.triggers(), keys.pairs(table)),
        Rule("keyed_argument", classes, keys.ARGUMENT_TRIGGERS, keys.arguments(table)),
        Rule("keyed_element", classes, keys.ELEMENT_TRIGGERS, keys.elements(table)),
        Rule("keyed_column", classes, keys.COLUMN_TRIGGERS, keys.columns(table)),
        Rule("keyed_elsewhere", classes, key_forms.STRONG_TRIGGERS, key_forms.paired_elsewhere(table)),
        Rule("keyed_weakly", classes, key_forms.weak_triggers(card_table), key_forms.weakly_paired(card_table)),
        Rule("spoken", ("SAD", "SECRET"), keys.SPOKEN_TRIGGERS, keys.spoken),
        Rule("swift_party", ("PERSON",), keys.PARTY_TRIGGERS, keys.swift_party),
        *(Rule(f"secret_{s.name}", ("SECRET",), s.triggers, s.find) for s in secrets.shapes()),
        Rule("iban", ("IBAN",), personal.IBAN_TRIGGERS, personal.iban),
        Rule("bank_number", ("BANK_ACCOUNT",), personal.BANK_TRIGGERS, personal.bank_number),
        Rule("national_id", ("NATIONAL_ID",), personal.NATIONAL_TRIGGERS, personal.national_id),
        Rule("email", ("EMAIL",), personal.EMAIL_TRIGGERS, personal.email),
        Rule("email_spelled", ("EMAIL",), personal.SPELLED_TRIGGERS, personal.email_spelled),
        Rule("phone", ("PHONE",), personal.PHONE_TRIGGERS, personal.phone),
        Rule("birth_date", ("DOB",), personal.BORN_TRIGGERS, personal.birth_date),
        Rule("street", ("ADDRESS",), personal.STREET_TRIGGERS, personal.street),
        Rule("ip_address", ("IP",), personal.IP_TRIGGERS, personal.ip_address(keep_private=policy.keep_private)),
        Rule("name_titled", ("PERSON",), names.TITLE_TRIGGERS, gate.titled),
        Rule("name_honored", ("PERSON",), names.HONORED_TRIGGERS, gate.honored),
        Rule("name_listed", ("PERSON",), gate.listed_triggers(), gate.listed),
    )


def vocabulary_of(policy: Policy) -> names.Vocabulary:
    shipped = names.default_vocabulary()
    common = shipped.common if policy.default_vocabulary else frozenset[str]()
    return names.Vocabulary(common | policy.vocabulary, shipped.given, shipped.family)


def key_words_of(policy: Policy) -> names.KeyWords:
    return names.KeyWords(policy.exempt_keys, policy.people_keys)
