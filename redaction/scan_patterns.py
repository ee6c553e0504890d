"""What the last look looks for besides card numbers: track data, authentication data, secrets, e-mail, IBAN.

Patterns of its own, shared with nothing of the detectors, and never wider than what the detectors remove: a pattern
that also fits honest text stops a note that nobody can then read. `tests/redaction/test_agreement.py` holds both.
"""

# ruff: noqa: E501  a table of patterns reads best with one in a row
from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

Found = tuple[str, int, int]
"""(pattern, start, end) in the text that was looked at."""

TRACK1 = re.compile(r"[A-Z][0-9]{13,19}\^[^^\n]{2,26}\^[0-9]{4}")
TRACK2 = re.compile(r"(?<![0-9])([0-9]{13,19})[=D][0-9]{2}(?:0[1-9]|1[0-2])[0-9]{3}")

_SAD = {
    "cvv": re.compile(
        r"(?i)(?<![a-z])(?:cvv2?|cvc2?|cvn|csc|cav2|card[ _]?security[ _]?code)[\"' \t:=#>]{1,5}(?:is\s)?[\"']?[0-9]{3,4}(?![\w.%])"
    ),
    "pin_block": re.compile(r"(?i)pin[ _-]?block[\"' \t:=>]{1,6}[0-9a-f]{16}(?![0-9a-f])"),
    "pin": re.compile(r"(?i)(?<![a-z_])pin[\"']?[ \t]?[:=][ \t]?[\"']?[0-9]{4,6}(?![\w.%])"),
}
_SECRETS = {
    "aws": re.compile(r"(?<![A-Za-z0-9])A(?:KIA|SIA(?=[A-Z]{0,15}[0-9]))[0-9A-Z]{16}(?![A-Za-z0-9])"),
    "code_host": re.compile(r"gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22}|glpat-[A-Za-z0-9_\-]{20}"),
    "chat": re.compile(
        r"xox[a-z]-[A-Za-z0-9\-]{10}|xapp-[0-9]-[A-Za-z0-9\-]{8}|hooks\.slack\.com/services/T[A-Za-z0-9]{3,16}/B[A-Za-z0-9]{3,16}/[A-Za-z0-9]{8}"
    ),
    "payment": re.compile(
        r"(?<![A-Za-z])[srp]k_(?:live|test)_[A-Za-z0-9]{10}|whsec_(?=[A-Za-z+/]{0,15}[0-9])[A-Za-z0-9+/]{16}"
    ),
    "model": re.compile(r"(?<![A-Za-z0-9_\-])sk-(?:[A-Za-z0-9]{0,8}-){0,2}(?=[A-Za-z]{0,19}[0-9])[A-Za-z0-9]{20}"),
    "vendor": re.compile(
        r"AIza[A-Za-z0-9_\-]{35}|ya29\.[A-Za-z0-9_\-]{20}|SG\.[A-Za-z0-9_\-]{16,64}\.[A-Za-z0-9_\-]{16}|npm_[A-Za-z0-9]{36}|hv[sb]\.[A-Za-z0-9_\-]{20}|glsa_[A-Za-z0-9_]{32}"
    ),
    "private_key": re.compile(r"-----BEGIN[A-Z0-9 ]{1,40}PRIVATE KEY"),
    "jwt": re.compile(r"(?<![A-Za-z0-9\-])eyJ[A-Za-z0-9_\-]{10,1024}\.eyJ[A-Za-z0-9_\-]{6,4096}\.[A-Za-z0-9_\-]{6}"),
    "bearer": re.compile(r"(?i)(?<!\w)bearer[ \t]{1,8}(?=[A-Za-z.~+/_\-]{0,19}[0-9])[A-Za-z0-9.~+/_\-]{20}"),
    "url_password": re.compile(r"[a-z]{3,12}://[^\s/@:\"'<>\\]{0,64}:(?![*x<]{3})[^\s/@\"'<>\\]{3,64}@[A-Za-z0-9\[]"),
    "password": re.compile(
        r"(?i)(?:password|passwd|api_?key|client_secret)[\"']?[ \t]?[:=][ \t]?[\"']?(?=[A-Za-z0-9!?@#%^&.~+/_\-]{0,63}[0-9])(?=[A-Za-z0-9!?@#%^&.~+/_\-]{0,63}[A-Za-z])[A-Za-z0-9!?@#%^.~+/_\-]{8}"
    ),
    "account_key": re.compile(r"AccountKey=[A-Za-z0-9+/]{20}"),
}
_EMAIL = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9.+_%\-]{0,63}@(?:[A-Za-z0-9][A-Za-z0-9\-]{0,62}\.){1,5}[A-Za-z]{2,18}(?![\w@])"
)
_NOT_MAILBOXES = re.compile(
    r"(?i)^(?:git|noreply|no-reply|donotreply)@|\.(?:service|timer|socket|svc|local|target|slice|mount|path|scope|js|py)$"
)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")

# ISO 13616: country codes by the length of their IBANs.
_IBAN_WIDTHS = {
    country: int(width)
    for width, countries in (
        ("15", "NO"), ("16", "BE"), ("18", "DK FI FO GL NL SD FK"), ("19", "MK SI"), ("20", "AT BA EE KZ LT LU MN XK"),
        ("21", "CH HR LI LV"), ("22", "BG BH CR DE GB GE IE ME RS VA"), ("23", "AE GI IL IQ OM SO TL"), ("24", "AD CZ ES MD PK RO SA SE SK TN VG"),
        ("25", "LY PT ST"), ("26", "IS TR"), ("27", "BI DJ FR GR IT MC MR SM"), ("28", "AL AZ BY CY DO GT HN HU LB NI PL SV"),
        ("29", "BR EG PS QA UA"), ("30", "JO KW MU YE"), ("31", "MT SC"), ("32", "LC"), ("33", "RU"),
    )
    for country in countries.split()
}  # fmt: skip


def authentication(text: str) -> Iterator[Found]:
    return _each(_SAD, text)


def secrets(text: str) -> Iterator[Found]:
    return _each(_SECRETS, text)


def _each(patterns: dict[str, re.Pattern[str]], text: str) -> Iterator[Found]:
    return chain.from_iterable(((name, *m.span()) for m in p.finditer(text)) for name, p in patterns.items())


def mailboxes(text: str) -> Iterator[Found]:
    for match in _EMAIL.finditer(text):
        if not _NOT_MAILBOXES.search(match[0]):
            yield "email", *match.span()


def ibans(text: str) -> Iterator[Found]:
    for match in _IBAN.finditer(text):
        if _is_iban(match[0].replace(" ", "")):
            yield "iban", *match.span()


def _is_iban(value: str) -> bool:
    if value[:2] not in _IBAN_WIDTHS or len(value) != _IBAN_WIDTHS[value[:2]]:
        return False
    number = "".join(str(ord(c) - 55) if c.isalpha() else c for c in value[4:] + value[:4])
    return int(number) % 97 == 1
