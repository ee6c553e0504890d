"""Written forms of a PAN: what people, programs and protocols make of sixteen digits.

A form takes digits and writes them. `FORMS` must always be found; `MISSES` are published: honest numbers look the same
far too often (one in twenty of any numbers reversed, in a list of two or inside an id would be taken for a card).
"""

# ruff: noqa: E501, SIM905  tables of texts read best as they are
from __future__ import annotations

import base64
import binascii
import gzip
import html
import json
import zlib
from collections.abc import Callable
from urllib.parse import quote

Form = Callable[[str], str]


def fours(digits: str, gap: str) -> str:
    return gap.join(digits[i : i + 4] for i in range(0, len(digits), 4))


def _mapped(digits: str, first: int) -> str:
    return "".join(chr(first + int(d)) for d in digits)


def _grouped(gap: str) -> Form:
    return lambda d: f"card {fours(d, gap)} declined"


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


_Z85 = str.maketrans(
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~",
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#",
)


def _words(digits: str, gap: str) -> str:
    names = "zero one two three four five six seven eight nine".split()
    return gap.join(names[int(d)] for d in digits)


_GAPS = {
    "space": " ", "dash": "-", "dot": ".", "slash": "/", "underscore": "_", "pipe": "|", "comma": ",", "colon": ":", "semicolon": ";",
    "star": "*", "plus": "+", "tilde": "~", "hash": "#", "equals": "=", "backslash": "\\", "apostrophe": "'", "two spaces": "  ",
    "three spaces": "   ", "tab": "\t", "newline": "\n", "carriage return and newline": "\r\n", "space dash space": " - ", "comma space": ", ",
    "no-break space": "\u00a0", "narrow no-break space": "\u202f", "thin space": "\u2009", "em space": "\u2003", "figure space": "\u2007",
    "ideographic space": "\u3000", "non-breaking hyphen": "\u2011", "en dash": "\u2013", "em dash": "\u2014", "minus sign": "\u2212",
    "middle dot": "\u00b7", "bullet": "\u2022", "zero width space": "\u200b", "zero width joiner": "\u200d", "word joiner": "\u2060",
    "byte order mark": "\ufeff", "soft hyphen": "\u00ad", "right-to-left mark": "\u200f", "html nbsp": "&nbsp;", "html numeric nbsp": "&#160;",
    "percent space": "%20", "percent dash": "%2D", "escaped newline": "\\n", "escaped tab": "\\t", "escaped nbsp": "\\u00a0", "nul": "\0",
}  # fmt: skip

FORMS: dict[str, Form] = {
    "plain": lambda d: f"card {d} declined",
    "alone": lambda d: d,
    "end of a sentence": lambda d: f"we saw {d}.",
    "in brackets": lambda d: f"card ({d}) declined",
    "in quotes": lambda d: f"card '{d}' declined",
    **{f"fours by {name}": _grouped(gap) for name, gap in _GAPS.items()},
    "mixed separators": lambda d: f"card {d[:4]}-{d[4:8]} {d[8:12]}.{d[12:]} declined",
    "six and the rest": lambda d: f"card {d[:6]} {d[6:]} declined",
    "six, six, four": lambda d: f"card {d[:6]}-{d[6:12]}-{d[12:]} declined",
    "eights": lambda d: f"card {d[:8]} {d[8:]} declined",
    "pairs": lambda d: "card " + " ".join(d[i : i + 2] for i in range(0, len(d), 2)) + " declined",
    "every digit by space": lambda d: "card " + " ".join(d) + " declined",
    "every digit by dash": lambda d: "card " + "-".join(d) + " declined",
    "every digit by dot": lambda d: "card " + ".".join(d) + " declined",
    "thousands commas": lambda d: f"card {int(d):,} declined",
    "thousands underscores": lambda d: f"card {int(d):_} declined",
    "thousands apostrophes": lambda d: f"card {int(d):,}".replace(",", "'") + " declined",
    "scientific": lambda d: f"card {d[0]}.{d[1:]}E+15 declined",
    "scientific, small e": lambda d: f"card {d[0]}.{d[1:]}e15 declined",
    "float": lambda d: f"card {d}.0 declined",
    "float, two places": lambda d: f"card {d}.00 declined",
    "leading zeros": lambda d: f"card 000{d} declined",
    "spelled out": lambda d: f"card {_words(d, ' ')} declined",
    "spelled with commas": lambda d: f"card {_words(d, ', ')} declined",
    "full-width digits": lambda d: f"card {_mapped(d, 0xFF10)} declined",
    "Arabic digits": lambda d: f"card {_mapped(d, 0x0660)} declined",
    "Persian digits": lambda d: f"card {_mapped(d, 0x06F0)} declined",
    "Devanagari digits": lambda d: f"card {_mapped(d, 0x0966)} declined",
    "Bengali digits": lambda d: f"card {_mapped(d, 0x09E6)} declined",
    "Thai digits": lambda d: f"card {_mapped(d, 0x0E50)} declined",
    "mathematical bold digits": lambda d: f"card {_mapped(d, 0x1D7CE)} declined",
    "mathematical monospace digits": lambda d: f"card {_mapped(d, 0x1D7F6)} declined",
    "circled digits": lambda d: "card " + "".join("⓪" if c == "0" else chr(0x245F + int(c)) for c in d) + " declined",
    "superscript digits": lambda d: "card " + d.translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")) + " declined",
    "subscript digits": lambda d: f"card {_mapped(d, 0x2080)} declined",
    "keycap emoji": lambda d: "card " + "".join(c + "\ufe0f\u20e3" for c in d) + " declined",
    "combining underline": lambda d: "card " + "".join(c + "\u0332" for c in d) + " declined",
    "zero width between all": lambda d: "card " + "\u200b".join(d) + " declined",
    "soft hyphen between all": lambda d: "card " + "\u00ad".join(d) + " declined",
    "ANSI colour around": lambda d: f"card \x1b[31m{d}\x1b[0m declined",
    "ANSI colour inside": lambda d: f"card {d[:6]}\x1b[1;33m{d[6:12]}\x1b[0m{d[12:]} declined",
    "percent-encoded": lambda d: "card=" + "".join(f"%{ord(c):02X}" for c in d) + "&ok=1",
    "percent-encoded in part": lambda d: f"card=%{ord(d[0]):02x}{d[1:8]}%{ord(d[8]):02x}{d[9:]}",
    "percent-encoded twice": lambda d: "card=" + "".join(f"%25{ord(c):02X}" for c in d),
    "percent-encoded full-width": lambda d: "card=" + quote(_mapped(d, 0xFF10)),
    "query string": lambda d: f"GET /pay?number={d}&exp=1227 HTTP/1.1",
    "URL path": lambda d: f"GET https://api.shop.example/v1/cards/{d}/charges 402",
    "form with plus": lambda d: f"body=number={fours(d, '+')}&exp=12",
    "HTML decimal entities": lambda d: "card " + "".join(f"&#{ord(c)};" for c in d),
    "HTML hex entities": lambda d: "card " + "".join(f"&#x{ord(c):x};" for c in d),
    "HTML padded entities": lambda d: "card " + "".join(f"&#{ord(c):04d};" for c in d),
    "entity twice": lambda d: "card " + html.escape("".join(f"&#{ord(c)};" for c in d)),
    "\\u escapes": lambda d: "card " + "".join(f"\\u{ord(c):04x}" for c in d),
    "\\u escapes of full-width": lambda d: json.dumps({"note": _mapped(d, 0xFF10)}),
    "\\\\u escapes": lambda d: "card " + "".join(f"\\\\u{ord(c):04x}" for c in d),
    "\\u{} escapes": lambda d: "card " + "".join(f"\\u{{{ord(c):x}}}" for c in d),
    "\\x escapes": lambda d: "card " + "".join(f"\\x{ord(c):02x}" for c in d),
    "octal escapes": lambda d: "card " + "".join(f"\\{ord(c):03o}" for c in d),
    "quoted-printable": lambda d: "card " + "".join(f"={ord(c):02X}" for c in d),
    "quoted-printable soft break": lambda d: f"card {d[:8]}=\n{d[8:]}",
    "hex of ASCII": lambda d: f"data={d.encode().hex()}",
    "hex of ASCII, capitals": lambda d: f"data={('card ' + d).encode().hex().upper()}",
    "hex with 0x": lambda d: f"data=0x{d.encode().hex()}",
    "hex of UTF-16": lambda d: f"data={d.encode('utf-16-be').hex()}",
    "hex of little-endian UTF-16": lambda d: f"data={d.encode('utf-16-le').hex()}",
    "hex by colons": lambda d: "data=" + d.encode().hex(":"),
    "hex list": lambda d: "data=[" + ", ".join(f"0x{ord(c):02x}" for c in d) + "]",
    "EBCDIC hex": lambda d: "data=" + "".join(f"F{c}" for c in d),
    "decimal character codes": lambda d: "data=[" + ", ".join(str(ord(c)) for c in d) + "]",
    "base64": lambda d: f"data={_b64(d)}",
    "base64 of a sentence": lambda d: f"data={_b64(f'the card {d} was declined')}",
    "base64, shifted by one": lambda d: f"data={_b64('x' + d + ' declined')}",
    "base64, shifted by two": lambda d: f"data={_b64('xy' + d + ' declined')}",
    "base64 of grouped": lambda d: f"data={_b64('card ' + fours(d, ' ') + ' ok')}",
    "base64 of JSON": lambda d: f"data={_b64(json.dumps({'pan': d, 'exp': '12/27'}))}",
    "base64 URL-safe, unpadded": lambda d: (
        f"data={base64.urlsafe_b64encode(f'<{d}?>~~~'.encode()).decode().rstrip('=')}"
    ),
    "base64 twice": lambda d: f"data={_b64(_b64('card ' + d))}",
    "base64 in JSON escapes": lambda d: json.dumps({"a": json.dumps({"b": _b64("card=" + d)})}),
    "base64 of gzip": lambda d: (
        "data=" + base64.b64encode(gzip.compress(f"card {d} declined".encode(), mtime=0)).decode()
    ),
    "base64 of percent": lambda d: f"data={_b64('card=' + ''.join(f'%{ord(c):02X}' for c in d))}",
    "JSON text": lambda d: json.dumps({"card": {"number": d}}),
    "JSON number": lambda d: json.dumps({"card": {"number": int(d)}}),
    "JSON number under another key": lambda d: json.dumps({"x": int(d), "y": 1}),
    "JSON key": lambda d: json.dumps({d: "seen"}),
    "JSON in JSON": lambda d: json.dumps({"body": json.dumps({"pan": d})}),
    "JSON in JSON in JSON": lambda d: json.dumps({"body": json.dumps({"body": json.dumps({"pan": d})})}),
    "JSON list": lambda d: json.dumps([1, d, 2]),
    "logfmt": lambda d: f"level=warn pan={d} rc=05",
    "logfmt quoted": lambda d: f'level=warn pan="{fours(d, " ")}" rc=05',
    "logfmt bare groups": lambda d: f"level=warn pan={fours(d, ' ')} rc=05",
    "XML element": lambda d: f"<Pmt><PAN>{d}</PAN></Pmt>",
    "XML attribute": lambda d: f'<card number="{d}" expiry="12/27"/>',
    "XML namespace": lambda d: f"<ns2:cardNumber xmlns:ns2='urn:x'>{d}</ns2:cardNumber>",
    "XML CDATA": lambda d: f"<PAN><![CDATA[{d}]]></PAN>",
    "jPOS field": lambda d: f'<field id="2" value="{d}"/>',
    "SQL literal": lambda d: f"UPDATE cards SET pan = '{d}' WHERE id = 7",
    "SQL insert": lambda d: f"INSERT INTO cards (id, pan) VALUES (7, '{d}')",
    "SQL parameters": lambda d: f"executing [select 1 from t where n=?] with params [7, {d}, null]",
    "CSV": lambda d: f"2026-11-23,auth,{d},USD,12.50",
    "CSV quoted": lambda d: f'"2026-11-23","auth","{d}","USD"',
    "TSV": lambda d: f"2026-11-23\tauth\t{d}\tUSD",
    "SWIFT field": lambda d: f":20:REF1\n:59:/{d}\nACME LTD\n:71A:SHA",
    "YAML": lambda d: f"card:\n  number: {d}\n",
    "INI": lambda d: f"[card]\nnumber = {d}\n",
    "Python repr": lambda d: f"Card(number='{d}', exp=None)",
    "Java toString": lambda d: f"Card{{number={d}, expiry=1227}}",
    "Go struct": lambda d: f"&{{Number:{d} Expiry:1227}}",
    "command line": lambda d: f"tool --pan {d} --exp 1227",
    "glued to a key": lambda d: f"pan{d}",
    "glued both sides": lambda d: f"pan{d}x",
    "glued by underscore": lambda d: f"card_{d}",
    "glued by hash": lambda d: f"acct#{d}",
    "glued to currency": lambda d: f"{d}EUR",
    "glued to a hex letter": lambda d: f"abc{d}",
    "glued to a file name": lambda d: f"/var/tmp/card-{d}.json",
    "mail address": lambda d: f"{d}@cards.example.com",
    "with expiry by slash": lambda d: f"card {d} 12/27",
    "with expiry and code": lambda d: f"{d}|12|2027|123",
    "with expiry glued": lambda d: f"{d}1227",
    "with expiry by equals": lambda d: f"{d}=2712",
    "other numbers before": lambda d: f"id 12 34 {fours(d, ' ')} 99",
    "track 1": lambda d: f"%B{d}^DOE/JOHN^27121011234567890?",
    "track 1 without sentinels": lambda d: f"B{d}^DOE/JOHN^27121011234567890",
    "track 2": lambda d: f";{d}=27121011234567890?",
    "track 2 with D": lambda d: f"{d}D27121011234567890F",
    "EMV 5A": lambda d: f"5A08{d}5F3401",
    "EMV 5A in a message": lambda d: f"9F2608A1B2C3D4E5F60718829F360200015A08{d}5F24032712319F1A020826",
    "EMV 5A by spaces": lambda d: "5A 08 " + " ".join(d[i : i + 2] for i in range(0, 16, 2)),
    "EMV 57": lambda d: f"5711{d}D2712101123456789F",
    "LLVAR": lambda d: f"16{d}",
    "LLVAR in a dump of fields": lambda d: f"F002: 16{d}",
    "ISO 8583 field": lambda d: f"DE002={d} DE003=000000",
    "ISO 8583 message": lambda d: f"0200723805812EC0820016{d}000000000000012500112317371212345617371211231227",
    "packed with F": lambda d: f"field2={d}FFFF",
    "hexdump": lambda d: "00000000  " + d.encode().hex(" ") + f"  |{d}|",
    "numbered list": lambda d: f"1) {d}",
    "markdown": lambda d: f"**{d}**",
    "HTML table cell": lambda d: f"<td>{d}</td>",
    "regular expression": lambda d: f"^{d}$",
    "bold per group": lambda d: f"card {d[:4]}**{d[4:8]}**{d[8:12]}**{d[12:]}",
    "four spaces": lambda d: f"card {fours(d, '    ')} declined",
    "a line each, indented": lambda d: "card\n    " + fours(d, "\n    ") + "\n",
    "wrapped and indented": lambda d: f"card {d[:7]}\n    {d[7:]} declined",
    "HTML line breaks": lambda d: f"card {fours(d, '<br/>')} declined",
    "HTML cells inside": lambda d: f"<b>{fours(d, '</b><b>')}</b>",
    "quoted groups": lambda d: "card " + "'" + fours(d, "' + '") + "'",
    "list of groups": lambda d: 'card: ["' + fours(d, '", "') + '"]',
    "list of digits": lambda d: "digits: [" + ", ".join(d) + "]",
    "list of quoted digits": lambda d: 'digits: ["' + '","'.join(d) + '"]',
    "quoted-printable space": lambda d: f"card {fours(d, '=20')} declined",
    "quoted-printable, one digit": lambda d: f"card {d[:4]}=3{d[4]}{d[5:]}",
    "quoted-printable, glued to a word": lambda d: "card" + "".join(f"={ord(c):02X}" for c in d),
    "quoted-printable, every other digit": lambda d: (
        "card " + "".join(c if i % 2 else f"=3{c}" for i, c in enumerate(d))
    ),
    "quoted-printable, first digit": lambda d: f"card =3{d[0]}{d[1:]} declined",
    "quoted-printable, last digit": lambda d: f"card {d[:-1]}=3{d[-1]} declined",
    "quoted-printable nbsp": lambda d: f"card {fours(d, '=C2=A0')} declined",
    "quoted-printable behind a percent sign": lambda d: f"100%{d[:2]}=3{d[2]}{d[3:]}",
    "percent-encoded three times": lambda d: "card=" + "".join(f"%2525{ord(c):02X}" for c in d),
    "%u escapes": lambda d: "card=" + "".join(f"%u00{ord(c):02X}" for c in d),
    "entities without semicolons": lambda d: "card " + "".join(f"&#{ord(c)}" for c in d),
    "hex entities without semicolons": lambda d: "card " + "".join(f"&#x{ord(c):x}" for c in d),
    "short octal escapes": lambda d: "card " + "".join(f"\\{ord(c):o}" for c in d),
    "CSS escapes": lambda d: "card " + "".join(f"\\{ord(c):06x}" for c in d),
    "surrogate pairs": lambda d: json.dumps({"note": _mapped(d, 0x1D7CE)}),
    "surrogate pairs in JSON in JSON": lambda d: json.dumps({"body": json.dumps({"note": _mapped(d, 0x1D7CE)})}),
    "ANSI colour by caret": lambda d: f"card {d[:6]}^[[31m{d[6:]}^[[0m declined",
    "ANSI colour by \\e": lambda d: f"card {d[:6]}\\e[31m{d[6:]}\\e[0m declined",
    "ANSI colour by octal": lambda d: f"card {d[:6]}\\033[31m{d[6:]}\\033[0m declined",
    "rsyslog escapes": lambda d: f"line#012{d}#012next",
    "base64 between bytes": lambda d: (
        "data=" + base64.b64encode(b"\xfa\x01\x07\xff" + d.encode() + b"\xff\xc8").decode()
    ),
    "base64 of UTF-16": lambda d: f"data={base64.b64encode(d.encode('utf-16-le')).decode()}",
    "base64 of zlib": lambda d: (
        f"data={base64.b64encode(zlib.compress(f'the card {d} was declined'.encode())).decode()}"
    ),
    "base32": lambda d: f"data={base64.b32encode(f'card {d}'.encode()).decode()}",
    "hex of gzip": lambda d: f"data={gzip.compress(f'card {d} declined'.encode(), mtime=0).hex()}",
    "bits": lambda d: "data=" + " ".join(f"{ord(c):08b}" for c in d),
    "octal list": lambda d: "data=[" + ", ".join(f"0o{ord(c):o}" for c in d) + "]",
    "hex list, capital X": lambda d: "data={" + ",".join(f"0X{ord(c):02X}" for c in d) + "}",
    "hex with h": lambda d: "data=" + " ".join(f"{ord(c):02x}h" for c in d),
    "SQL characters": lambda d: "select " + "||".join(f"CHR({ord(c)})" for c in d),
    "scientific, point elsewhere": lambda d: f"card {d[:2]}.{d[2:]}e14 declined",
    "scientific by power of ten": lambda d: f"card {d[0]}.{d[1:]} x 10^15 declined",
    "spelled without gaps": lambda d: f"card {_words(d, '')} declined",
    "track 3": lambda d: f";01{d}=724724000000000000030300XXXX=",
    "LLLVAR": lambda d: f"016{d}",
    "name and value": lambda d: json.dumps({"name": "pan", "value": d}),
    "PHP serialised": lambda d: f's:3:"pan";s:{len(d)}:"{d}";',
    "PHP dump": lambda d: f'["pan"]=> string({len(d)}) "{d}"',
    "database duplicate": lambda d: f"Duplicate entry '{d}' for key 'cards.pan'",
    "database detail": lambda d: f"DETAIL:  Key (pan)=({d}) already exists.",
    "failed conversion": lambda d: f"ValueError: invalid literal for int() with base 10: '{d}x'",
    "multipart form": lambda d: f'Content-Disposition: form-data; name="pan"\r\n\r\n{d}\r\n--x',
    "MongoDB long": lambda d: f'{{"pan":{{"$numberLong":"{d}"}}}}',
    "mixed scripts": lambda d: (
        "card " + "".join(chr((0x660, 0x966, 0xFF10, 0x30)[i % 4] + int(c)) for i, c in enumerate(d))
    ),
    "two of them": lambda d: f"{d} {d}",
    "two grouped": lambda d: f"{fours(d, ' ')} {fours(d, ' ')}",
    "behind a time": lambda d: f"17:48:02 {fours(d, ' ')}",
    "behind an epoch": lambda d: f"1795447297 {fours(d, ' ')}",
    "ascii85": lambda d: f"data={base64.a85encode(f'card {d} declined'.encode()).decode()} ok",
    "ascii85 with brackets": lambda d: f"data={base64.a85encode(d.encode(), adobe=True).decode()}",
    "base85": lambda d: f"data={base64.b85encode(d.encode()).decode()}",
    "base85 of JSON": lambda d: f'{{"data":"{base64.b85encode(json.dumps({"pan": d}).encode()).decode()}"}}',
    "base85 of grouped": lambda d: f"data={base64.b85encode(fours(d, ' ').encode()).decode()}",
    "z85": lambda d: f"data={base64.b85encode(f'the card {d}'.encode()).decode().translate(_Z85)}",
    "uuencode": lambda d: f"begin 644 x\n{binascii.b2a_uu(d.encode()).decode()}`\nend",
    "uuencode of a sentence": lambda d: f"begin 644 x\n{binascii.b2a_uu(f'card {d} declined'.encode()).decode()}`\nend",
    "uuencode of grouped": lambda d: binascii.b2a_uu(fours(d, "-").encode()).decode(),
    "base64 three times": lambda d: f"data={_b64(_b64(_b64('card ' + d)))}",
    "base64 four times": lambda d: f"data={_b64(_b64(_b64(_b64('card=' + d + '&ok=1'))))}",
    "a box for every four": lambda d: "&".join(f"cc{i + 1}={d[4 * i : 4 * i + 4]}" for i in range(4)),
    "a box for every four, JSON": lambda d: json.dumps({f"card_no_{i + 1}": d[4 * i : 4 * i + 4] for i in range(4)}),
    "a box for every four, one name": lambda d: "&".join(f"number[]={part}" for part in fours(d, " ").split()),
    "split over fields": lambda d: json.dumps({"bin": d[:6], "middle": d[6:12], "last4": d[12:]}),
    "split over fields, numbers": lambda d: f"first6={d[:6]} mid6={d[6:12]} last4={d[12:]}",
    "split in two": lambda d: f"bin={d[:6]} rest={d[6:]}",
}

MISSES: dict[str, Form] = {
    "split over fields that say nothing": lambda d: json.dumps({"a": d[:6], "b": d[6:12], "c": d[12:]}),
    "two halves in a list": lambda d: json.dumps({"ids": [d[:8], d[8:]]}),
    "reversed": lambda d: f"card {d[::-1]} declined",
    "inside a longer hex id": lambda d: f"trace=a1b2c3d4{d}e5f60718",
    "hexadecimal number": lambda d: f"card=0x{int(d):x}",
    "quoted-printable, first digit behind a key": lambda d: f"x=3{d[0]}{d[1:]}",
}
