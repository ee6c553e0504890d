"""Lines that try to make a redactor slow: 32 KB each, of what its patterns begin with and never finish."""

# ruff: noqa: E501  tables of texts read best as they are
from __future__ import annotations

SIZE = 32_768

_SEEDS: dict[str, str] = {
    "a.b-": "a.b-", "digits": "1", "fours": "4111 ", "digit space": "4 ", "digit dash": "4-", "digits and dots": "4111.", "commas": "4023,",
    "at signs": "a@", "dots before at": "a.", "mail": "a@b.", "key equals": "a=", "key quote": 'a="', "key colon": '"a":', "nested": '{"a":',
    "brackets": "[", "braces": "{", "pan equals": "pan=", "pan quote": 'pan="', "pan open list": "pan=[", "password": "password=", "name": "name=A ",
    "address": "street=a ", "percent": "%34", "percent open": "%", "double percent": "%2534", "entity": "&#52;", "entity open": "&#", "amp": "&a",
    "unicode escape": "\\u0034", "backslash": "\\", "backslash quote": '\\"', "octal": "\\064", "hex escape": "\\x34", "quoted": "=34",
    "hex": "3431", "hex spaces": "34 ", "hex colons": "34:", "base64 digits": "NDEx", "base64 text": "dGhl", "base64 nested": "WkdobA",
    "gzip": "H4sI", "jwt": "eyJhbGciOi.", "jwt open": "eyJ", "bearer": "bearer ", "basic": "basic A", "private key": "-----BEGIN PRIVATE KEY-----",
    "url": "http://a:", "urls": "://a:b", "slack": "xoxb-", "iban": "DE89 ", "iban glued": "DE89370400440532", "phone": "+1 ", "phones": "+1 (2) ",
    "call": "call 1 ", "ip": "1.1.1.", "ipv6": "a:", "ipv6 double": "::a", "capital words": "Abc ", "capital run": "Abcdef", "names": "john smith ",
    "Names": "Jane Doe ", "particles": "Van De La ", "apostrophes": "O'", "streets": "1 A St ", "street open": "1 Abc ", "spelled": "one ",
    "track": "B4111111111111111^A", "track2": ";4111111111111111=", "track2 d": "4111111111111111D", "emv": "5A08", "emv open": "5A0A4",
    "tag57": "5711", "iso": "0200", "isos": "0200F23C4481A8E1", "sql": "insert into a (", "sqls": "insert into a (b) values (", "xml": "<pan>",
    "xml open": "<a ", "xmls": "<pan a=", "field": '<field id="2" ', "swift": ":59:", "swifts": "\n:59:a", "argument": "--pan ", "cvv": "cvv ",
    "cvvs": "cvv is code ", "pin": "pin ", "pin block": "pin block ", "ssn": "123-45-", "born": "born 1 ", "account": "account number ",
    "spaces": " ", "tabs": "\t", "newlines": "\n", "nul": "\0", "emoji": "\U0001f600", "full-width": "\uff14", "combining": "a\u0301",
    "zero width": "\u200b", "ligature": "\ufdfa", "ansi": "\x1b[31m", "ansi open": "\x1b[", "surrogate": "\ud800", "quotes": '"', "single quotes": "'",
    "angle": "<", "star": "*", "uuid": "12345678-1234-1234-1234-123456789012 ", "uuid tail": "1234-", "json numbers": "4111111111111111,",
    "pans": "4539578763621486 ", "cards": "card 4539 5787 6362 1486 ", "equals": "=", "words": "declined ", "underscores": "a_", "dollar": "$a{",
    "backslashes": "\\\\\\", "escaped": "\\n\\", "zeros": "0", "e notation": "4.111e", "dashes": "-", "dump": "4539578763621486|12|", "crypto": "1BoatSLRHtKNngkdXEeobR76b53LETtpyT ",
}  # fmt: skip


def lines() -> dict[str, str]:
    """Every seed repeated to 32 KB, alone and with something in front that a rule waits behind."""
    made = {name: (seed * (SIZE // len(seed) + 1))[:SIZE] for name, seed in _SEEDS.items()}
    made.update({f"{name}, after a key": f'pan="{line[:-8]}' for name, line in list(made.items())})
    made.update(
        {f"{name}, before a mailbox": f"{line[:-8]}@x.org" for name, line in list(made.items()) if ", " not in name}
    )
    return made
