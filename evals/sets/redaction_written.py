"""Written forms of a PAN in payment telemetry, listed away from development: § stands for the digits, ¤ for fours.

Object prints of languages, wire formats, dumps, logs, keys in use, and encodings on encodings. `MISSES` are published.
"""

# ruff: noqa: E501  tables of texts read best as they are
from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable, Iterator
from urllib.parse import quote

WRITTEN = (
    '§.0', '§.00', "Decimal('§')", '§n', '§L', '§ULL', '+§', '-§', 'USD §.00', '"2026-01-01","§","EUR","12.50"', '2026-01-01,§,EUR,12.50',
    '1,§,1227,123', '2026-01-01\t§\tEUR\t12.50', '2026;§;EUR', 'a|§|EUR|12', '="§"', "'§", '`§`', "Card{pan='§', expiry=1227}",
    'Card(pan=§, expiry=12/27)', 'Card[pan=§, exp=1227]', 'CardData(number=§, cvc=***)', '{§ 1227}', '{PAN:§ Exp:1227}',
    'main.Card{PAN:"§", Exp:"1227"}', 'map[exp:1227 pan:§]', '&{PAN:§}', "Card(pan='§', exp='1227')", "{'pan': '§'}", "b'§'", "('§', '1227')",
    'Card { pan: "§", exp: Some("1227") }', 'Some("§")', '#<Card:0x000055d @pan="§">', '{:pan=>"§"}', '{pan: "§"}', 'Card { Pan = §, Exp = 1227 }',
    'Array\n(\n    [pan] => §\n)', '["pan"]=> string(16) "§"', 's:3:"pan";s:16:"§";', "array ( 'pan' => '§', )", '%Card{pan: "§"}', '{pan,<<"§">>}',
    'Card(§,1227)', '{:pan "§"}', 'Card(pan: "§")', "$VAR1 = { 'pan' => '§' };", '{ ["pan"] = "§" }', 'pan = "§"', 'pan: §', 'pan: >-\n  §',
    '[card]\npan=§', 'card.pan=§', 'card { pan: "§" }', 'mutation{pay(pan:"§")}', '{"pan":{"string":"§"}}', '{"pan":{"S":"§"}}',
    "{ pan: NumberLong('§') }", '{"pan":{"$numberLong":"§"}}', 'ObjectId, pan: Long("§")', '0x§', "SELECT * FROM c WHERE pan='§'",
    "pan IN ('§','5541234987654324')", "INSERT INTO c VALUES ('§', '1227')", 'DETAIL: Key (pan)=(§) already exists.',
    "Duplicate entry '§' for key 'pan'", '"SET" "card:§" "1"', '*2\r\n$3\r\nGET\r\n$16\r\n§\r\n', '/^§$/', '\\Q§\\E', "LIKE '%§%'",
    "curl -d 'card[number]=§&card[cvc]=123' https://api", 'curl --data-raw \'{"number":"§"}\'',
    '{"postData": {"params": [{"name": "number", "value": "§"}]}}', '--b\r\nContent-Disposition: form-data; name="number"\r\n\r\n§\r\n--b',
    '<soap:Body><CardNumber>§</CardNumber></soap:Body>', '<card number="§"/>', '<PAN><![CDATA[§]]></PAN>', '&lt;PAN&gt;§&lt;/PAN&gt;',
    '<PlainCardData><PAN>§</PAN><XpryDt>2027-12</XpryDt></PlainCardData>', "FII+OR+§:NAME'", 'REF*CC*§~', '35=D\x01489=§\x0154=1', ':20:§',
    'PID|1|§^^^', 'CEF:0|v|p|1|100|x|5|cs1=§ cs1Label=pan', 'LEEF:1.0|a|b|c|d|pan=§\tx=1', '<134>1 2026-01-01T00:00:00Z h app - - [c@1 pan="§"] x',
    '{"_pan":"§"}', '1.2.3.4 - - "GET /p?c=§ HTTP/1.1" 200', 'request: "POST /pay?n=§"', 'Referer: https://s/x?card=§', 'Cookie: c=§', 'X-Card: §',
    '/v1/pan/§', '/tmp/§.json', '§@cards.example', 'https://§:x@h/', '#/pay/§', 's3://b/§/a', 'req{pan="§"} 1', 'card_§_total 1', 'cards.§.count:1|c',
    'key=§ partition=3', '[thread-§] x', '§-1234-abcd', '§-01', '§/01', '§/1227', '§=2712', '§2712', '§|12|27|123', '§ 12/27 123', '§^DOE/J^2712',
    '%B§^DOE/JOHN^27121010000000000?', 'B§^DOE/JOHN^27121010000', ';§=27121010000012345?', '§D27121010000012345F', '§=27121010000012345',
    ';01§=724724100000000?', '5A08§', '9F02060000000012505A08§5F24032712315F340101', '5711§D2712101000001234F', '"5A":"§"',
    '9F6B13§D27121010000012345F', '5A (Application PAN): §', '5A0A§FFFF', 'Tag 5A Len 08 Val §', 'DE2=§', 'DE 002: §', '[002] §',
    '<field id="2" value="§"/>', '2: §', '002 => §', 'P02 LLVAR n..19 [16] §', '16§', '16 §', '0200723805812EC0820016§000000000000012500',
    '0200 7238058120C08200 16§ 000000', 'len=16,§', '0000  34 39 32 39 31 32 33 34 35 36 37 38 31 32 33 36  §',
    '00000000: 3439 3239 3132 3334 3536 3738 3132 3336  §', '**§**', '`¤`', '<tel:§|¤>', 'tel:§', 'card ending.. full §!', '§ 5541234987654324', '000§',
    '0000§', '§   EUR', '§FFF', '§EUR', 'PAN§', 'id-§', '#§', '@§', '$§', ':§:', '*§*', '<§>', '\\"§\\"', '\\\\\\"§\\\\\\"',
    '"\\"{\\\\\\"pan\\\\\\": \\\\\\"§\\\\\\"}\\""',
)  # fmt: skip
KEYS = (
    'pan', 'PAN', 'Pan', 'cardNumber', 'card_number', 'card-number', 'CardNumber', 'CARD_NUMBER', 'card.number', 'cardNo', 'card_no', 'ccnum',
    'cc_number', 'CCN', 'creditCard', 'credit_card_number', 'creditCardNumber', 'PrimaryAccountNumber', 'primary_account_number', 'accountNumber',
    'acctNum', 'acctNo', 'account', 'cardnum', 'number', 'num', 'no', 'nr', 'card', 'cardPan', 'maskedPan', 'fullPan', 'rawPan', 'clearPan', 'plainPan',
    'fpan', 'dpan', 'token_pan', 'panToken', 'DE2', 'de002', 'F2', 'f002', 'field2', 'field_002', 'bit2', 'P2', 'P-02', 'tag5A', '5A', 'kartennummer',
    'numeroCarte', 'tarjeta_numero', 'numeroTarjeta', 'cartao', 'numero_cartao', 'kortnummer', 'korttinumero', 'cardIdentifier', 'card_id', 'cardRef',
    'instrument', 'paymentInstrument', 'source', 'src', 'value', 'data', 'input', 'x-card', 'X-Card-Number', 'card[number]', 'card%5Bnumber%5D',
    'payment.card.pan', 'payment_method_data[card][number]', 'ns:CardNb', 'Card.PlainCardData.PAN', 'PmtCard', 'iin_pan', 'encPan', 'PANSequence',
    'cardHolderPan',
)  # fmt: skip
_KEYED = ("level=warn {key}=§ rc=05", '{{"{key}":"§"}}', '"{key}": "¤"')

Encode = Callable[[str], str]


def _each(form: str) -> Encode:
    return lambda text: "".join(form.format(ord(c)) for c in text)


ENCODERS: dict[str, Encode] = {
    "base64": lambda t: base64.b64encode(t.encode()).decode(),
    "base64url": lambda t: base64.urlsafe_b64encode(t.encode()).decode().rstrip("="),
    "base32": lambda t: base64.b32encode(t.encode()).decode(),
    "hex": lambda t: t.encode().hex(),
    "HEX": lambda t: t.encode().hex().upper(),
    "percent": quote,
    "percent all": _each("%{:02X}"),
    "u": _each("\\u{:04x}"),
    "x": _each("\\x{:02x}"),
    "U": _each("\\U{:08x}"),
    "u braces": _each("\\u{{{:x}}}"),
    "octal": _each("\\{:03o}"),
    "entity": _each("&#{};"),
    "hex entity": _each("&#x{:x};"),
    "named entity": html.escape,
    "quoted-printable": _each("={:02X}"),
    "json": json.dumps,
}
CORES = ("§", '{"pan": "§"}', '{"card": {"number": "¤"}}', "number=§&cvc=123", "<pan>§</pan>")
MISSES = ("0x{:x}", "hex without a border", "split over fields that say nothing")


def fill(form: str, digits: str) -> str:
    fours = " ".join(digits[i : i + 4] for i in range(0, len(digits), 4))
    return form.replace("§", digits).replace("¤", fours)


def texts(digits: str) -> Iterator[str]:
    """Every form of one PAN of sixteen digits."""
    yield from (fill(form, digits) for form in WRITTEN)
    yield from (fill(form.format(key=key), digits) for key in KEYS for form in _KEYED)
    for core in CORES:
        plain = fill(core, digits)
        yield from (f"payload={encode(plain)}" for encode in ENCODERS.values())
    plain = fill(CORES[1], digits)
    yield from (f"payload={two(one(plain))}" for one in ENCODERS.values() for two in ENCODERS.values())
