"""Values judged by the key that stands before them: JSON, logfmt, headers, query strings, XML, SQL, arguments.

The key *of the value itself* decides, never a word somewhere near: in logfmt, "within 30 characters" takes the
neighbour's value. A key is read as words (`payment.cardNumber` is payment, card, number) and matches a policy key when
its last words are the policy key's words, however they are glued: `card_number`, `cardNumber`, `CARDNUMBER`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import product

from redaction.cards import Hit
from redaction.finding import beginning_with

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_GAP = re.compile(r"[^0-9A-Za-z\n\x80-\U0010ffff]{0,2}")
# What may stand behind the last word of a key, for instance `[]`; a letter of another script makes it another word.
_TAIL = re.compile(r"[^0-9A-Za-z\n\x80-\U0010ffff]{0,4}")
_MAX_WORDS = 5

_VALUE = (
    r"(?:(?P<q>[\"'])(?P<quoted>(?:(?!(?P=q))[^\n]){0,4096})(?P=q)"
    r"|\[\s{0,4}(?P<listed>[^\[\]{}\n]{0,1024})\]"
    r"|[\"']?(?P<bare>[^\s,;&|\"'<>(){}\[\]]{1,4096}))"  # a quote that never closes: the line was cut
)
_KEY = re.compile(
    r"(?<![\w.\-])(?:-D|-{0,2})([A-Za-z_@][\w.\-\[\]$@]{0,96}+)[\"'`]{0,2}+[ \t]{0,8}+(?:=>|:=|==|=|:(?!:))[ \t]{0,8}+"
    r"(?:(?:Some|Just|Ok|Optional|String|Secret)[(\[]|[bru](?=[\"']))?"  # what languages put around a value
)
_NESTED = 256
_PAIRED = re.compile(_VALUE)
_ARGUMENT = re.compile(r"(?<![\w\-])--?(?P<key>[A-Za-z][\w\-]{1,48}+)[ \t]{1,2}(?!-)" + _VALUE)
_ELEMENT = re.compile(
    r"<(?:\w{1,32}:)?(?P<key>[A-Za-z_][\w.\-]{0,64})(?:\s[^<>]{0,256})?>(?:<!\[CDATA\[)?(?P<bare>[^<>]{1,1024}?)(?:\]\]>)?</"
)
_FIELD = re.compile(
    r"(?i)<field\s{1,4}(?:id|name)=[\"'](?P<key>\d{1,3}|[\w.\-]{1,64})[\"']\s{1,4}value=[\"'](?P<bare>[^\"'<>]{1,2048})[\"']"
)
_INSERT = re.compile(
    r"(?i)\binsert\s{1,4}into\s{1,4}[\w.\"`\[\]]{1,64}\s{0,4}\((?P<columns>[^()]{1,2048})\)\s{0,4}values\s{0,4}\((?P<values>[^()]{1,4096})\)"
)
_SQL_VALUE = re.compile(r"\s*('(?:[^']|'')*'|[^,]*)(?:,|$)")

_NOTHING = re.compile(
    r"(?i)(?:null|none|nil|undefined|true|false|yes|no|n/?a|unknown|redacted|removed|masked|present|absent|missing|empty|invalid|required"
    r"|valid|match(?:ed)?|mismatch|[*xX•#.\-_]+|<[^<>]*>|\[[A-Za-z ]*\]|\{[A-Za-z ]*\}|%[sdvq]|\$\{?\w+\}?|)"
)
_MASKED_PAN = re.compile(r"[0-9]{0,8}[ \-]?[*xX•#.]{1,}[*xX•#.0-9 \-]{0,24}")
_DIGITS = re.compile(r"[0-9]")
_NUMBERISH = re.compile(r"[0-9][0-9 .\-_/]{6,40}[0-9]")
_HOST = re.compile(
    r"(?:[\w.\-\[\]:]+:\d{1,5}|[\w\-]+(?:\.[\w\-]+)+|\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F:]*::?[0-9a-fA-F:]*|(?:tcp|udp|https?)://\S+)"
)


# Words that nothing else ends in: `dbpassword`, `customercardnumber` say what they hold although they are one word.
_GLUED = tuple(
    (word, klass)
    for klass, words in {
        "SECRET": "password passwd passphrase apikey apitoken authtoken accesstoken clientsecret secretkey privatekey",
        "PAN": "cardnumber cardno cardnum",
        "SAD": "cvv cvv2 cvc2 pinblock track1 track2",
    }.items()
    for word in words.split()
)


def words_of(key: str) -> tuple[str, ...]:
    """`payment.cardNumber` -> payment, card, number."""
    return tuple(word.lower() for word in _WORDS.findall(key))


def _begins(key: str, at: int) -> bool:
    """Not in the middle of a word: `3f52` is no field 52."""
    return at == 0 or not key[at - 1].isalnum() or (key[at].isupper() and key[at - 1].islower())


class KeyTable:
    """Which class a key gives its value. `keys` maps a class to its policy keys, written `card_number`."""

    def __init__(self, keys: Mapping[str, tuple[str, ...]]) -> None:
        self._table: dict[tuple[str, ...], str] = {}
        self._cache: dict[str, str] = {}
        self._stems: list[str] = []
        for klass, names in keys.items():
            for name in names:
                self._add(words_of(name), klass)

    def _add(self, words: tuple[str, ...], klass: str) -> None:
        for joints in product((False, True), repeat=len(words) - 1):
            glued = [words[0]]
            for joined, word in zip(joints, words[1:], strict=True):
                if joined:
                    glued[-1] += word
                else:
                    glued.append(word)
            self._table.setdefault(tuple(glued), klass)
        self._stems.append(r"[^0-9A-Za-z\n]{0,2}".join(words))

    def klass(self, key: str) -> str:
        """The class of a value under `key`, or "" if the key says nothing."""
        known = self._cache.get(key)
        if known is not None:
            return known
        if len(self._cache) > 20_000:
            self._cache.clear()
        found = self._find(key)
        self._cache[key] = found
        return found

    def _find(self, key: str) -> str:
        """The longest run of last words that the table knows, from a place where a word may begin."""
        words = list(_WORDS.finditer(key))
        if words and not _TAIL.fullmatch(key, words[-1].end()):
            return ""
        first = len(words)
        while (
            first > 0
            and len(words) - first < _MAX_WORDS
            and (first == len(words) or _GAP.fullmatch(key, words[first - 1].end(), words[first].start()))
        ):
            first -= 1
        for at in range(first, len(words)):
            klass = self._table.get(tuple(word[0].lower() for word in words[at:]))
            if klass is not None and _begins(key, words[at].start()):
                return klass
        last = "".join(word[0].lower() for word in words[-2:])
        return next((klass for end, klass in _GLUED if last.endswith(end)), "")

    def triggers(self, *, after: str = r"[^0-9A-Za-z\n]{0,6}[ \t]{0,8}[:=]") -> tuple[str, ...]:
        """One must match before a key of this table can stand before a value. `after`: what stands between."""
        stems = sorted(set(self._stems))
        grouped = [stems[i : i + 40] for i in range(0, len(stems), 40)]
        return tuple(rf"(?i)(?:{'|'.join(group)}){after}" for group in grouped)


def keyed(klass: str, value: str) -> tuple[int, int, str] | None:
    """What of `value` under a key of `klass` is to go: (start, end, canonical value), or None if nothing is.

    PAN: eight digits or more even when the check digit fails, but not a truncated `411111******1111`.
    """
    judge = _JUDGES.get(klass)
    start = len(value) - len(value.lstrip())
    end = len(value.rstrip())
    bare = value[start:end]
    if not bare or _NOTHING.fullmatch(bare) or (judge is not None and not judge(bare)):
        return None
    return start, end, _canonical(klass, bare)


def _canonical(klass: str, value: str) -> str:
    if klass in {"PAN", "BANK_ACCOUNT", "PHONE", "NATIONAL_ID"}:
        return re.sub(r"[^0-9A-Za-z]", "", value).upper()
    return value.casefold() if klass in {"PERSON", "EMAIL", "ADDRESS"} else value


def _is_pan_like(value: str) -> bool:
    if _MASKED_PAN.fullmatch(value) and not value.replace(".", "").replace("-", "").replace(" ", "").isdigit():
        return False
    return bool(_NUMBERISH.fullmatch(value)) and len(_DIGITS.findall(value)) >= 8


def _has_digits(least: int, most: int) -> Callable[[str], bool]:
    return lambda value: least <= len(_DIGITS.findall(value)) <= most


def _is_short_code(value: str) -> bool:
    digits = value.rstrip("#*")  # as typed on a telephone
    return digits.isdigit() and 3 <= len(digits) <= 12


def _is_secret(value: str) -> bool:
    return len(value) >= 4 and not value.isdigit()


def _is_address(value: str) -> bool:
    return len(value) >= 3 and not _HOST.fullmatch(value)


_JUDGES: dict[str, Callable[[str], bool]] = {
    "PAN": _is_pan_like,
    "SAD": lambda value: _DIGITS.search(value) is not None,
    "SAD_CODE": _is_short_code,
    "SECRET_CODE": lambda value: value.isalnum() and 4 <= len(value) <= 12,
    "BANK_ACCOUNT": _has_digits(5, 34),
    "PHONE": _has_digits(6, 18),
    "NATIONAL_ID": _has_digits(4, 24),
    "DOB": _has_digits(4, 17),
    "EMAIL": lambda value: "@" in value,
    "PERSON": lambda value: any(c.isalpha() for c in value) and len(value) > 1,
    "ADDRESS": _is_address,
    "SECRET": _is_secret,
}
_RUNS_ON = frozenset({"PERSON", "ADDRESS"})
_MORE = re.compile(r"(?:[ \t]+(?![\w.\-]+[=:])[^\s,;|\"'<>(){}\[\]=:]+){1,12}")
_MORE_NAMES = re.compile(r"(?:[ \t](?![\w.\-]+[=:])[^\W\d_a-z][^\W\d_]*(?:['’.\-][^\W\d_]+)*\.?){1,5}")


Find = Callable[[str], Iterator[Hit]]


def pairs(table: KeyTable) -> Find:
    """`key=value`, `"key": value`, `key => value`: every value in a text whose own key has a class."""

    def find(text: str) -> Iterator[Hit]:
        klass_of = table.klass
        seen = 0  # keys inside a value that was looked at whole get a short look: `a=a=a=…` stays linear
        for match in _KEY.finditer(text):
            klass = klass_of(match[1])
            if klass:
                value = _PAIRED.match(text, match.end(), match.end() + (_NESTED if match.start() < seen else len(text)))
                if value:
                    seen = max(seen, value.end())
                    yield from _value(klass, text, value, match[1])

    return find


def arguments(table: KeyTable) -> Find:
    """`--key value` of a command line."""
    return _matching(table, _ARGUMENT)


def elements(table: KeyTable) -> Find:
    """`<key>value</key>`, and jPOS's `<field id="35" value="…"/>`."""
    within, fields = _matching(table, _ELEMENT), _matching(table, _FIELD)

    def find(text: str) -> Iterator[Hit]:
        yield from within(text)
        yield from fields(text)

    return find


def columns(table: KeyTable) -> Find:
    """`INSERT INTO cards (pan, cvv) VALUES ('…', '123')`: values by the column of the same place."""

    def find(text: str) -> Iterator[Hit]:
        for match in _INSERT.finditer(text):
            yield from _inserted(text, match, table)

    return find


ARGUMENT_TRIGGERS = (r"[^0-9A-Za-z_\-]-{1,2}[A-Za-z][0-9A-Za-z_\-]{1,48}[ \t]{1,2}[^ \t\-]",)
ELEMENT_TRIGGERS = (r"</[A-Za-z]", r"(?i)<field\s")
COLUMN_TRIGGERS = (r"(?i)insert\s{1,4}into\s",)


def _matching(table: KeyTable, pattern: re.Pattern[str]) -> Find:
    def find(text: str) -> Iterator[Hit]:
        for match in pattern.finditer(text):
            key = match["key"]
            klass = table.klass("de" + key.lstrip("0") if pattern is _FIELD and key.isdigit() else key)
            if klass:
                yield from _value(klass, text, match, key)

    return find


def _value(klass: str, text: str, match: re.Match[str], key: str) -> Iterator[Hit]:
    groups = match.groupdict()
    name = next(n for n in ("quoted", "listed", "bare") if groups.get(n) is not None)
    start, end = match.span(name)
    if name == "listed":
        for item in re.finditer(r"[^,\s\"'][^,\"']{0,512}", text[start:end]):
            yield from judged(klass, item[0], start + item.start())
        return
    if name == "bare" and klass in _RUNS_ON and match.re is _PAIRED:
        more = (_MORE_NAMES if klass == "PERSON" else _MORE).match(text, end)
        end = more.end() if more else end
    if klass == "SECRET":
        end = _whole_secret(text, key, name, end)
    if klass == "PAN" and name == "bare":
        more = re.compile(r"(?:[ \-.][0-9]{2,6}(?![0-9A-Za-z=:])){1,4}").match(text, end)
        end = more.end() if more else end
    yield from judged(klass, text[start:end], start)


_HEADER = re.compile(r"(?i)(?:proxy-?)?authorization|(?:set-?)?cookie")


def _whole_secret(text: str, key: str, name: str, end: int) -> int:
    """A header's value runs to the end of its line or quote: `Cookie: a=1; b=2`, `Authorization: Basic …`."""
    if name != "bare" or not _HEADER.search(key):
        return end
    more = re.compile(r"[^\"'\n\r\\]{0,4096}").match(text, end)
    return more.end() if more else end


def judged(klass: str, value: str, at: int) -> Iterator[Hit]:
    """The hit, if any, in a value that stands at this place under a key of this class."""
    found = keyed(klass, value)
    if found is not None:
        start, end, canonical = found
        yield Hit(at + start, at + end, klass.removesuffix("_CODE"), canonical)


def _inserted(text: str, match: re.Match[str], table: KeyTable) -> Iterator[Hit]:
    names = [name.strip(' "`[]\n\t') for name in match["columns"].split(",")]
    at = match.start("values")
    for name, value in zip(names, _SQL_VALUE.finditer(match["values"]), strict=False):
        klass = table.klass(name)
        if klass:
            raw = value[1]
            shift = len(raw) - len(raw.lstrip("' "))
            yield from judged(klass, raw.strip("' "), at + value.start(1) + shift)


# -- authentication data in prose ------------------------------------------------------------------------------------

_SPOKEN_CVV = re.compile(
    r"(?i)(?<![A-Za-z])(?:card[\s_.\-]{0,2})?(?:cvv2?|cvc2?|cvn2?|cav2|csc|cvd|security[\s_\-]{0,8}code|verification[\s_\-]{0,8}(?:code|value))"
    r"(?:\s{1,3}(?:is|was|of|code|number|no|value|got|entered|provided|received|on|the|back|card)){0,5}[\s:=#\-/(\"'_>]{0,7}(?:is\s)?[\"']?([0-9]{3,4})(?![0-9A-Za-z])"
)
_SPOKEN_PIN = re.compile(
    r"(?i)(?<![A-Za-z])PIN(?:\s{1,3}(?:is|was|code|number|value|entered)){0,3}[\s:=#(\"']{1,6}([0-9]{4,12})(?![0-9A-Za-z])"
)
_PIN_BLOCK = re.compile(
    r"(?i)pin\s?-?_?block[^0-9A-Za-z]{1,8}(?:is\s)?((?:[0-9A-F]{4} ?){3}[0-9A-F]{4})(?![0-9A-Za-z])"
)
_SPOKEN_CODE = re.compile(
    r"(?i)(?<![A-Za-z])(?:one[ \-]time (?:password|passcode|code|pin)|otp|sms[ \-]?code|(?:verification|authentication|login|security|2fa|mfa) code)"  # noqa: E501
    r"(?:\s{1,3}(?:is|was|number|no)){0,2}[\s:=#(\"']{1,4}([0-9]{4,8})(?![0-9A-Za-z])"
)
SPOKEN_TRIGGERS = (
    r"(?i)[^a-z](?:card[\s_.\-]{0,2})?(?:cvv|cvc|cvn|cav2|csc|cvd|(?:security|verification)[\s_\-]{0,8}(?:code|value))2?[^0-9]{0,60}[0-9]{3}",
    r"(?i)[^a-z]pin[^0-9]{0,60}[0-9]{4}",
    r"(?i)pin\s?-?_?block[^0-9a-z]",
    r"(?i)(?:password|passcode|code|pin|otp)[^0-9]{1,24}[0-9]{4}",
)
_SPOKEN = (
    (("cv", "cav2", "csc", "security", "verification", "card"), _SPOKEN_CVV),
    (("pin",), _SPOKEN_PIN),
    (("pin",), _PIN_BLOCK),
)


_CODE_STEMS = ("one", "otp", "sms", "verification", "authentication", "login", "security", "2fa", "mfa")


def spoken(text: str) -> Iterator[Hit]:
    """`CVV is 123`, `PIN 4921`, `pin block 04123ABC…` in prose (PCI DSS 3.3.1: never stored); one-time codes too."""
    for stems, pattern in _SPOKEN:
        for match in beginning_with(stems, pattern, text):
            yield Hit(match.start(1), match.end(1), "SAD", match[1])
    for match in beginning_with(_CODE_STEMS, _SPOKEN_CODE, text):
        yield Hit(match.start(1), match.end(1), "SECRET", match[1])


_PARTY = re.compile(r"(?<![0-9A-Za-z]):5(?:0[AFHK]?|9[AF]?):(?P<party>[^:{}]{3,400}?)(?=\n:|\r\n:|\n-\}|-\}|$|:\d\d)")
PARTY_TRIGGERS = (r"[^0-9A-Za-z]:5[09][AFHK]?:",)


def swift_party(text: str) -> Iterator[Hit]:
    """Ordering customer (50) and beneficiary (59) of a SWIFT MT message: account, name and address."""
    for match in _PARTY.finditer(text):
        yield Hit(match.start("party"), match.end("party"), "PERSON", match["party"])
