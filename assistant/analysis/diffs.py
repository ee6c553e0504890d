"""What a code or configuration diff does, as far as text can tell, and which symptoms that can produce.

A change is convicted by mechanism and not by nearness: a lock that was taken out can race, a query inside a loop can be
slow, a slice that only grows can fill memory, a limit that was removed can do either; a refactoring that keeps every
literal and every call can do nothing. The mechanisms are those that post-mortem collections keep naming (Liu et al.,
"What bugs cause production cloud incidents?", HotOS 2019; Gunawi et al., "Why does the cloud stop computing?", SoCC 2016).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from assistant.analysis import words as w

SYMPTOMS: Mapping[str, re.Pattern[str]] = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        "latency": r"latency|duration|p9\d|slow|took|response.?time",
        "timeout": r"time[d ]?.?out|deadline|too long|no response",
        "query": r"\bselect\b|quer(y|ies)|rows|\bdb_|database|\bsql\b|full.?scan|index",
        "memory": r"memory|\brss\b|heap|oom|\bgc\b|garbage",
        "disk": r"disk|no space|volume|inode|read-only file",
        "volume": r"throughput|_lps|log.?write|bytes_written|ingest|egress",
        "race": r"concurrent|data race|race condition|deadlock|mutex|lock (wait|content)|goroutine",
        "panic": r"panic|fatal|crash|segfault|nil pointer|null ?pointer|typeerror|undefined|exception|restart",
        "missing": r"not found|missing|unknown|unregistered|no such|not registered|lookup failed|cannot find|404",
        "pool": r"pool|too many (open|connections|clients)|connections?_|exhaust|file descriptors|fds|leak|sockets?",
        "retry": r"retr(y|ies)|amplif|requests_per_sec|rps|qps|storm|thundering|duplicate",
        "auth": r"unauthori[sz]ed|forbidden|denied|\b40[13]\b|signature|token|permission|credential|jwt|scope|login",
        "tls": r"x509|tls|ssl|certificate|handshake",
        "parse": r"pars(e|ing)|unmarshal|decod|deserial|schema|malformed|invalid|field|out of range|format|validation|mismatch",
        "queue": r"\blag\b|backlog|queue|consumer|oldest|offset|rebalanc",
        "cpu": r"cpu|throttl|load_?avg|saturat",
        "cache": r"cache|hit.?rat|miss|evict|stale|ttl",
        "config": r"config|setting|env(ironment)? var|flag|feature",
        "network": r"connection (refused|reset)|unreachable|dns|resolve|broken pipe|route",
        "data": r"incorrect|wrong|negative|mismatch|double|rounding|currency|total|amount|checksum|corrupt",
    }.items()
}

PRODUCES: Mapping[str, Mapping[str, float]] = {
    "call in a loop": {"query": 1.0, "latency": 0.8, "retry": 0.5, "timeout": 0.6, "cpu": 0.4, "pool": 0.6, "volume": 0.4},
    "limit removed": {"latency": 0.7, "query": 0.8, "memory": 0.9, "timeout": 0.6, "cpu": 0.6, "pool": 0.6, "queue": 0.5, "retry": 0.5, "disk": 0.6},
    "only grows": {"memory": 1.0, "disk": 0.6, "panic": 0.3, "latency": 0.3, "cpu": 0.3},
    "lock removed": {"race": 1.0, "panic": 0.7, "data": 0.7, "retry": 0.4},
    "lock added": {"latency": 0.7, "race": 0.9, "timeout": 0.7, "cpu": 0.4, "pool": 0.5, "queue": 0.5},
    "call removed": {"missing": 0.9, "panic": 0.5, "auth": 0.4, "parse": 0.4, "data": 0.5, "cache": 0.5, "config": 0.4, "queue": 0.5},
    "release removed": {"pool": 1.0, "memory": 0.6, "timeout": 0.6, "latency": 0.4, "race": 0.4},
    "acquired, not released": {"pool": 0.9, "memory": 0.5, "timeout": 0.5, "latency": 0.4},
    "guard removed": {"panic": 0.9, "parse": 0.6, "missing": 0.4, "data": 0.5, "auth": 0.4},
    "timeout changed": {"timeout": 1.0, "latency": 0.7, "pool": 0.6, "retry": 0.5, "network": 0.5, "queue": 0.4},
    "retry changed": {"retry": 1.0, "latency": 0.5, "timeout": 0.5, "cpu": 0.5, "volume": 0.5, "queue": 0.5, "pool": 0.5},
    "logging raised": {"volume": 1.0, "disk": 1.0, "cpu": 0.4, "latency": 0.3},
    "capacity lowered": {"pool": 1.0, "memory": 0.8, "timeout": 0.6, "latency": 0.6, "queue": 0.7, "cpu": 0.6, "panic": 0.3},
    "value changed": {"config": 0.6, "latency": 0.4, "timeout": 0.4, "pool": 0.5, "memory": 0.4, "queue": 0.4, "cpu": 0.4, "retry": 0.3, "cache": 0.5, "data": 0.5, "network": 0.3, "volume": 0.4},
    "query changed": {"query": 0.8, "latency": 0.6, "timeout": 0.5, "missing": 0.4, "cpu": 0.5, "data": 0.4, "race": 0.4},
    "name changed": {"missing": 0.8, "parse": 0.9, "config": 0.6, "panic": 0.4, "data": 0.5, "auth": 0.4, "network": 0.4, "queue": 0.5},
    "access changed": {"auth": 1.0, "missing": 0.3, "network": 0.3},
    "tls changed": {"tls": 0.8, "network": 0.4, "auth": 0.3},
    "cache changed": {"cache": 1.0, "latency": 0.5, "query": 0.5, "memory": 0.4, "cpu": 0.3},
    "concurrency unbounded": {"memory": 0.8, "cpu": 0.7, "pool": 0.8, "race": 0.5, "latency": 0.4, "retry": 0.4},
    "address changed": {"network": 1.0, "missing": 0.4, "timeout": 0.5, "tls": 0.3},
    "unit changed": {"timeout": 0.7, "data": 0.8, "latency": 0.5, "cache": 0.6},
    "slow work added": {"latency": 0.7, "cpu": 0.9, "timeout": 0.5},
    "dependency raised": {"panic": 0.2, "parse": 0.2, "tls": 0.15},
}  # fmt: skip

_CALL = re.compile(r"([A-Za-z_][\w]*)\s*\(")
_NUMBER = re.compile(r"(?<![\w.])\d[\d_.]*(?:[a-z%]{1,4})?")
_STRING = re.compile(r"\"([^\"\n]{1,80})\"|'([^'\n]{1,80})'|`([^`\n]{1,80})`")
_LOOP = re.compile(r"^\s*(for|while)\b|\.(forEach|map|flatMap|each)\(|\bfor\b .* (in|of|range)\b")
_REMOTE = re.compile(
    r"(?i)\b(get|fetch|query|find|load|lookup|exec|call|send|post|read|list|resolve|select)\w*\(|\b(http|grpc|client|db|repo|redis|cache|conn|api|store|session)\w*\.\w+\(|await "
)
_LIMIT = re.compile(
    r"(?i)\blimit\b\s*\(?\s*\d*|max_?[a-z]*|page_?size|\[:\w+\]|\bevict|\bcap\(|top_?k|batch_?size|bounded|lru|truncate|rate_?limit|semaphore|throttle|maxlen"
)
_LOCK = re.compile(
    r"(?i)\b(r?lock|mutex|synchronized|rwmutex|atomic|for update|semaphore|acquire)\b|\.lock\(|\.unlock\(|sync\."
)
_RELEASE = re.compile(
    r"(?i)\.(close|release|cancel|dispose|stop|unlock|free|unsubscribe|rollback|destroy|end)\(|\bdefer\b|\bfinally\b|with \w+\(|clearinterval|cleartimeout"
)
_ACQUIRE = re.compile(
    r"(?i)\.(acquire|connect|open|begin|dial|getconnection|newclient|subscribe|addlistener|on)\(|new \w*(client|connection|session|pool)\(|\b(newclient|dial|open|connect)\("
)
_GUARD = re.compile(
    r"(?i)\bif\b.*(nil|null|none|undefined|empty|len\(|length|err\b|isvalid|valid|exists|has\w*\()|\btry\b|\bcatch\b|\brescue\b|\bexcept\b|\?\.|\brecover\(|validate\w*\("
)
_TIMEOUT = re.compile(r"(?i)time_?out|deadline|withtimeout|keep_?alive|idle_?time|grace")
_RETRY = re.compile(r"(?i)retr(y|ies)|attempt|back_?off|jitter|circuit|breaker")
_LOGGING = re.compile(
    r"(?i)\b(log_?)?level\b\W+(debug|trace|info)|sample_?rate|sampling|verbos|\bdebug\b\W+true|log\.(debug|trace|info)\("
)
_CAPACITY = re.compile(
    r"(?i)(max_?conn\w*|pool_?size|max_?\w*|replicas|workers?|threads?|concurrency|memory|cpu|limits?|requests|heap|xmx|buffer|queue_?size|partitions|shards|prefetch|quota|burst|maxopen\w*)"
)
_QUERY = re.compile(
    r"(?i)\b(select|where|join|order by|group by|index|alter table|drop|migration|create table|not null|foreign key)\b"
)
_ACCESS = re.compile(
    r"(?i)\b(scope|role|permission|policy|acl|rbac|allow|deny|audience|issuer|secret|token|api_?key|iam|grant|csrf|cors|jwt|kid|signing)\w*"
)
_TLS = re.compile(r"(?i)\b(tls|ssl|cipher|minversion|ca_?file|verify|insecure\w*|x509|mtls|truststore|keystore)\w*")
_CACHE = re.compile(r"(?i)\b(cache|ttl|expir\w*|memo\w*|invalidate)\w*")
_SPAWN = re.compile(
    r"\bgo func|\bgo \w+\(|Thread\(|spawn\(|Promise\.all|create_task|executor\.submit|setInterval|asyncio\.gather"
)
_ADDRESS = re.compile(
    r"(?i)https?://|\b[\w-]+\.(svc|internal|local|com|net|io)\b|\b(host|endpoint|base_?url|port|addr|dsn|broker|topic|bucket|region)s?\b\W"
)
_UNIT = re.compile(
    r"(?i)time\.(second|millisecond|minute|hour|microsecond)|\b(seconds|millis|ms|minutes|cents|minor|utc|timezone)\b|\* ?1000|/ ?1000|\* ?100\b|/ ?100\b"
)
_SLOW = re.compile(
    r"(?i)regexp?\.|re\.compile|json\.(parse|marshal|unmarshal|stringify)|deepcopy|clone\(|bcrypt|hash|sort\w*\(|sleep\(|compress|encrypt"
)
_COSMETIC_FILE = re.compile(
    r"(?i)(\.(md|css|scss|html|svg|txt|rst|png)$|_test\.|\.test\.|\.spec\.|^tests?/|/tests?/|testdata|^docs?/|\.github/|codeowners|^readme|changelog|license|golangci|\.gitignore|makefile$|\.editorconfig|storybook|fixtures?/)"
)
_BUMP_FILE = re.compile(
    r"(?i)(go\.(mod|sum)|package(-lock)?\.json|requirements.*\.txt|cargo\.(toml|lock)|pom\.xml|yarn\.lock|poetry\.lock|build\.gradle)$"
)
_COMMENT = re.compile(r"^\s*(//|#(?!include)|/\*|\*|--\s)")


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
        if mark in "+-" and _COMMENT.match(line):
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
    return bool(files) and all(_COSMETIC_FILE.search(f) for f in files)


def effects(text: str, files: Sequence[str] = ()) -> tuple[Effect, ...]:
    """What a diff does, strongest first; empty where it can do nothing that text can tell."""
    if not text or cosmetic(files):
        return ()
    d = read_diff(text)
    if files and all(_BUMP_FILE.search(f) for f in files):
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
    literals = set(_NUMBER.findall(old)) | {"".join(m) for m in _STRING.findall(old)}
    kept = set(_NUMBER.findall(new)) | {"".join(m) for m in _STRING.findall(new)}
    if not literals <= kept and len(literals - kept) > 0.34 * len(literals):
        return False
    return not any(_risky(line) for line in _difference(d)[0]) and not _loop_call(d) and not _grows(d)


def _risky(line: str) -> bool:
    return bool(_LOCK.search(line) or _LIMIT.search(line) or _RELEASE.search(line) or _TIMEOUT.search(line))


def _by_lines(d: Diff, gone: Sequence[str], new: Sequence[str]) -> Iterable[Effect]:
    added_text = "\n".join(d.added)
    if line := _loop_call(d):
        yield Effect("call in a loop", 0.9, line)
    if line := _grows(d):
        yield Effect("only grows", 0.9, line)
    for line in gone:
        if _LIMIT.search(line) and not _LIMIT.search(added_text):
            yield Effect("limit removed", 0.85, line)
        if _LOCK.search(line) and not _LOCK.search(added_text):
            yield Effect("lock removed", 0.9, line)
        if _RELEASE.search(line) and not _RELEASE.search(added_text):
            yield Effect("release removed", 0.8, line)
        if _GUARD.search(line) and not _GUARD.search(added_text):
            yield Effect("guard removed", 0.55, line)
        if (
            m := re.match(r"\s*(?:await\s+|return\s+)?(?:[\w.]+\.)?([A-Za-z_]\w*)\(.*\)[;,]?\s*$", line)
        ) and not re.search(rf"(?<!\w){m[1]}\s*\(", added_text):
            yield Effect("call removed", 0.75, line)
        if _TIMEOUT.search(line) and not _TIMEOUT.search(added_text):
            yield Effect("timeout changed", 0.7, line)
        if _RETRY.search(line) and not _RETRY.search(added_text):
            yield Effect("retry changed", 0.55, line)
        if _CACHE.search(line) and not _CACHE.search(added_text):
            yield Effect("cache changed", 0.6, line)
        if _ACCESS.search(line) and not _ACCESS.search(added_text):
            yield Effect("access changed", 0.5, line)
    removed_text = "\n".join(d.removed)
    for line in new:
        if _LOCK.search(line) and not _LOCK.search(removed_text) and not re.search(r"(?i)unlock", line):
            yield Effect("lock added", 0.6, line)
        if _SPAWN.search(line) and not _SPAWN.search(removed_text) and not _LIMIT.search(added_text):
            yield Effect("concurrency unbounded", 0.55, line)
        if _ACQUIRE.search(line) and not _RELEASE.search(added_text) and not _ACQUIRE.search(removed_text):
            yield Effect("acquired, not released", 0.45, line)
        if _RETRY.search(line) and not _RETRY.search(removed_text):
            yield Effect("retry changed", 0.55, line)
        if _QUERY.search(line) and _QUERY.search(removed_text):
            yield Effect("query changed", 0.45, line)
        if _SLOW.search(line) and not _SLOW.search(removed_text):
            yield Effect("slow work added", 0.35, line)
        if _ACCESS.search(line) and not _ACCESS.search(removed_text):
            yield Effect("access changed", 0.4, line)


def _by_values(d: Diff) -> Iterable[Effect]:
    """Pairs of a removed and an added line that are the same but for a value or a name."""
    for old in d.removed:
        key = _shape(old)
        for new in d.added:
            if _shape(new) != key or _plain(old) == _plain(new) or len(key) < 3:
                continue
            a, b = _NUMBER.findall(old), _NUMBER.findall(new)
            if a != b:
                yield from _by_number(old, new, a, b)
            elif [*_STRING.findall(old)] != [*_STRING.findall(new)] or _words_differ(old, new):
                if _LOGGING.search(new):
                    yield Effect("logging raised", 0.85, new)
                elif _ADDRESS.search(new):
                    yield Effect("address changed", 0.7, new)
                elif _UNIT.search(new) and _UNIT.search(old):
                    yield Effect("unit changed", 0.7, new)
                elif _TLS.search(new):
                    yield Effect("tls changed", 0.5, new)
                elif _ACCESS.search(new):
                    yield Effect("access changed", 0.6, new)
                else:
                    yield Effect("name changed", 0.6, new)


def _by_number(old: str, new: str, a: Sequence[str], b: Sequence[str]) -> Iterable[Effect]:
    yield Effect("value changed", 0.55, new)
    if _LOGGING.search(new):
        yield Effect("logging raised", 0.85, new)
    if _TIMEOUT.search(new):
        yield Effect("timeout changed", 0.8, new)
    if _RETRY.search(new):
        yield Effect("retry changed", 0.8, new)
    if _CACHE.search(new):
        yield Effect("cache changed", 0.7, new)
    if _CAPACITY.search(new) and _lower(a, b):
        yield Effect("capacity lowered", 0.85, new)
    elif _LIMIT.search(new) and not _lower(a, b):
        yield Effect("limit removed", 0.4, new)
    if _UNIT.search(new):
        yield Effect("unit changed", 0.4, new)


def _lower(a: Sequence[str], b: Sequence[str]) -> bool:
    values = [
        tuple(float(m[0]) for x in xs if (m := re.match(r"[\d.]+", x.replace("_", ""))) and m[0].count(".") < 2)
        for xs in (a, b)
    ]
    return bool(values[0] and values[1]) and sum(values[1]) < sum(values[0])


def _shape(line: str) -> str:
    """A line without its numbers, strings and its last word: what stays when only a value changes."""
    text = _STRING.sub('""', _NUMBER.sub("0", line))
    return re.sub(r"([:=]\s*)[\w.\"]+\s*[,;]?\s*$", r"\1", text).strip()


def _words_differ(old: str, new: str) -> bool:
    return w.words(old) != w.words(new)


def _loop_call(d: Diff) -> str:
    """An added remote call inside a loop that was not there before, or ""."""
    before = "\n".join(d.removed)
    inside = 0
    for fresh, line in d.after:
        if _LOOP.search(line):
            inside = 7
            continue
        if (
            inside
            and fresh
            and _REMOTE.search(line)
            and not re.search(r"(?i)append|push|len\(|errors?\.|err\b\s*:?=\s*nil|\blog\.", line)
        ):
            called = set(_CALL.findall(line))
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
        r"(?i)evict|lru|max_?(size|len|entries)|\bdelete\(|\.delete\(|\.clear\(|\.pop|shift\(|ttl|expire|%\s*\w*(cap|max|size)|trim|\[:|prune",
        "\n".join(d.added),
    ):
        return ""
    holders = set(
        re.findall(
            r"(?m)^(?:var|static|const|let|private static|public static|global)?\s*(?:final\s+)?(?:[\w<>\[\], ]+\s)?(\w+)\s*(?::?=|\[\]|map\[)[^=\n]*(?:\[\]|\{\}|make\(|new Map|new Set|new HashMap|dict\(|list\(|ArrayList)",
            text,
        )
    )
    holders |= set(re.findall(r"(?m)^var (\w+) (?:\[\]|map\[)", text))
    for fresh, line in d.after:
        if not fresh:
            continue
        m = re.search(
            r"(?:this\.|self\.|s\.|c\.|h\.)?(\w+)\s*=\s*append\(\s*(?:\w+\.)?\1\b|(\w+)\.(?:push|add|put|append|set|insert)\(|(\w+)\[[^\]]+\]\s*=(?!=)",
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
        for name, pattern in SYMPTOMS.items():
            if pattern.search(text):
                found[name] = found.get(name, 0.0) + weight
    top = max(found.values(), default=1.0)
    return {k: v / top for k, v in sorted(found.items(), key=lambda kv: -kv[1])}


def explains(found: Sequence[Effect], symptoms: Mapping[str, float]) -> tuple[float, str]:
    """How well the effects of a diff account for the symptoms, 0..1, and which mechanism does."""
    best, name = 0.0, ""
    for e in found:
        fits = PRODUCES.get(e.mechanism, {})
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
