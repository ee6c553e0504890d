"""Card brands: issuer identification number ranges, lengths, and the check digit.

Sources: ISO/IEC 7812-1 (structure, Luhn check digit in annex B) and the ranges that the schemes publish. A range is
written as a prefix or as `first-last` of equal width. Where ranges of two brands overlap, the longest prefix names the
brand, and a length is good if any brand allows it.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain

_TABLE: tuple[tuple[str, str, str], ...] = (
    # brand, lengths, ranges
    ("visa", "13 16 18 19", "4"),
    ("mastercard", "16", "51-55 222100-272099"),
    ("amex", "15", "34 37"),
    ("diners", "14 15 16 17 18 19", "300-305 3095 36 38-39"),
    ("discover", "16 17 18 19", "6011 644-649 65 622126-622925"),
    ("jcb", "15 16 17 18 19", "3528-3589"),
    ("jcb", "16", "35"),
    ("jcb", "15", "2131 1800"),
    ("unionpay", "16 17 18 19", "62 81"),
    ("maestro", "12 13 14 15 16 17 18 19", "5018 5020 5038 56-58 6304 6390 6759 6761-6763 0604"),
    ("maestro", "13 14 15 16 17 18 19", "500-506 508-509 59 60-61 63-64 66-69"),
    ("mir", "16 17 18 19", "2200-2204"),
    ("rupay", "16", "508 60 65 81-82 353 356"),
    ("elo", "16", "401178-401179 431274 438935 451416 457393 457631-457632 504175 506699-506778 509000-509999 627780"),
    ("elo", "16", "636297 636368 650031-650033 650035-650051 650405-650439 650485-650538 650541-650598 651652-651679"),
    ("hipercard", "13 16 19", "606282 384100 384140 384160 637095 637599 637609 637612"),
    ("troy", "16", "9792"),
    ("verve", "16 17 18 19", "506099-506198 507865-507964 650002-650027"),
    ("uatp", "15", "1"),
    ("dankort", "16", "5019 4571"),
    ("instapayment", "16", "637-639"),
    ("interpayment", "16 17 18 19", "636"),
    ("lankapay", "16", "357111"),
    ("napas", "16 19", "9704"),
    ("humo", "16", "9860"),
    ("uzcard", "16", "8600 5614"),
    ("belcart", "16", "9112"),
    ("elcart", "16", "9417"),
    ("korea", "16", "94"),
    ("dina", "16", "9891"),
    ("arca", "16", "9051"),
    ("prostir", "16", "9804"),
    ("gpn", "16", "50 56 58 60-63"),
    ("ukrcard", "16 17 18 19", "604001-604200"),
    ("meeza", "16", "507803 507808-507810 507809"),
    ("paypak", "16", "2205"),
    ("cabal", "16", "589657 604201-604219 6042"),
    ("naranja", "16", "589562"),
    ("shebaa", "16", "6037 5022 5047 5859 6274 6280 6219 6362 6393 6104"),
    ("tunion", "19", "31"),
    ("switch", "16 18 19", "4903 4905 4911 4936 564182 633110 6333"),
    ("voyager", "15", "8699"),
    ("bankcard", "16", "5610 560221-560225"),
)

# Published by schemes, gateways and processors for their test systems. Found and removed like any PAN; a finding
# tells them apart, because nobody has to be called at night for one.
TEST_PANS = frozenset(
    """
    4111111111111111 4242424242424242 4012888888881881 4000056655665556 4000000000000002 4000002500003155
    4000000000009995 4000000000000077 4000000000003220 4222222222222 4012000033330026 4005519200000004 4009348888881881
    4012000077777777 4217651111111119 4500600000000061 4917610000000000 4988438843884305 4166676667666746
    4646464646464644 4000620000000007 4000000000000010 4444333322221111 4462030000000000 4917300800000000
    4911830000000 4484070000000000 4001020000000009 4035501000000008 4871049999999910 4131840000000003
    5555555555554444 5105105105105100 5200828282828210 5555341244441115 5577000055770004 2223003122003222
    2222400070000005 2222410740360010 2223000048400011 2223520443560010 5454545454545454 5436031030606378
    5100060000000002 5500005555555559 5424000000000015 5301250070000191 5123459999998221 5136333333333335
    378282246310005 371449635398431 378734493671000 370000000000002 343434343434343 374251018720018 374101000000608
    30569309025904 38520000023237 36006666333344 36700102000000 36148900647913 36227206271667 3056930009020004
    6011111111111117 6011000990139424 6011981111111113 6011000400000000 6011601160116611 6445644564456445
    3530111333300000 3566002020360505 3569990010095841 3566111111111113 6205500000000000004 6200000000000005
    6243030000000001 6250941006528599 6771798021000008 6759649826438453 6304000000000000 5018000000000009
    6799990100000000019 5000550000000029 6062826786276634 6362970000457013 5066991111111118
    2200000000000004 2200770239097761 5019555544445555
    """.split()  # noqa: SIM905
)


def _ranges() -> dict[str, list[tuple[str, str, frozenset[int]]]]:
    """Every range by its first digit: (first, last, lengths and brand)."""
    by_digit: dict[str, list[tuple[str, str, frozenset[int]]]] = {}
    for brand, lengths, spans in _TABLE:
        allowed = frozenset(int(n) for n in lengths.split())
        for span in spans.split():
            first, _, last = span.partition("-")
            for digit in range(int(first[0]), int((last or first)[0]) + 1):
                by_digit.setdefault(str(digit), []).append((f"{first}:{last or first}", brand, allowed))
    return by_digit


_BY_DIGIT = _ranges()


@lru_cache(maxsize=65536)
def _of_prefix(prefix: str) -> tuple[tuple[str, frozenset[int]], ...]:
    """Brands whose ranges hold this six-digit prefix, the longest range first."""
    found: list[tuple[int, str, frozenset[int]]] = []
    for bounds, brand, allowed in _BY_DIGIT.get(prefix[0], ()):
        first, last = bounds.split(":")
        if first <= prefix[: len(first)] <= last:
            found.append((len(first), brand, allowed))
    found.sort(key=lambda item: -item[0])
    return tuple((brand, allowed) for _, brand, allowed in found)


def brand_of(digits: str) -> str:
    """The brand that issues a number of these digits at this length, or "" if none does."""
    length = len(digits)
    for brand, allowed in _of_prefix(digits[:6]):
        if length in allowed:
            return brand
    return ""


def brand_named(digits: str) -> str:
    """The brand by prefix alone, for numbers known to be a PAN from their key; "card" if none fits."""
    found = _of_prefix(digits[:6])
    return found[0][0] if found else "card"


_DOUBLED = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))
_ONES = bytes.maketrans(b"0123456789", bytes(range(10)))


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B. `digits` holds ASCII digits only. All zeros pass the sum, and are no PAN."""
    data = digits.encode("ascii")
    total = sum(data[-1::-2].translate(_ONES)) + sum(data[-2::-2].translate(_DOUBLED))
    return total % 10 == 0 and len(set(data)) > 1


def check_digit(digits: str) -> str:
    """The digit that makes `digits` plus it pass `luhn`."""
    data = digits.encode("ascii")
    total = sum(data[-1::-2].translate(_DOUBLED)) + sum(data[-2::-2].translate(_ONES))
    return str(-total % 10)


def is_pan(digits: str) -> bool:
    """A length and prefix that some brand issues, and a good check digit."""
    return 12 <= len(digits) <= 19 and brand_of(digits) != "" and luhn(digits)


def table() -> tuple[tuple[str, tuple[int, ...], tuple[str, ...]], ...]:
    """(brand, lengths, ranges) as published above, for tests and tables."""
    return tuple((b, tuple(int(n) for n in ls.split()), tuple(chain(rs.split()))) for b, ls, rs in _TABLE)
