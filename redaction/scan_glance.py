"""A first glance for the last look: one pass that shows which of its patterns cannot possibly match.

Each entry is a necessary condition of one pattern of `scanner`, `scan_cards` or `scan_decode`, without its borders, and
as wide as Python's Unicode classes where those see more than ASCII (any byte of a character beyond ASCII counts as a
letter, a digit and a space at once). All of them are one Hyperscan database, kept as the triggers' is; it is made when
enough bytes have come by to pay for it. Where Hyperscan is not installed, and until then, everything is possible and
every pattern runs: the verdict is the same, and a test holds that.
"""

from __future__ import annotations

import threading
from typing import Any

from redaction.triggers import database_of

_D = r"[0-9\x80-\xff]"
_W = r"[0-9A-Za-z_\x80-\xff]"
_S = r"[\x09-\x0d\x1c-\x20\x80-\xff]"
_BETWEEN = r"(?:[\"':=#>]|[\x09-\x0d\x1c-\x20\x80-\xff]){1,24}"
_GAP = r"(?:[^0-9A-Za-z\x80-\xff]|[\x80-\xff]{1,4}){0,3}"

MAY_MATCH: dict[str, tuple[str, ...]] = {
    "row": (rf"[0-9](?:{_GAP}[0-9]){{12}}",),
    "emv": (r"5[aA] ?0[789aA][ :]?(?:[0-9]{2} ?){6}[0-9]",),
    "message": (r"0[1248][0-9]{2}[0-9A-F]{16}1[3-9][0-9]{16}", r"57(?:0[a-fA-F]|1[0-3])[0-9]{13}[0-9]{0,6}[dD]"),
    "exponent": (r"[0-9.]{13}(?:[eE]\+?|\s?[xX*]\s?10\s?\^?)[0-9]",),
    "track": (r"\^", rf"{_D}{{13}}[=D]{_D}{{7}}"),
    "sad": (
        rf"(?i)(?:cvv2?|cvc2?|cvn|csc|cav2|card[ _]?security[ _]?code){_BETWEEN}(?:is{_S})?[\"']?{_D}{{3}}",
        rf"(?i)pin[ _\-]?block{_BETWEEN}[0-9a-f]{{16}}",
        rf"(?i)pin[\"']?{_S}{{0,4}}[:=]{_S}{{0,4}}[\"']?{_D}{{4}}",
    ),
    "secret": (
        r"A(?:KIA|SIA)[0-9A-Z]{16}",
        rf"gh[a-z]_{_W}{{8}}|github_pat_|glpat-",
        r"xox[a-z]-|xapp-|hooks\.slack\.com/services/T",
        rf"[a-z]k_(?:live|test)_|whsec_|sk-(?:{_W}|-){{12}}",
        rf"AIza|ya29\.|SG\.(?:{_W}|-){{8}}|npm_{_W}{{8}}|hv[sb]\.{_W}{{8}}|glsa_",
        r"-----BEGIN",
        rf"eyJ(?:{_W}|-)+\.eyJ",
        rf"(?i)bearer{_S}",
        r"[a-z]://[^\s/@:\"'<>]*:[^\s/@\"'<>]+@",
        rf"(?i)(?:password|passwd|api_?key|client_secret)[\"']?{_S}{{0,4}}[:=]",
        r"AccountKey=",
    ),
    "email": (r"[0-9A-Za-z.+_%\-]@[A-Za-z0-9\-]{1,63}\.[A-Za-z0-9]",),
    "iban": (rf"[A-Z]{{2}}{_D}{{2}}(?: ?[A-Z0-9]{{4}}){{2}}",),
    "percent": (r"%[0-9A-Fa-fu][0-9A-Fa-f]",),
    "colour": (r"\x1b\[", r"\^\[\[", r"\\e\["),
    "control": (r"#0[0-3][0-7]",),
    "apart": (r"[0-9](?:[ \t\r\n]{4}|[\"'] ?[,+.|&]{1,2} ?[\"'][0-9]|<[/A-Za-z][^<>]*>)",),
    "escape": (r"\\(?:[ux0-9nrt]|[\"'/])",),
    "quoted": (r"(?:=[2-7][0-9A-F]){3}|=\r?\n|[0-9]=[23][0-9A-E]",),
    "codes": (r"(?:(?:0[xX]|\\x)?(?:00)?[23][0-9a-fA-F](?:00)?[ ,:;h]{0,2}){12}",),
    "ebcdic": (r"(?:[fF][0-9]){12}",),
    "decimals": (r"(?:(?:4[4-9]|5[0-7]|32),? ){11}(?:4[4-9]|5[0-7])",),
    "hex": (r"[0-9a-fA-F]{24}",),
    # Two neighbouring fours of printable text: under a tenth of what base64 hides may be other bytes. Or digits of
    # UTF-16, gzip, zlib.
    "base64": (
        r"(?:[CDI-Za-f][A-HQ-Xg-nw-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/_\-]){2}",
        r"[MNO][AQgw]A[w-z0-5]AD",
        r"H4sI|e[AFJN][0-9A-Za-z+/_\-]{14}",
    ),
}
EVERYTHING = frozenset(MAY_MATCH)
WORTH_IT = 200_000
"""Bytes after which the database is made: the time that making it takes (40 ms) is then won back."""
_FOLDS_TO_ASCII = "\u0130\u0131\u017f\u212a"
"""The characters that a pattern without regard to case takes for i, s and k."""


class Glance:
    """`possible(text)`: names of MAY_MATCH. `after`: bytes before the database is made; None never makes it."""

    def __init__(self, *, after: int | None = WORTH_IT) -> None:
        self._left = after
        self._names = [name for name, patterns in MAY_MATCH.items() for _ in patterns]
        self._database: Any = None
        self._local = threading.local()
        self._making = threading.Lock()

    def possible(self, text: str) -> frozenset[str]:
        if self._database is None and not self._ready(len(text)):
            return EVERYTHING
        if not text.isascii() and any(c in text for c in _FOLDS_TO_ASCII):
            return EVERYTHING
        return self._scanned(text.encode("utf-8", "surrogatepass"))

    def _ready(self, size: int) -> bool:
        """Whether there is a database, made now if it is due."""
        if self._left is None:
            return False
        self._left -= size
        if self._left > 0:
            return False
        with self._making:
            if self._database is None and self._left is not None:
                self._database = self._made()
        return self._database is not None

    def _made(self) -> Any:
        try:
            import hyperscan
        except ImportError:
            self._left = None
            return None
        patterns = [pattern for patterns in MAY_MATCH.values() for pattern in patterns]
        return database_of(patterns, flags=hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_DOTALL)

    def _scanned(self, data: bytes) -> frozenset[str]:
        import hyperscan

        scratch = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = hyperscan.Scratch(self._database)
        found: set[str] = set()

        def note(number: int, _start: int, _end: int, _flags: int, _context: object) -> None:
            found.add(self._names[number])

        try:
            self._database.scan(data, match_event_handler=note, scratch=scratch)
        except hyperscan.error:  # of the engine, not of the text: look at everything
            return EVERYTHING
        return frozenset(found)


SHARED = Glance()
