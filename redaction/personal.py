"""Personal and bank data by shape: e-mail, IBAN, phone, IP address, national ids, birth dates, bank numbers."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from itertools import chain

from redaction.cards import Hit
from redaction.finding import beginning_with

_DOMAIN = re.compile(r"(?:[^\W_][\w\-]{0,62}\.){1,8}(?:xn--[\w\-]{2,59}|[^\W\d_]{2,24})(?![\w@])")
_MAILBOX = re.compile(r"[\w.+%\-]{1,64}$")
_AT = re.compile(r"(?i)\s?[\[({]\s?at\s?[\])}]\s?")
_DOT = re.compile(r"(?i)\s?[\[({]\s?dot\s?[\])}]\s?")
_SPELLED_DOMAIN = re.compile(r"(?i)(?:[\w\-]{1,63}(?:\.|\s?[\[({]\s?dot\s?[\])}]\s?)){1,4}[a-z]{2,24}(?!\w)")
EMAIL_TRIGGERS = (r"@[^\s@]",)
SPELLED_TRIGGERS = (r"(?i)[\[({]\s?at\s?[\])}]",)
_NO_MAILBOX = frozenset({"git", "noreply", "no-reply", "donotreply"})
_FILES = frozenset(
    {"service", "timer", "socket", "mount", "slice", "target", "path", "scope", "js", "py", "local", "svc"}
)


def email(text: str) -> Iterator[Hit]:
    """Mailboxes (RFC 5321 dot-atoms). Not unit instances (`getty@tty1.service`) nor clone addresses (`git@`)."""
    at = text.find("@")
    while at >= 0:
        domain = _DOMAIN.match(text, at + 1)
        mailbox = _MAILBOX.search(text, max(0, at - 64), at) if domain else None
        if domain and mailbox:
            name = mailbox[0].lstrip(".%-")
            if name and name.lower() not in _NO_MAILBOX and domain[0].rpartition(".")[2].lower() not in _FILES:
                yield Hit(at - len(name), domain.end(), "EMAIL", f"{name}@{domain[0]}".casefold())
        at = text.find("@", at + 1)


def email_spelled(text: str) -> Iterator[Hit]:
    """`someone [at] mail [dot] example`."""
    for sign in _AT.finditer(text):
        domain = _SPELLED_DOMAIN.match(text, sign.end())
        mailbox = _MAILBOX.search(text, max(0, sign.start() - 64), sign.start()) if domain else None
        if domain and mailbox:
            name = mailbox[0].lstrip(".%-")
            value = f"{name}@{_DOT.sub('.', domain[0])}".casefold()
            yield Hit(sign.start() - len(name), domain.end(), "EMAIL", value)


_IBAN = re.compile(
    r"(?<![0-9A-Za-z])([A-Za-z]{2}[0-9]{2}(?:(?:[ .\-\t\n]|  )?[0-9A-Za-z]{4}){2,7}(?:(?:[ .\-\t\n]|  )?[0-9A-Za-z]{1,4})?)(?![0-9A-Za-z])"  # noqa: E501
)
_IBAN_GLUED = re.compile(r"(?:(?<=[a-z_])|(?<=IBAN))[A-Z]{2}[0-9]{2}[0-9A-Z]{11,30}(?![0-9A-Za-z])")
# ISO 13616 registry: length by country.
_IBAN_LENGTHS = dict(
    item.split(":")
    for item in (  # noqa: SIM905
        "AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BI:27 BR:29 BY:28 CH:21 CR:22 CY:28 CZ:24 DE:22 DJ:27 DK:18 DO:28 "  # noqa: E501
        "EE:20 EG:29 ES:24 FI:18 FK:18 FO:18 FR:27 GB:22 GE:22 GI:23 GL:18 GR:27 GT:28 HN:28 HR:21 HU:28 IE:22 IL:23 IQ:23 IS:26 "  # noqa: E501
        "IT:27 JO:30 KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20 LU:20 LV:21 LY:25 MC:27 MD:24 ME:22 MK:19 MN:20 MR:27 MT:31 MU:30 NI:28 "  # noqa: E501
        "NL:18 NO:15 OM:23 PK:24 PL:28 PS:29 PT:25 QA:29 RO:24 RS:22 RU:33 SA:24 SC:31 SD:18 SE:24 SI:19 SK:24 SM:27 SO:23 ST:25 "  # noqa: E501
        "SV:28 TL:23 TN:24 TR:26 UA:29 VA:22 VG:24 XK:20 YE:30"
    ).split()
)
IBAN_TRIGGERS = (
    rf"(?i)(?:^|[^0-9A-Za-z])(?:{'|'.join(_IBAN_LENGTHS)})[0-9]{{2}}(?:[ .\-\t\n]{{0,2}}[0-9A-Za-z]{{4}}){{2}}",
    rf"(?:{'|'.join(_IBAN_LENGTHS)})[0-9]{{2}}[0-9A-Z]{{11}}",
)


def _is_iban(value: str) -> bool:
    if _IBAN_LENGTHS.get(value[:2]) != str(len(value)):
        return False
    return int("".join(str(int(c, 36)) for c in value[4:] + value[:4])) % 97 == 1


def iban(text: str) -> Iterator[Hit]:
    """ISO 13616: country, length and check digits. Printed in fours or glued, upper or lower case."""
    for match in _IBAN.finditer(text):
        yield from _iban_within(match[1], match.start(1))
    for match in _IBAN_GLUED.finditer(text):
        yield from _iban_within(match[0], match.start())


def _iban_within(raw: str, at: int) -> Iterator[Hit]:
    """The match may have run into the next word: cut at the country's length."""
    wanted = _IBAN_LENGTHS.get(raw[:2].upper())
    if wanted is None:
        return
    places = [i for i, c in enumerate(raw) if c.isalnum()]
    count = int(wanted)
    if len(places) < count:
        return
    end = places[count - 1] + 1
    if raw[end : end + 1].isalnum():
        return
    written = re.sub(r"[^0-9A-Za-z]", "", raw[:end])
    value = written.upper()
    if written[:2].islower() and not written[2:].isdigit() and not re.search("[g-z]", written):
        return  # a piece of a hex id
    if value.isascii() and _is_iban(value):
        yield Hit(at, at + end, "IBAN", value, value[:2])


_PHONE = re.compile(r"(?<![0-9A-Za-z+.])\+[1-9][0-9]{0,2}(?:[ .\-/]{0,2}\(?[0-9]{1,5}\)?){2,6}(?![0-9A-Za-z.])")
_PHONE_WORD = re.compile(
    r"(?i)(?<![a-z])(?:phone[ds]?|mobile|cell|tel|telephone|fax|msisdn|whatsapp|call(?:ed|back|er)?|rang|sms(?:\s+to)?|dial(?:led)?)"
    r"(?:\s{1,2}(?:number|no|is|at|me|on|to|us|customer|back|from|via)\.?){0,3}[\s:=#.]{1,4}(\(?[0-9][0-9 ().\-/]{6,20}[0-9])(?![0-9A-Za-z.])"  # noqa: E501
)
_PHONE_STEMS = ("phone", "mobile", "cell", "tel", "fax", "msisdn", "whatsapp", "call", "rang", "sms", "dial")
_PHONE_US = re.compile(
    r"(?<![0-9A-Za-z.\-])(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[\-.])[2-9][0-9]{2}[\-.][0-9]{4}(?:\s?x[0-9]{1,5})?(?![0-9\-.])"  # noqa: E501
)
_PHONE_ABROAD = re.compile(
    r"(?<![0-9A-Za-z.\-])(?<![0-9A-Z] )00[1-9][0-9]{0,2}[ \-/][0-9]{2,5}(?:[ \-/][0-9]{2,8}){1,4}(?![0-9A-Za-z.])"
)
PHONE_TRIGGERS = (
    r"[^0-9]00[1-9][0-9]{0,2}[ \-/][0-9]{2,5}[ \-/][0-9]{2}",
    r"\+[1-9][0-9]{0,2}[ .\-/(]{0,3}[0-9]",
    r"(?i)(?:phone|mobile|cell|tel|fax|msisdn|whatsapp|call|rang|sms|dial)[^0-9]{1,40}[0-9]",
    r"[2-9][0-9]{2}[\-.) ]{1,2}[2-9][0-9]{2}[\-.][0-9]{4}",
)


def phone(text: str) -> Iterator[Hit]:
    """E.164 with its plus sign, North American groups, and numbers behind a word for a phone."""
    for match in chain(_PHONE.finditer(text), _PHONE_US.finditer(text), _PHONE_ABROAD.finditer(text)):
        digits = re.sub(r"[^0-9]", "", match[0])
        if 8 <= len(digits) <= 15:
            yield Hit(match.start(), match.end(), "PHONE", digits)
    for match in beginning_with(_PHONE_STEMS, _PHONE_WORD, text):
        digits = re.sub(r"[^0-9]", "", match[1])
        if 7 <= len(digits) <= 15:
            yield Hit(match.start(1), match.end(1), "PHONE", digits)


_IPV4 = re.compile(r"(?<![0-9A-Za-z.\-])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9A-Za-z\-]|\.[0-9])")
_IPV6 = re.compile(
    r"(?<![0-9A-Za-z:.])(?:[0-9A-Fa-f]{1,4}:){1,7}(?::?[0-9A-Fa-f]{1,4}){0,7}(?::|(?:\d{1,3}\.){3}\d{1,3})?(?![0-9A-Za-z:])|(?<![0-9A-Za-z:.])::(?:[0-9A-Fa-f]{1,4}:){0,6}[0-9A-Fa-f]{1,4}(?![0-9A-Za-z:])"
)
IP_TRIGGERS = (
    r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]",
    r"(?:[0-9A-Fa-f]{1,4}:){3}",
    r"::[0-9A-Fa-f]|[0-9A-Fa-f]::",
)
# RFC 1918, RFC 6598 (carrier-grade NAT, used inside clusters) and RFC 4193.
_PRIVATE = tuple(
    ipaddress.ip_network(n) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
_VERSION = re.compile(r"(?i)(?:v|ver|version|release|build|chrome/|safari/|firefox/|edg/|/)[\"']?\s?[:=]?\s?[\"']?$")


def ip_address(*, keep_private: bool) -> Callable[[str], Iterator[Hit]]:
    """Addresses on the public internet; private ones (RFC 1918, 4193, loopback, link-local) are hosts of ours."""

    def find(text: str) -> Iterator[Hit]:
        for pattern in (_IPV4, _IPV6):
            for match in pattern.finditer(text):
                address = _parsed(match[0])
                if address is None or (keep_private and _is_ours(address)) or _is_version(text, match.start()):
                    continue
                yield Hit(match.start(), match.end(), "IP", address.exploded)

    return find


def _is_ours(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast:
        return True
    return any(address in network for network in _PRIVATE if network.version == address.version)


def _is_version(text: str, start: int) -> bool:
    """`v1.2.3.4`, `Chrome/120.0.0.0`; but not `http://1.2.3.4`."""
    before = _VERSION.search(text, max(0, start - 12), start)
    return before is not None and not text.endswith("//", 0, start)


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if text.count(":") < 2 and "." not in text:
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


_SSN = re.compile(r"(?<![0-9A-Za-z.\-])(?!000|666|9)[0-9]{3}([\- ])(?!00)[0-9]{2}\1(?!0000)[0-9]{4}(?![0-9A-Za-z\-])")
_SSN_WORD = re.compile(
    r"(?i)(?:ssn|social security(?: number)?|national insurance|passport|tax id|nino|cpf|dni|cnpj|pesel|personnummer|bsn|aadhaar|tfn|nhs(?: number)?|curp|steuer-?id|codice fiscale)(?:\s(?:is|no\.?|number))?[\s:=#]{1,4}([A-Z]{0,3}[0-9][0-9A-Z .\-]{5,16}[0-9A-Z])"  # noqa: E501
)
_SSN_STEMS = (
    "ssn",
    "social security",
    "national insurance",
    "passport",
    "tax id",
    "nino",
    "cpf",
    "dni",
    "cnpj",
    "pesel",
    "personnummer",
    "bsn",
    "aadhaar",
    "tfn",
    "nhs",
    "curp",
    "steuer",
    "codice",
)
_NUMBER_WORD = re.compile(
    r"(?<![A-Za-z])(?:NIE|NIF|SIN|INN|AHV|HKID|NRIC|RUT|CURP|rodn[eé] [cč][ií]slo)(?: (?:no\.?|number|is))?[\s:=#]{1,4}"
    r"([A-Z]?[0-9][0-9A-Z .\-/]{4,16}[0-9A-Z])"
)
# Indian income tax (PAN of another kind), Swiss AHV, Chilean RUT, by shape.
_NUMBER_SHAPE = re.compile(
    r"(?<![0-9A-Za-z.\-])(?:756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}|[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}-[0-9kK]|[A-Z]{3}[PCHFATBLJG][A-Z][0-9]{4}[A-Z])"
    r"(?![0-9A-Za-z\-])"
)
_NINO = re.compile(
    r"(?<![0-9A-Za-z])[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D](?![0-9A-Za-z])"
)
NATIONAL_TRIGGERS = (
    r"[0-9]{3}[\- ][0-9]{2}[\- ][0-9]{4}",
    r"(?i)(?:ssn|social security|national insurance|passport|tax id|nino|cpf|dni|cnpj|pesel|personnummer|bsn|aadhaar|tfn|nhs|curp|steuer-?id|codice fiscale)[\s\S]{1,24}[0-9]",  # noqa: E501
    r"[A-Z]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]",
    r"(?:NIE|NIF|SIN|INN|AHV|HKID|NRIC|RUT|CURP|slo)[\s:=# ]{1,4}[A-Zn0-9]",
    r"756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}|[0-9]\.[0-9]{3}\.[0-9]{3}-[0-9kK]|[A-Z]{3}[PCHFATBLJG][A-Z][0-9]{4}[A-Z]",
)


def national_id(text: str) -> Iterator[Hit]:
    """US social security and UK national insurance numbers by shape; others behind their word (or by key)."""
    for match in _SSN.finditer(text):
        if match[1] == "-" or re.search(r"(?i)ssn|social", text[max(0, match.start() - 24) : match.start()]):
            yield Hit(match.start(), match.end(), "NATIONAL_ID", re.sub(r"\D", "", match[0]))
    for match in beginning_with(_SSN_STEMS, _SSN_WORD, text):
        yield Hit(match.start(1), match.end(1), "NATIONAL_ID", re.sub(r"\W", "", match[1]).upper())
    for match in _NUMBER_WORD.finditer(text):
        yield Hit(match.start(1), match.end(1), "NATIONAL_ID", re.sub(r"\W", "", match[1]).upper())
    for match in _NUMBER_SHAPE.finditer(text):
        yield Hit(match.start(), match.end(), "NATIONAL_ID", re.sub(r"\W", "", match[0]).upper())
    for match in _NINO.finditer(text):
        yield Hit(match.start(), match.end(), "NATIONAL_ID", match[0].replace(" ", ""))


_BORN = re.compile(
    r"(?i)(?:date of birth|birth ?date|birthday|dob|born(?: on)?|d\.o\.b\.?)[\s:=(]{1,4}(?:is |was )?"
    r"([0-9]{1,4}[./\- ][0-9A-Za-z]{1,9}[./\-, ]{1,2}[0-9]{2,4}|[0-9]{8}|[A-Z][a-z]{2,8} [0-9]{1,2},? [0-9]{4})"
)
BORN_TRIGGERS = (r"(?i)(?:birth|dob|born|d\.o\.b)",)


def birth_date(text: str) -> Iterator[Hit]:
    for match in beginning_with(("date of birth", "birth", "dob", "born", "d.o.b"), _BORN, text):
        yield Hit(match.start(1), match.end(1), "DOB", match[1])


_BANK = re.compile(
    r"(?i)(?<![a-z])(?:(?:bank |account|acct|a/c)(?: ?(?:account|number|num|no|nr|#))?\.?|sort[ \-]?code|routing(?: number)?|aba|bsb|clabe)"  # noqa: E501
    r"(?: is| was)?[\s:=#]{1,4}([0-9]{2}-[0-9]{2}-[0-9]{2}|[0-9]{3}-[0-9]{3}|[0-9][0-9 \-]{5,24}[0-9])(?![0-9A-Za-z.])"
)
_BANK_STEMS = ("bank ", "account", "acct", "a/c", "sort", "routing", "aba", "bsb", "clabe")
BANK_TRIGGERS = (r"(?i)(?:account|acct|a/c|bank|sort[ \-]?code|routing|aba|bsb|clabe)[^0-9]{1,24}[0-9]",)


def bank_number(text: str) -> Iterator[Hit]:
    """Account, sort code and routing numbers behind their word."""
    for match in beginning_with(_BANK_STEMS, _BANK, text):
        digits = re.sub(r"\D", "", match[1])
        if 6 <= len(digits) <= 20:
            yield Hit(match.start(1), match.end(1), "BANK_ACCOUNT", digits)


_STREET = re.compile(
    r"(?<![\w.])[0-9]{1,5}[A-Za-z]?,? (?:[A-Z][\w'’.\-]{0,24} ){1,4}(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Square|Sq|Way|Place|Pl|Terrace|Close|Crescent|Highway|Hwy|Parkway|Pkwy)\b\.?"  # noqa: E501
    r"(?:,? (?:Apt|Apartment|Suite|Flat|Unit|#)\.? ?[0-9A-Za-z]{1,6})?"
    r"|(?<![\w.])[A-ZÄÖÜ][\wäöüß\-]{2,24}(?:straße|strasse|weg|gasse|platz|allee) [0-9]{1,4}[a-z]?\b"
    r"|(?<![\w.])(?:P\.? ?O\.? Box|Postfach) [0-9]{1,6}\b"
)
STREET_TRIGGERS = (
    r" (?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Square|Sq|Way|Place|Pl|Terrace|Close|Crescent)(?:[^A-Za-z]|$)",  # noqa: E501
    r" (?:Highway|Hwy|Parkway|Pkwy)(?:[^A-Za-z]|$)",
    r"(?:stra..?e|weg|gasse|platz|allee) [0-9]",
    r"Box [0-9]|Postfach [0-9]",
)


def street(text: str) -> Iterator[Hit]:
    """House number and street in English order, street and number in German order, PO boxes."""
    for match in _STREET.finditer(text):
        yield Hit(match.start(), match.end(), "ADDRESS", match[0].casefold())
