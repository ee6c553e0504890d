"""Text that came from outside, made inert: no link, mention or image is left for a reader's program to act on.

Every sink still escapes for its own markup; this is for what sinks do with plain text on their own: bare domains become
links, `@here` becomes a mention. Defanging is the form that security people write: `hxxps://evil[.]example`.
"""

from __future__ import annotations

import re
import unicodedata

_SCHEME = re.compile(r"(?<![A-Za-z])(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,20}):(//|[\\]{2})")
_NO_SLASH = re.compile(r"\b(javascript|data|vbscript|mailto|tel|file|slack|sms|blob)\s*:", re.IGNORECASE)
_SLASHES = re.compile(r"(?<![\w/\]])(//|\\\\)(?=[\w\[])")
_DOMAIN = re.compile(r"(?<=[\w\]])[.\u3002\uff0e\uff61](?=[^\W\d_][\w-])")
_IP = re.compile(r"(?<![\w.])(\d{1,3}\.\d{1,3}\.\d{1,3})\.(\d{1,3})(?![\w.])")
_MENTION = re.compile(r"[@\uff20\ufe6b]+(?=[\w\[({<\"'])")
_HASH = re.compile(r"(?<![\w&])#(?=[A-Za-z_])")
_MARKUP = re.compile(r"!\[|\]\(|\]\[|\]:\s*(?=\S)")
_TAG = re.compile(r"<(?=[A-Za-z/!?@#])")
PLACEHOLDER = re.compile(
    r"<(?!(?:A|IMG|SCRIPT|IFRAME|SVG|VIDEO|AUDIO|LINK|META|OBJECT|EMBED|FORM|STYLE|BASE|BODY|HTML|INPUT)\b)"
    r"[A-Z][A-Z0-9_]{1,24}(?:\.\d+)?(?: [a-z]{2,12})?(?: \d{4,8})?>"
)
_FILES = re.compile(r"py|toml|ya?ml|n?d?json|log|txt|sql|csv|md|conf|cfg|java|go|rs|js|ts|rb|sh|jar|xml", re.IGNORECASE)


_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})


_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_].*?(?:\x1b\\|$)|.)?", re.DOTALL)
_UNUSUAL = re.compile(r"[^\x20-\x7e\n\t]+")


def visible(text: str) -> str:
    """Without control, bidirectional, zero-width, tag and private-use characters and ANSI sequences; breaks stay."""
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    return _UNUSUAL.sub(lambda m: "".join(c for c in m[0] if unicodedata.category(c) not in _UNSEEN), text)


def inert(text: str) -> str:
    """`text` with nothing left that a reader's program would act on; redaction's placeholders stay as they are."""
    text = visible(text)
    parts, at = [], 0
    for match in PLACEHOLDER.finditer(text):
        parts += [_defang(text[at : match.start()]), match[0]]
        at = match.end()
    return "".join([*parts, _defang(text[at:])])


def live(text: str) -> tuple[str, ...]:
    """What a reader's program could act on in `text`: links, mentions, images, tags. Empty for `inert(text)`."""
    bare = PLACEHOLDER.sub(" ", text)
    patterns = (_SCHEME, _NO_SLASH, _SLASHES, _IP, _MENTION, _MARKUP, _TAG)
    found = [m[0] for pattern in patterns for m in pattern.finditer(bare)]
    found += [m[0] for m in re.finditer(r"[^\s<>()\[\]\"']+", bare) if _dotted(m[0])]
    return tuple(found)


def _defang(text: str) -> str:
    text = _SCHEME.sub(lambda m: m["scheme"].replace("tt", "xx", 1) + "[:]//", text)
    text = _NO_SLASH.sub(r"\1[:]", text)
    text = _SLASHES.sub(lambda m: "[" + m[1] + "]", text)
    text = _IP.sub(r"\1[.]\2", text)
    text = re.sub(r"\S+", lambda m: _DOMAIN.sub("[.]", m[0]) if _dotted(m[0]) else m[0], text)
    text = _MENTION.sub("(at)", text)
    text = _MARKUP.sub(lambda m: " ".join(m[0].strip()), text)
    text = _HASH.sub("# ", text)
    return _TAG.sub("‹", text)


def _dotted(word: str) -> bool:
    """Whether a program might take `word` for a domain: a dot before letters, unless they are a known file suffix."""
    found = list(_DOMAIN.finditer(word))
    if not found:
        return False
    tail = re.match(r"[\w-]+", word[found[-1].end() :])
    return not (len(found) == 1 and tail and _FILES.fullmatch(tail[0]) and re.fullmatch(r"[\w./-]+[,;:.)]?", word))
