"""What card payments mean: response codes and families, schemes, soft declines, 3-D Secure results, kinds of failure.

Sources, by table:

- `RESPONSE_CODES`: ISO 8583:1987 field 39 as listed in ISO 8583-1:2003 annex A for migration, with the meanings the
  schemes publish (Visa *V.I.P. System SMS POS Technical Specifications*; Mastercard *Customer Interface
  Specification*, DE 39). Three-digit ISO 8583:1993 action codes are folded by their first digit (`action_family`).
- `SCA_SOFT_DECLINES`: Visa *PSD2 SCA for Remote Electronic Transactions Implementation Guide* (1A; 70 card present),
  Mastercard *Authentication Guide for Europe* (65).
- `MERCHANT_ADVICE`: Mastercard *Transaction Processing Excellence*, DE 48 subelement 84.
- `NEVER_RETRY`: Visa *Decline Response Code Management*, category 1.
- `TRANS_STATUS`: EMV 3-D Secure Protocol and Core Functions Specification, `transStatus`.

A code alone never names the culprit: 91 is "issuer *or switch* inoperative", so acquirers are compared first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from assistant.analysis.words import word_set, words

Family = Literal[
    "approved", "issuer decision", "funds", "credentials", "fraud", "authentication", "unavailable", "system",
    "configuration", "limits", "duplicate", "unknown",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Code:
    """A response code. `hard` means the same card must not be tried again with the same data."""

    code: str
    meaning: str
    family: Family
    hard: bool = False


def _codes(*rows: tuple[str, str, Family] | tuple[str, str, Family, bool]) -> Mapping[str, Code]:
    return MappingProxyType({r[0]: Code(*r) for r in rows})


RESPONSE_CODES = _codes(
    ("00", "approved", "approved"),
    ("01", "refer to card issuer", "issuer decision"),
    ("02", "refer to card issuer, special condition", "issuer decision"),
    ("03", "invalid merchant", "configuration"),
    ("04", "pick up card", "fraud", True),
    ("05", "do not honour", "issuer decision"),
    ("06", "error", "system"),
    ("07", "pick up card, special condition", "fraud", True),
    ("08", "honour with identification", "approved"),
    ("10", "approved for partial amount", "approved"),
    ("11", "approved (VIP)", "approved"),
    ("12", "invalid transaction", "configuration"),
    ("13", "invalid amount", "configuration"),
    ("14", "invalid card number", "credentials", True),
    ("15", "no such issuer", "configuration", True),
    ("19", "re-enter transaction", "system"),
    ("20", "invalid response", "system"),
    ("21", "no action taken", "system"),
    ("22", "suspected malfunction", "system"),
    ("25", "unable to locate record", "system"),
    ("28", "file temporarily unavailable", "unavailable"),
    ("30", "format error", "configuration"),
    ("31", "bank not supported by switch", "configuration"),
    ("34", "suspected fraud, pick up card", "fraud", True),
    ("39", "no credit account", "credentials"),
    ("40", "requested function not supported", "configuration"),
    ("41", "lost card, pick up", "fraud", True),
    ("43", "stolen card, pick up", "fraud", True),
    ("46", "closed account", "credentials", True),
    ("51", "insufficient funds", "funds"),
    ("52", "no checking account", "credentials"),
    ("53", "no savings account", "credentials"),
    ("54", "expired card", "credentials"),
    ("55", "incorrect PIN", "credentials"),
    ("56", "no card record", "credentials"),
    ("57", "transaction not permitted to cardholder", "issuer decision", True),
    ("58", "transaction not permitted to terminal", "configuration"),
    ("59", "suspected fraud", "fraud"),
    ("60", "card acceptor contact acquirer", "configuration"),
    ("61", "exceeds withdrawal amount limit", "limits"),
    ("62", "restricted card", "issuer decision"),
    ("63", "security violation", "fraud"),
    ("64", "original amount incorrect", "configuration"),
    ("65", "exceeds frequency limit; Mastercard: authentication required", "limits"),
    ("68", "response received too late", "unavailable"),
    ("70", "contact card issuer; Visa: PIN data required", "issuer decision"),
    ("75", "PIN tries exceeded", "credentials"),
    ("76", "unable to locate previous message", "system"),
    ("77", "previous message located, inconsistent data", "system"),
    ("78", "blocked, first used", "issuer decision"),
    ("79", "life cycle (Mastercard)", "credentials", True),
    ("80", "system not available (credit issuer unavailable)", "unavailable"),
    ("81", "cryptographic error in PIN", "credentials"),
    ("82", "negative CAM, dCVV or CVV result; Mastercard: policy", "fraud"),
    ("83", "fraud or security (Mastercard)", "fraud"),
    ("85", "no reason to decline", "approved"),
    ("86", "cannot verify PIN", "system"),
    ("88", "cryptographic failure", "system"),
    ("89", "unacceptable PIN, retry", "credentials"),
    ("90", "cut-off is in process", "unavailable"),
    ("91", "issuer or switch inoperative", "unavailable"),
    ("92", "unable to route", "unavailable"),
    ("93", "violation of law", "issuer decision", True),
    ("94", "duplicate transmission", "duplicate"),
    ("95", "reconcile error", "system"),
    ("96", "system malfunction", "system"),
    ("98", "exceeds cash limit", "limits"),
    ("1A", "additional customer authentication required (Visa)", "authentication"),
    ("6P", "verification data failed (Visa)", "credentials"),
    ("N0", "force STIP (Visa)", "unavailable"),
    ("N3", "cash service not available", "configuration"),
    ("N7", "decline for CVV2 failure (Visa)", "credentials"),
    ("P5", "PIN change or unblock declined", "credentials"),
    ("Q1", "card authentication failed", "fraud"),
    ("R0", "stop payment order", "issuer decision", True),
    ("R1", "revocation of authorisation order", "issuer decision", True),
    ("R3", "revocation of all authorisations order", "issuer decision", True),
    ("Z1", "offline declined", "issuer decision"),
    ("Z3", "unable to go online, offline declined", "unavailable"),
)

APPROVED_CODES = frozenset(c.code for c in RESPONSE_CODES.values() if c.family == "approved")
SCA_SOFT_DECLINES: Mapping[str, frozenset[str]] = MappingProxyType(
    {"visa": frozenset({"1A", "70"}), "mastercard": frozenset({"65"})}
)
NEVER_RETRY = frozenset({"04", "07", "12", "14", "15", "41", "43", "46", "57", "R0", "R1", "R3"})

MERCHANT_ADVICE: Mapping[str, str] = MappingProxyType(
    {
        "01": "new account information available",
        "02": "cannot approve at this time, try again later",
        "03": "do not try again",
        "04": "token requirements not fulfilled for this token type",
        "21": "payment cancellation",
        "22": "merchant does not qualify for product code",
        "24": "retry after 1 hour",
        "25": "retry after 24 hours",
        "26": "retry after 2 days",
        "27": "retry after 4 days",
        "28": "retry after 6 days",
        "29": "retry after 8 days",
        "30": "retry after 10 days",
        "40": "consumer non-reloadable prepaid card",
        "41": "consumer single-use virtual card number",
        "43": "consumer multi-use virtual card number",
    }
)

TRANS_STATUS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "Y": ("authenticated", "issuer"),
        "A": ("attempt processed, stand-in authentication", "directory server"),
        "C": ("challenge required", "issuer"),
        "D": ("challenge required, decoupled", "issuer"),
        "N": ("not authenticated", "issuer"),
        "R": ("rejected", "issuer"),
        "I": ("informational only", "merchant"),
        "S": ("challenge by secure payment confirmation", "issuer"),
        "U": ("could not be performed: technical or other problem", "unknown"),
    }
)
"""transStatus to (meaning, who decided). A rise of A means the access control server (ACS) did not answer and the
directory server (DS) stood in: the ACS or issuer is ill. A rise of U over all
issuers points at the DS or at our own server."""

SCHEMES: Mapping[str, str] = MappingProxyType(
    {
        "visa": "visa", "vi": "visa", "vs": "visa", "electron": "visa", "vpay": "visa",
        "mastercard": "mastercard", "mc": "mastercard", "master": "mastercard", "maestro": "maestro",
        "amex": "amex", "americanexpress": "amex", "ax": "amex", "american_express": "amex",
        "discover": "discover", "diners": "diners", "dinersclub": "diners", "jcb": "jcb",
        "unionpay": "unionpay", "cup": "unionpay", "rupay": "rupay", "elo": "elo", "mir": "mir", "troy": "troy",
        "cartesbancaires": "cb", "cb": "cb", "girocard": "girocard", "bancontact": "bancontact",
        "dankort": "dankort", "interac": "interac", "eftpos": "eftpos", "verve": "verve", "hipercard": "hipercard",
    }
)  # fmt: skip
"""Names a card scheme goes by in labels and fields, to one name."""

CURRENCIES = word_set(
    "AED ARS AUD BGN BHD BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS INR ISK JPY KES KRW KWD MAD MXN "
    "MYR NGN NOK NZD OMR PEN PHP PKR PLN QAR RON RSD RUB SAR SEK SGD THB TND TRY TWD UAH USD VND ZAR"
)
MINOR_UNITS: Mapping[str, int] = MappingProxyType(
    {"JPY": 0, "KRW": 0, "CLP": 0, "VND": 0, "ISK": 0, "BHD": 3, "KWD": 3, "OMR": 3, "TND": 3}
)
"""ISO 4217 minor units where they are not 2."""

CHANNELS = word_set(
    "ecom ecommerce e_commerce online web pos moto contactless cnp cp atm mobile app instore in_store terminal chip "
    "magstripe card_present card_not_present recurring mit cit wallet applepay googlepay inapp"
)

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "issuer_outage": "a card issuer does not answer or answers with errors",
        "issuer_declines": "an issuer approves fewer of the same cards, by its own decision",
        "scheme_outage": "a card scheme's network is disturbed",
        "acquirer_outage": "an acquirer or processor, or the way to it, fails",
        "provider_outage": "another outside provider fails",
        "acs_outage": "the issuer side of 3-D Secure (ACS) does not answer",
        "threeds_outage": "the directory server or the 3-D Secure server fails",
        "sca_soft_declines": "issuers ask for strong authentication that was not sent",
        "bad_deploy": "a new version behaves worse",
        "bad_config": "a changed setting, flag, route or credential breaks something",
        "certificate_expired": "a certificate or key is out of date",
        "network_link": "the network between two parties loses or delays packets",
        "dns": "names cannot be resolved",
        "database": "a database is slow, locked, full or failing over",
        "pool_exhausted": "connections, threads or another bounded pool are used up",
        "queue_backlog": "work arrives faster than it is taken",
        "retry_storm": "retries multiply the load",
        "duplicates": "the same payment is sent or booked more than once",
        "rate_limited": "a partner or a limit of ours refuses calls over quota",
        "resource_exhausted": "memory, CPU, disk or file handles are used up",
        "crash_loop": "processes die and start again",
        "fraud_model_drift": "the fraud model scores or declines differently than it did",
        "fraud_model_fallback": "a fallback or default decides instead of the fraud model",
        "canary_regression": "only a canary or one version is worse",
        "settlement_late": "settlement, clearing or reconciliation is late",
        "traffic_surge": "more traffic than usual, no fault of its own",
        "traffic_drop": "less traffic arrives, the part that arrives is treated as usual",
        "card_testing": "an attack with many cards raises declines",
        "data_error": "a bad record or reference table breaks processing",
        "hsm_fault": "keys or the security module (HSM) fail",
        "stale_data": "a feed or table that others rely on is out of date",
        "measurement_fault": "what is measured is wrong, the payments are not",
        "data_exposure": "sensitive data is written where it must not be",
        "clock_skew": "clocks disagree",
        "maintenance": "announced work",
        "service_fault": "a service fails for a reason that cannot be told from here",
        "nothing_wrong": "no measure is outside its usual range now",
    }
)


def scheme_of(value: str) -> str:
    """The scheme a label value names, or ""."""
    return SCHEMES.get("".join(c for c in value.lower() if c.isalnum()), "")


def code_of(value: str, codes: Mapping[str, str] | None = None) -> Code:
    """The response code behind a label value. `codes` is one acquirer's map from its own codes to ISO 8583's.

    "0" and "000" count as "00" and "5" as "05"; three digits are read as ISO 8583:1993 action codes.
    """
    text = (codes or {}).get(value, value).strip().upper()
    if len(text) == 1 and text.isdigit():
        text = "0" + text
    if text in RESPONSE_CODES:
        return RESPONSE_CODES[text]
    if len(text) == 3 and text.isdigit():
        return Code(text, "ISO 8583:1993 action code", action_family(text))
    if len(value) > 3:
        return Code(value, value.replace("_", " "), reason_family(value))
    return Code(text, "not a code this table knows", "unknown")


_REASON_WORDS: tuple[tuple[Family, frozenset[str]], ...] = (
    ("approved", word_set("approved success ok accepted authorised authorized")),
    ("authentication", word_set("authentication sca 3ds threeds challenge stepup")),
    ("duplicate", word_set("duplicate duplicated replay")),
    ("funds", word_set("insufficient funds nsf balance")),
    (
        "unavailable",
        word_set("unavailable inoperative timeout timed late unreachable offline noresponse route routing"),
    ),
    ("fraud", word_set("fraud risk stolen lost pickup pick suspected security")),
    ("limits", word_set("limit limits exceeded exceeds velocity frequency")),
    ("credentials", word_set("expired cvv cvc pin number account closed card")),
    ("configuration", word_set("format merchant invalid unsupported currency configuration terminal")),
    ("system", word_set("system malfunction error internal technical gateway cryptographic tokenisation processing")),
    ("issuer decision", word_set("honor honour declined refer issuer decline refused generic permitted")),
)
"""Words that gateways and processors spell decline reasons with; the first family whose word occurs wins."""


def reason_family(value: str) -> Family:
    """The family of a reason in words (`do_not_honor`, `insufficient_funds`, `issuer_unavailable`)."""
    spelled = set(words(value))
    return next((family for family, vocabulary in _REASON_WORDS if spelled & vocabulary), "unknown")


def action_family(code: str) -> Family:
    """The family of a three-digit ISO 8583:1993 action code (annex of field 39): 0xx approved, 1xx denied,
    2xx denied and pick up, 9xx system (907, 908, 910, 911, 912 unavailable or unroutable)."""
    if code in {"907", "908", "910", "911", "912", "921"}:
        return "unavailable"
    if code in {"913"}:
        return "duplicate"
    if code in {"904", "905", "906", "909"} or code.startswith("9"):
        return "system"
    if code in {"116", "118"}:
        return "funds" if code == "116" else "credentials"
    return {"0": "approved", "1": "issuer decision", "2": "fraud"}.get(code[:1], "unknown")  # type: ignore[return-value]


def is_approved(value: str) -> bool:
    """Whether a response code value is an approval."""
    return code_of(value).family == "approved"


def soft_decline(code: str, scheme: str = "") -> bool:
    """Whether the code asks for authentication and may be tried again with it, for this scheme (any, if unknown)."""
    wanted = scheme_of(scheme)
    sets = [SCA_SOFT_DECLINES[wanted]] if wanted in SCA_SOFT_DECLINES else list(SCA_SOFT_DECLINES.values())
    return any(code.upper() in s for s in sets) and (bool(wanted) or code.upper() == "1A")


def share_of_iso_codes(values: Iterable[str]) -> float:
    """How many of `values` (0..1) are two-character ISO 8583 response codes."""
    values = tuple(values)
    known = sum(len(v) == 2 and v.upper() in RESPONSE_CODES for v in values)
    return known / len(values) if values else 0.0
