"""Characters that nobody sees, spelled out: `⟨U+202E⟩`, `⟨U+001B⟩`.

For whoever judges what was written (the console, `payops log show`): a control or bidirectional character could make a
page or a terminal read otherwise than the bytes (CVE-2021-42574, "Trojan Source"; terminal escapes). Where text is to
be read and not judged, `inert.visible` leaves them out instead.
"""

from __future__ import annotations

import unicodedata

_KEPT = frozenset({"\n", "\t"})
_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})


def spelled(text: str) -> str:
    """`text` with everything unseen but line breaks and tabs spelled out."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in _KEPT or unicodedata.category(c) not in _UNSEEN else f"⟨U+{ord(c):04X}⟩" for c in text)
