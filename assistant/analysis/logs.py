"""What the logs say that they did not say before: new and surging templates, what kind of complaint, about whom.

Counts are compared between the baseline and the window per stream service; a template is new when the baseline does not
hold it, surging when its rate rose beyond chance (Poisson). The taxonomy of complaints reads templates, not lines.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assistant.analysis import payments as pay
from assistant.analysis import words as w
from assistant.analysis.templates import Miner, mine
from assistant.core.evidence import EvidenceId, Floats, LogLine
from assistant.core.finding import LogPattern
from assistant.core.observations import Observations
from assistant.core.time import Instant

_COMPLAINTS: tuple[tuple[str, str], ...] = (
    ("certificate",
        r"x509|certificate.{0,60}(expired|not yet valid|invalid|verify)|cert(ificate)? (has )?expired|"
        r"tls.{0,20}(handshake|alert)|handshake (fail|error)|ssl.{0,20}error"),
    ("dns", r"no such host|nxdomain|servfail|resolv(e|ing|ution)|getaddrinfo|unknownhost|dns"),
    ("pool",
        r"pool.{0,30}(exhaust|timeout|full|timed out|wait|empty)|exhausted.{0,20}pool|too many (connections|"
        r"clients)|connection slots|acquir\w* (a )?connection|connection is not available|max_connections"),
    ("disk", r"no space (left|soon)|enospc|disk.{0,20}full|disk quota"),
    ("memory", r"out ?of ?memory|oom[- ]?kill|cannot allocate memory|heap (space|exhaust)|memory limit"),
    ("crash",
        r"panic(?! recovered)|segfault|segmentation fault|crash ?loop|exited with|core dumped|killed by signal|"
        r"back-?off restarting"),
    ("rate limit", r"\b429\b|rate.?limit|too many requests|throttl|quota exceeded|quota"),
    ("crypto", r"\bhsm\b|kcv|key block|pin block|cryptogra|key (check|mismatch|not found|version)|mac (verif|error)"),
    ("link",
        r"link (is )?(down|lost)|sign.?(off|on) |echo test|network management|\b08[0-9]0\b|session (lost|"
        r"closed by peer)|heartbeat (lost|missed)|socket closed"),
    ("provider",
        r"\b(endpoint|provider|partner|bank|third.?party|counterparty|merchant'?s? (host|server))s? (has |was |is )?"
        r"(answered|returned|responded|replied|refused|rejected|failed|not reached|not reachable|unreachable|"
        r"unavailable|down|timed out)"),
    ("denied",
        r"unauthori[sz]ed|forbidden|permission denied|access denied|invalid (api ?)?(key|credential|token|"
        r"signature)|\b40[13]\b|authentication failed|password authentication"),
    ("database",
        r"deadlock|lock (wait|timeout)|read.?only (transaction|mode)|replica|replication|failover|sqlstate|"
        r"database|statement timeout|slow query|too many rows|checkpoint"),
    ("duplicate", r"duplicate|already (processed|captured|posted|exists)|idempoten|double (charge|booking|capture)"),
    ("breaker", r"circuit.{0,12}(open|trip)|breaker (open|trip)"),
    ("fallback", r"fall(ing)? ?back|fallback|stand.?in|\bstip\b|degraded mode|default (decision|score)"),
    ("stale", r"stale|out ?dated|not (been )?(refreshed|updated)|too old|last update"),
    ("three_ds", r"\bacs\b|3ds|three-?ds|directory server|\bareq\b|\bares\b|challenge"),
    ("refused",
        r"connection (was )?(refused|reset)|broken pipe|unreachable|no route to host|econnre(fused|set)|"
        r"connect(ion)? (failed|error|aborted)|bad gateway"),
    ("timeout", r"time[d ]?.?out|deadline exceeded|no (answer|response|reply)|too late|took too long"),
    ("format",
        r"format error|malformed|unmarshal|pars(e|ing)|schema|unexpected (token|field|value|end)|cannot "
        r"(decode|deserialize)|invalid (field|length|message|format)|field \d+"),
    ("code",
        r"nullpointer|npe\b|typeerror|keyerror|valueerror|attributeerror|undefined|index out of|nil pointer|"
        r"illegal(state|argument)|assertion|unhandled|traceback|stack ?trace"),
    ("config",
        r"config(uration)?|unknown (key|route|option|setting)|missing (env|setting|key|route)|feature flag|no "
        r"route (for|found)|not configured"),
    ("queue", r"backlog|queue (is )?(full|depth|length)|consumer lag|lagging|rebalanc|dead.?letter"),
    ("clock", r"clock (skew|drift|offset)|ntp|time (skew|drift)|timestamp.{0,20}(future|past)"),
    ("retry", r"\bretr(y|ies|ying|ied)\b|re-?attempt|will try again|attempt <\*>"),
    ("late",
        r"(settlement|clearing|file|batch|payout).{0,40}(late|missing|delayed|not (received|arrived)|overdue|"
        r"overrun)"),
)  # fmt: skip
_KINDS = tuple((name, re.compile(pattern, re.IGNORECASE)) for name, pattern in _COMPLAINTS)
_SEVERE = re.compile(r"\b(error|err|fatal|panic|critical|crit|alert|emerg|exception|severe)\b", re.IGNORECASE)
_WARN = re.compile(
    r"\b(warn|warning|failed|failure|fail|timeout|timed|refused|denied|rejected|unavailable|unreachable|"
    r"exhausted|expired)\b",
    re.IGNORECASE,
)
_PAIR = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]{0,40})=(?:\"([^\"]{0,120})\"|([^\s,;\"]{1,120}))")
FIELD_WORDS = {"bank": "issuer", "bank_name": "issuer", "bin_6": "bin"}
"""What these mean in the line of a payment; as a label of a metric they may mean much else."""
FIELDS_READ = 400
"""Lines of a pattern that are read for fields; more say no more."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A template that is new or surging. `at` are the instants of its lines in the window; `fields` maps a field to its
    values' shares; `severity` 2 error, 1 warning, 0 other; `rise` is lines per hour over the usual."""

    evidence: EvidenceId
    template: str
    service: str
    first_seen: Instant
    count: int
    usual: float
    new: bool
    example: str
    kind: str
    severity: int
    score: float
    onset: Instant
    fields: Mapping[str, Mapping[str, float]]
    still: bool

    def value(self) -> LogPattern:
        return LogPattern(
            self.evidence,
            self.template,
            self.service,
            self.first_seen,
            self.count,
            self.usual,
            self.new,
            self.example,
            self.kind,
        )


def complaint(text: str) -> str:
    """What kind of complaint a template is, "" for none that is known."""
    return next((name for name, pattern in _KINDS if pattern.search(text)), "")


def severity_of(line: LogLine, level_label: str) -> int:
    """2 error or worse, 1 warning, 0 other: by the stream's level, else by the line's own words."""
    level = (
        line.labels.get(level_label) or line.labels.get("level") or line.labels.get("detected_level") or ""
    ).lower()
    head = line.text[:240]
    if level in {"error", "err", "fatal", "critical", "panic", "alert", "emerg"}:
        return 2
    if level in {"warn", "warning"}:
        return 1
    if level in {"info", "debug", "trace", "notice"} and level != "info":
        return 0
    return 2 if _SEVERE.search(head) else 1 if _WARN.search(head) else 0


def fields_of(text: str) -> dict[str, str]:
    """Fields of a JSON or logfmt line, flat; nested objects by their last key."""
    if text[:1] == "{":
        try:
            record = json.loads(text)
        except ValueError:
            record = None
        if isinstance(record, dict):
            flat: dict[str, str] = {}
            for k, v in record.items():
                if isinstance(v, dict):
                    flat |= {str(a): str(b) for a, b in v.items() if not isinstance(b, (dict, list))}
                elif not isinstance(v, list):
                    flat[str(k)] = str(v)
            return flat
    return {m[1]: m[2] or m[3] or "" for m in _PAIR.finditer(text)}


@dataclass(frozen=True, slots=True, eq=False)
class Mined:
    """The lines of one service in one search, with their templates: `members` are line indices by template, `times`
    those lines' instants; `covered` is from when on the answer is whole."""

    evidence: EvidenceId
    service: str
    lines: Sequence[LogLine]
    templates: Sequence[str]
    members: Sequence[Sequence[int]]
    times: Sequence[Floats]
    covered: float


def mined(seen: Observations) -> tuple[Mined, ...]:
    """Templates of all log evidence. Nothing where no line is older than the window: a source that was silent before
    cannot tell what is new."""
    if not any(line.t < seen.incident.window.start for e in seen.logs for line in e.lines):
        return ()
    role = seen.payments.fields.get("service")
    said: set[tuple[float, str]] = set()
    miner, out = Miner(), []
    for evidence in seen.logs:
        by_service: dict[str, list[LogLine]] = defaultdict(list)
        for line in evidence.lines:
            key = (line.t, line.text)
            if key not in said:  # two searches may find the same line
                said.add(key)
                by_service[_service(line, role.label if role else "")].append(line)
        start = seen.incident.baseline.start
        covered = _covered(evidence.lines, start) if evidence.dropped else start
        out += [_mined(evidence.id, service, lines, miner, covered) for service, lines in by_service.items()]
    return tuple(out)


def _mined(evidence: EvidenceId, service: str, lines: Sequence[LogLine], miner: Miner, covered: float) -> Mined:
    templates, index = mine([line.text for line in lines], miner)
    order = np.argsort(np.array(index), kind="stable")
    ends = np.searchsorted(np.array(index)[order], np.arange(1, len(templates)))
    members = [m.tolist() for m in np.split(order, ends)]
    at = np.fromiter((line.t for line in lines), np.float64, len(lines))
    return Mined(evidence, service, lines, templates, members, [at[m] for m in members], covered)


def patterns_of(seen: Observations, found: Sequence[Mined], *, onset: float | None = None) -> list[Pattern]:
    """New and surging templates, strongest first. Lines before the window (or five minutes before a known onset) are
    the baseline."""
    role, window = seen.payments.fields.get("level"), seen.incident.window
    start = max(window.start, onset - 300.0) if onset else window.start
    level = role.label if role else "level"
    out = [p for m in found for p in _patterns(m, start=start, end=window.end, level_label=level)]
    return sorted(out, key=lambda p: -p.score)


def _covered(lines: Sequence[LogLine], start: float) -> float:
    """From when on the answer is whole: a search that hit its limit may have lost its beginning."""
    return max(start, min((line.t for line in lines), default=start))


def _service(line: LogLine, label: str) -> str:
    for name in (label, *sorted(w.LABEL_WORDS["service"][0]), "job", "container", "unit"):
        if name and line.labels.get(name):
            return line.labels[name]
    return ""


def _patterns(m: Mined, *, start: float, end: float, level_label: str) -> list[Pattern]:
    before, during = max(start - m.covered, 0.0), max(end - start, 1.0)
    if before <= 60:
        return []
    out = []
    for template, rows, times in zip(m.templates, m.members, m.times, strict=True):
        inside = (times >= start) & (times < end)
        old, fresh = int((times < start).sum()), int(inside.sum())
        expected = old * during / before
        new = old == 0
        llr = fresh * np.log(fresh / max(expected, 0.5)) - (fresh - expected) if fresh > expected else 0.0
        if fresh < (2 if new else 5) or (not new and (fresh < 2.0 * expected or llr < 6.0)):
            continue
        lines = [m.lines[rows[int(k)]] for k in np.flatnonzero(inside)]
        out.append(
            _pattern(
                m.evidence, m.service, template, lines, expected, new, float(llr), level_label, start=start, end=end
            )
        )
    return out


def _pattern(
    evidence: EvidenceId,
    service: str,
    template: str,
    lines: Sequence[LogLine],
    expected: float,
    new: bool,
    llr: float,
    level_label: str,
    *,
    start: float,
    end: float,
) -> Pattern:
    times = np.array(sorted(line.t for line in lines))
    worst = max(severity_of(line, level_label) for line in lines[:20])
    kind = complaint(f"{template} {lines[0].text[:400]}") if worst or new else ""
    score = min(llr, 400.0) ** 0.5 * (1.0 + worst) * (1.3 if new else 1.0) * (1.2 if kind else 0.7)
    return Pattern(
        evidence, template[:300], service, Instant(float(times[0])), len(lines), float(expected), new,
        lines[0].text.split("\n")[0][:300], kind, worst, float(score), Instant(_surge_start(times, expected, start,
            end)),
        _field_shares(lines), bool(end - times[-1] < max(180.0, 0.15 * (end - start))),
    )  # fmt: skip


def _surge_start(times: np.ndarray, expected: float, start: float, end: float) -> float:
    """When the lines began to come faster than usual: Page's CUSUM on half-minute counts."""
    size = max(int((end - start) / 30.0), 1)
    counted = np.bincount(np.clip(((times - start) / 30.0).astype(int), 0, size - 1), minlength=size)
    per = expected / size
    path = np.concatenate(([0.0], np.cumsum(counted - 2 * per - 0.3)))
    top = int(np.argmax(path - np.minimum.accumulate(path)))
    first = int(np.argmin(path[: top + 1])) if top else 0
    later = times[times >= start + 30.0 * first]
    return float(later[0]) if len(later) else float(times[0])


def _field_shares(lines: Sequence[LogLine]) -> dict[str, dict[str, float]]:
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    step = max(len(lines) // FIELDS_READ, 1)
    read = lines[::step]
    for line in read:
        for k, v in fields_of(line.text).items():
            counted[k][v] += 1
    return {
        k: {v: n / len(read) for v, n in c.most_common(5)}
        for k, c in counted.items()
        if len(c) <= max(12, len(read) // 4)
    }


def field_role(name: str, values: Sequence[str]) -> str:
    """The payments role a field of a line plays, by the same words as metric labels; "" for none."""
    plain = "_".join(w.words(name))
    for role in ("issuer", "acquirer", "scheme", "bin", "response_code", "region", "channel", "peer"):
        if name.lower() in w.LABEL_WORDS[role][0] or plain in w.LABEL_WORDS[role][0]:
            return role
    if plain in FIELD_WORDS:
        return FIELD_WORDS[plain]
    return "response_code" if pay.share_of_iso_codes(values) > 0.8 and len(values) > 1 else ""
