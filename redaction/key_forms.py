"""Keys and values in the rarer notations: a name here and its value there, types between, dumps of other languages.

Same judgement as in `keys`, by the key of the value itself; only the punctuation differs. Where the punctuation is weak
(`cvv|917`, `[cvv] 917`, a value on the next line) only keys of card data count, and only numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from redaction.cards import Hit
from redaction.keys import Find, KeyTable, judged

_K = r"(?P<key>[\w.\-]{1,64})"
_NAMES = r"(?:name|key|field|id|label|tag|param|k)"
_VALUES = r"(?:value|val|raw|data|content|text|clear|plain|#text|\$|v)"
_STRONG = tuple(
    re.compile(pattern)
    for pattern in (
        # PHP: serialize(), var_dump()
        rf'"{_K}";(?:s:\d{{1,5}}:"(?P<quoted>[^"\n]{{1,1024}})"|i:(?P<bare>\d{{1,20}});)',
        rf'\["{_K}"\]\s?=>\s{{1,8}}(?:string\(\d{{1,5}}\)\s"(?P<quoted>[^"\n]{{1,1024}})"|(?:int|float)\((?P<bare>[\d.]{{1,24}})\))',
        # {"name": "cvv", "value": "917"}, <param name="cvv" value="917"/>
        rf"(?i)(?<!\w){_NAMES}[\"']?\s{{0,2}}[:=]\s{{0,2}}[\"']{_K}[\"']\s{{0,2}}[,;]?\s{{0,4}}[\"']?{_VALUES}[\"']?\s{{0,2}}[:=]\s{{0,2}}[\"']?(?P<bare>[^\"'<>,;{{}}\n]{{1,1024}})",
        # <Data Name="cvv">917</Data>
        rf"(?i)<\w{{1,32}}\s(?:[^<>]{{0,128}}\s)?{_NAMES}=[\"']{_K}[\"'][^<>]{{0,128}}>(?P<bare>[^<>]{{1,1024}})</",
        # {"cvv": {"value": "917"}}
        rf'"{_K}"\s?:\s?\{{\s{{0,4}}"{_VALUES}"\s?:\s?"?(?P<bare>[^"\n,{{}}]{{1,1024}})',
        # multipart/form-data
        rf'name=\\?"{_K}\\?"(?:\r?\n|\\r\\n|\\n){{2}}(?P<bare>[^\r\n\\]{{1,512}})',
        # Spring: Field error in object 'pay' on field 'card.cvc': rejected value [917]; for field [cvc] value [917]
        rf"(?i)[\['\"]{_K}[\]'\"](?: of type \w{{1,32}})?:? ?(?:rejected |invalid |bad )?value:? ?"
        r"[\[('\"](?P<bare>[^\])'\"\n]{1,512})",
        # Kubernetes: a list of names and values
        rf"(?i)(?<!\w)name:[ \t]{{1,4}}[\"']?{_K}[\"']?\s{{1,24}}value:[ \t]{{1,4}}"
        r"[\"']?(?P<bare>[^\s\"'#,}\]]{1,1024})",
        # YAML with a type
        rf"(?<![\w.\-]){_K}:[ \t]{{1,4}}!!?\w{{1,12}}[ \t]{{1,4}}[\"']?(?P<bare>[^\s\"'#]{{1,512}})",
    )
)
STRONG_TRIGGERS = (
    r'";[si]:[0-9]',
    r'"\]\s?=>\s{1,8}(?:string|int|float)\(',
    rf"(?i)[\"']\s{{0,2}}[,;]?\s{{0,4}}[\"']?{_VALUES}[\"']?\s{{0,2}}[:=]",
    rf"(?i)\s{_NAMES}=[\"'][0-9A-Za-z_.\-]{{1,64}}[\"'][^<>]{{0,128}}>",
    rf':\s?\{{\s{{0,4}}"{_VALUES}"\s?:',
    r'name=\\?"[0-9A-Za-z_.\-]{1,64}\\?"(?:\r?\n|\\r\\n|\\n)',
    r"(?i)[\]'\"](?: of type [0-9A-Za-z_]{1,32})?:? ?(?:rejected |invalid |bad )?value:? ?[\[('\"]",
    r"(?i)name:[ \t]{1,4}[^\n\r]{1,68}\s{1,24}value:[ \t]",
    r":[ \t]{1,4}!!?[0-9A-Za-z_]{1,12}[ \t]",
)

_JOINT = (
    r"[\"'\]]{0,2}(?:\||->|\t|[ \t]?[:=]?[ \t]{0,2}[<({\[]\s?|:[ \t]{0,4}(?:[>|][\-+]?)?\r?\n[ \t]{1,8}|\][ \t]{1,2})"
)
_WEAK = re.compile(
    rf"(?<![\w.\-])(?P<key>[A-Za-z_][\w.\-]{{0,64}}+){_JOINT}(?P<bare>[0-9][0-9 \-]{{1,24}}[0-9])(?![0-9A-Za-z.%])"
)
# `DE 52: …`, `field 35 = …`, `F52[…]`: an ISO 8583 field by its number, which stands apart.
_NUMBERED = re.compile(
    r"(?i)(?<![0-9A-Za-z_.\-])(?:DE|F|P|S|field|bit|data[ _]element)[ \-#_]?0{0,2}(?P<key>35|36|45|52|55)(?![0-9])"
    r"[ \t]{0,2}(?:\](?: \[[^\[\]\n]{0,32}\]){1,2}[ \t]?\[|[\]:=\[ (]{1,4})"
    r"(?P<bare>[0-9A-Za-z^=/](?:[0-9A-Za-z^=/]| (?![A-Za-z]{1,5}[0-9]{1,3}[:=])){15,511})"
    r"|(?:^|[\s|,;{\[])0(?:35|36|45|52|55)(?:: ?|=)(?P<row>[0-9A-Fa-f=D]{16,512})(?![0-9A-Za-z])"
)
NUMBERED_TRIGGERS = (
    r"(?i)(?:DE|F|P|S|field|bit|element)[ \-#_]?0{0,2}(?:35|36|45|52|55)[ \t]{0,2}[\]:=\[ (]",
    r"0(?:35|36|45|52|55)(?:: ?|=)[0-9A-Fa-f=D]{16}",
)
_CARD_KEYS = ("PAN", "SAD", "SAD_CODE", "SECRET_CODE")


def paired_elsewhere(table: KeyTable) -> Find:
    """A key and its value in notations that say which is which."""

    def find(text: str) -> Iterator[Hit]:
        for pattern in _STRONG:
            for match in pattern.finditer(text):
                yield from _judged(table, match)

    return find


def card_table(keys: Mapping[str, tuple[str, ...]]) -> KeyTable:
    return KeyTable({klass: names for klass, names in keys.items() if klass in _CARD_KEYS})


def weak_triggers(table: KeyTable) -> tuple[str, ...]:
    return (*table.triggers(after=rf"{_JOINT}[0-9]"), *NUMBERED_TRIGGERS)


def weakly_paired(table: KeyTable) -> Find:
    """A card key beside a number, and ISO 8583 fields by number."""

    def find(text: str) -> Iterator[Hit]:
        for match in _WEAK.finditer(text):
            yield from _judged(table, match)
        for match in _NUMBERED.finditer(text):
            name = "bare" if match["bare"] else "row"
            yield Hit(*match.span(name), "SAD", match[name])

    return find


def _judged(table: KeyTable, match: re.Match[str]) -> Iterator[Hit]:
    klass = table.klass(match["key"])
    if klass:
        group = "quoted" if match.groupdict().get("quoted") is not None else "bare"
        yield from judged(klass, match[group], match.start(group))
