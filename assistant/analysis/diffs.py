"""What a code or configuration diff does, as far as text can tell, and which symptoms that can produce.

A change is convicted by mechanism and not by nearness: a lock that was taken out can race, a query inside a loop can be
slow, a slice that only grows can fill memory, a limit that was removed can do either; a refactoring that keeps every
literal and every call can do nothing. The mechanisms are those that post-mortem collections keep naming (Liu et al.,
"What bugs cause production cloud incidents?", HotOS 2019; Gunawi et al., "Why does the cloud stop computing?", SoCC
2016).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from assistant.analysis import lexicon as lex
from assistant.analysis import words as w


@dataclass(frozen=True, slots=True)
class Effect:
    """One mechanism that a diff brings in, how surely (0..1), and the line that shows it."""

    mechanism: str
    sure: float
    line: str


@dataclass(frozen=True, slots=True)
class Diff:
    """Added, removed and context lines without their marks, in order; comments apart."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    after: tuple[tuple[bool, str], ...]
    """The text after the change: (whether the line is new, line)."""


def read_diff(text: str) -> Diff:
    """A unified diff, or hunks of one."""
    added, removed, after = [], [], []
    for raw in text.split("\n"):
        if raw.startswith(("+++", "---", "@@", "diff ", "index ")):
            continue
        mark, line = raw[:1], raw[1:]
        if mark in "+-" and lex.COMMENT.match(line):
            continue
        if mark == "+":
            added.append(line)
            after.append((True, line))
        elif mark == "-":
            removed.append(line)
        else:
            after.append((False, line))
    return Diff(tuple(added), tuple(removed), tuple(after))


def cosmetic(files: Sequence[str]) -> bool:
    """Whether every touched file is documentation, style, test or build plumbing."""
    return bool(files) and all(lex.COSMETIC_FILE.search(f) for f in files)


def effects(text: str, files: Sequence[str] = ()) -> tuple[Effect, ...]:
    """What a diff does, strongest first; empty where it can do nothing that text can tell."""
    if not text or cosmetic(files):
        return ()
    d = read_diff(text)
    if files and all(lex.BUMP_FILE.search(f) for f in files):
        return (Effect("dependency raised", 0.3, (d.added or ("",))[0].strip()),)
    gone, new = _difference(d)
    found = [*_by_lines(d, gone, new), *_by_values(d)]
    keeps = preserving(d)
    best: dict[str, Effect] = {}
    for e in found:
        e = Effect(e.mechanism, e.sure * (0.35 if keeps else 1.0), e.line.strip()[:160])
        if e.mechanism not in best or e.sure > best[e.mechanism].sure:
            best[e.mechanism] = e
    return tuple(sorted(best.values(), key=lambda e: -e.sure))


def _difference(d: Diff) -> tuple[list[str], list[str]]:
    """Lines that are really gone and really new: a line that only moved, or changed in space, is neither."""
    before, after = {_plain(x) for x in d.removed}, {_plain(x) for x in d.added}
    return [x for x in d.removed if _plain(x) not in after], [x for x in d.added if _plain(x) not in before]


def _plain(line: str) -> str:
    return re.sub(r"\s+", "", line)


def preserving(d: Diff) -> bool:
    """Whether a change looks like a refactoring: every number and string it takes out it puts back, and nothing is
    called that was not called before, helpers it defines itself apart."""
    if not d.removed:
        return False
    old, new = "\n".join(d.removed), "\n".join(d.added)
    literals = set(lex.NUMBER.findall(old)) | {"".join(m) for m in lex.STRING.findall(old)}
    kept = set(lex.NUMBER.findall(new)) | {"".join(m) for m in lex.STRING.findall(new)}
    if not literals <= kept and len(literals - kept) > 0.34 * len(literals):
        return False
    return not any(_risky(line) for line in _difference(d)[0]) and not _loop_call(d) and not _grows(d)


def _risky(line: str) -> bool:
    return bool(lex.LOCK.search(line) or lex.LIMIT.search(line) or lex.RELEASE.search(line) or lex.TIMEOUT.search(line))


def _by_lines(d: Diff, gone: Sequence[str], new: Sequence[str]) -> Iterable[Effect]:
    added_text = "\n".join(d.added)
    if line := _loop_call(d):
        yield Effect("call in a loop", 0.9, line)
    if line := _grows(d):
        yield Effect("only grows", 0.9, line)
    for line in gone:
        if lex.LIMIT.search(line) and not lex.LIMIT.search(added_text):
            yield Effect("limit removed", 0.85, line)
        if lex.LOCK.search(line) and not lex.LOCK.search(added_text):
            yield Effect("lock removed", 0.9, line)
        if lex.RELEASE.search(line) and not lex.RELEASE.search(added_text):
            yield Effect("release removed", 0.8, line)
        if lex.GUARD.search(line) and not lex.GUARD.search(added_text):
            yield Effect("guard removed", 0.55, line)
        if (
            m := re.match(r"\s*(?:await\s+|return\s+)?(?:[\w.]+\.)?([A-Za-z_]\w*)\(.*\)[;,]?\s*$", line)
        ) and not re.search(rf"(?<!\w){m[1]}\s*\(", added_text):
            yield Effect("call removed", 0.75, line)
        if lex.TIMEOUT.search(line) and not lex.TIMEOUT.search(added_text):
            yield Effect("timeout changed", 0.7, line)
        if lex.RETRY.search(line) and not lex.RETRY.search(added_text):
            yield Effect("retry changed", 0.55, line)
        if lex.CACHE.search(line) and not lex.CACHE.search(added_text):
            yield Effect("cache changed", 0.6, line)
        if lex.ACCESS.search(line) and not lex.ACCESS.search(added_text):
            yield Effect("access changed", 0.5, line)
    removed_text = "\n".join(d.removed)
    for line in new:
        if lex.LOCK.search(line) and not lex.LOCK.search(removed_text) and not re.search(r"(?i)unlock", line):
            yield Effect("lock added", 0.6, line)
        if lex.SPAWN.search(line) and not lex.SPAWN.search(removed_text) and not lex.LIMIT.search(added_text):
            yield Effect("concurrency unbounded", 0.55, line)
        if lex.ACQUIRE.search(line) and not lex.RELEASE.search(added_text) and not lex.ACQUIRE.search(removed_text):
            yield Effect("acquired, not released", 0.45, line)
        if lex.RETRY.search(line) and not lex.RETRY.search(removed_text):
            yield Effect("retry changed", 0.55, line)
        if lex.QUERY.search(line) and lex.QUERY.search(removed_text):
            yield Effect("query changed", 0.45, line)
        if lex.SLOW.search(line) and not lex.SLOW.search(removed_text):
            yield Effect("slow work added", 0.35, line)
        if lex.ACCESS.search(line) and not lex.ACCESS.search(removed_text):
            yield Effect("access changed", 0.4, line)


def _by_values(d: Diff) -> Iterable[Effect]:
    """Pairs of a removed and an added line that are the same but for a value or a name."""
    for old in d.removed:
        key = _shape(old)
        for new in d.added:
            if _shape(new) != key or _plain(old) == _plain(new) or len(key) < 3:
                continue
            a, b = lex.NUMBER.findall(old), lex.NUMBER.findall(new)
            if a != b:
                yield from _by_number(old, new, a, b)
            elif [*lex.STRING.findall(old)] != [*lex.STRING.findall(new)] or _words_differ(old, new):
                if lex.LOGGING.search(new):
                    yield Effect("logging raised", 0.85, new)
                elif lex.ADDRESS.search(new):
                    yield Effect("address changed", 0.7, new)
                elif lex.UNIT.search(new) and lex.UNIT.search(old):
                    yield Effect("unit changed", 0.7, new)
                elif lex.TLS.search(new):
                    yield Effect("tls changed", 0.5, new)
                elif lex.ACCESS.search(new):
                    yield Effect("access changed", 0.6, new)
                else:
                    yield Effect("name changed", 0.6, new)


def _by_number(old: str, new: str, a: Sequence[str], b: Sequence[str]) -> Iterable[Effect]:
    yield Effect("value changed", 0.55, new)
    if lex.LOGGING.search(new):
        yield Effect("logging raised", 0.85, new)
    if lex.TIMEOUT.search(new):
        yield Effect("timeout changed", 0.8, new)
    if lex.RETRY.search(new):
        yield Effect("retry changed", 0.8, new)
    if lex.CACHE.search(new):
        yield Effect("cache changed", 0.7, new)
    if lex.CAPACITY.search(new) and _lower(a, b):
        yield Effect("capacity lowered", 0.85, new)
    elif lex.LIMIT.search(new) and not _lower(a, b):
        yield Effect("limit removed", 0.4, new)
    if lex.UNIT.search(new):
        yield Effect("unit changed", 0.4, new)


def _lower(a: Sequence[str], b: Sequence[str]) -> bool:
    values = [
        tuple(float(m[0]) for x in xs if (m := re.match(r"[\d.]+", x.replace("_", ""))) and m[0].count(".") < 2)
        for xs in (a, b)
    ]
    return bool(values[0] and values[1]) and sum(values[1]) < sum(values[0])


def _shape(line: str) -> str:
    """A line without its numbers, strings and its last word: what stays when only a value changes."""
    text = lex.STRING.sub('""', lex.NUMBER.sub("0", line))
    return re.sub(r"([:=]\s*)[\w.\"]+\s*[,;]?\s*$", r"\1", text).strip()


def _words_differ(old: str, new: str) -> bool:
    return w.words(old) != w.words(new)


def _loop_call(d: Diff) -> str:
    """An added remote call inside a loop that was not there before, or ""."""
    before = "\n".join(d.removed)
    inside = 0
    for fresh, line in d.after:
        if lex.LOOP.search(line):
            inside = 7
            continue
        if (
            inside
            and fresh
            and lex.REMOTE.search(line)
            and not re.search(r"(?i)append|push|len\(|errors?\.|err\b\s*:?=\s*nil|\blog\.", line)
        ):
            called = set(lex.CALL.findall(line))
            if not all(f"{c}(" in before for c in called):
                return line
        inside = max(inside - 1, 0)
        if re.match(r"^\s?}\s*$", line):
            inside = 0
    return ""


def _grows(d: Diff) -> str:
    """An added write into a container that outlives the call and that nothing in the diff bounds, or ""."""
    text = "\n".join(line for _, line in d.after)
    if re.search(
        r"(?i)evict|lru|max_?(size|len|entries)|\bdelete\(|\.delete\(|\.clear\(|\.pop|shift\(|ttl|expire|"
        r"%\s*\w*(cap|max|size)|trim|\[:|prune",
        "\n".join(d.added),
    ):
        return ""
    holders = set(
        re.findall(
            r"(?m)^(?:var|static|const|let|private static|public static|"
            r"global)?\s*(?:final\s+)?(?:[\w<>\[\], ]+\s)?(\w+)\s*(?::?=|\[\]|map\[)[^=\n]*(?:\[\]|\{\}|"
            r"make\(|new Map|new Set|new HashMap|dict\(|list\(|ArrayList)",
            text,
        )
    )
    holders |= set(re.findall(r"(?m)^var (\w+) (?:\[\]|map\[)", text))
    for fresh, line in d.after:
        if not fresh:
            continue
        m = re.search(
            r"(?:this\.|self\.|s\.|c\.|h\.)?(\w+)\s*=\s*append\(\s*(?:\w+\.)?\1\b|(\w+)\.(?:push|add|put|"
            r"append|set|insert)\(|(\w+)\[[^\]]+\]\s*=(?!=)",
            line,
        )
        if m and (
            {x for x in m.groups() if x} & holders
            or re.search(r"\b(this|self)\.\w*(cache|log|list|history|map|store|buffer|seen|sessions?|listeners?)", line)
        ):
            return line
    return ""


def symptoms_of(texts: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Kinds of symptom in weighted texts (metric names that moved, error lines), as shares of the strongest."""
    found: dict[str, float] = {}
    for text, weight in texts:
        for name, pattern in lex.SYMPTOMS.items():
            if pattern.search(text):
                found[name] = found.get(name, 0.0) + weight
    top = max(found.values(), default=1.0)
    return {k: v / top for k, v in sorted(found.items(), key=lambda kv: -kv[1])}


def explains(found: Sequence[Effect], symptoms: Mapping[str, float]) -> tuple[float, str]:
    """How well the effects of a diff account for the symptoms, 0..1, and which mechanism does."""
    best, name = 0.0, ""
    for e in found:
        fits = lex.PRODUCES.get(e.mechanism, {})
        matched = max((fits.get(s, 0.0) * min(v + 0.15, 1.0) for s, v in symptoms.items()), default=0.0)
        if e.sure * matched > best:
            best, name = e.sure * matched, e.mechanism
    return best, name


def shared_names(diff: str, files: Iterable[str], texts: Iterable[str], common: Collection[str]) -> frozenset[str]:
    """Names that the changed lines and the failing lines share, common words apart: identifiers say most."""
    d = read_diff(diff)
    spoken = {x for text in texts for x in w.words(text) if len(x) > 3}
    changed = {x for line in (*d.added, *d.removed) for x in w.words(line) if len(x) > 3}
    changed |= {x for f in files for x in w.words(f.rsplit("/", 1)[-1].rsplit(".", 1)[0]) if len(x) > 3}
    return frozenset((spoken & changed) - set(common))
