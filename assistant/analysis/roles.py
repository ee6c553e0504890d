"""Which metric, label and log field means what in payments: guessed from names, types, label names and label values.

Every guess is a `Role` with its reason, so that a person can see and overrule it in `[payments]`. A name alone is weak
evidence and a value strong: a label whose values are `00 05 51 91` is a response code whatever it is called.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from assistant.analysis import payments as pay
from assistant.analysis import words as w
from assistant.core.evidence import MetricInfo
from assistant.core.observations import PaymentsMap, Role

METRIC_ROLES = ("attempts", "approved", "declined", "latency", "amount", "retries", "queue")


class OverridesLike(Protocol):
    """What a person configured: role to metric, label or field name, and the values that mean approved."""

    @property
    def metrics(self) -> Mapping[str, str]: ...
    @property
    def labels(self) -> Mapping[str, str]: ...
    @property
    def fields(self) -> Mapping[str, str]: ...
    @property
    def approved(self) -> Sequence[str]: ...
    @property
    def log_labels(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True)
class NoOverrides:
    metrics: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    approved: tuple[str, ...] = ()
    log_labels: Mapping[str, str] = field(default_factory=dict)


_COUNTRY = re.compile(r"^[A-Za-z]{2}$")
_REGION_WORDS = w.word_set(
    "eu us uk gb apac emea latam na amer americas europe asia mea de fr es it nl pl se br mx in jp au ca row"
)
_HTTP = re.compile(r"^[1-5](\d\d|xx)$")
_VERSION = re.compile(r"^v?\d+\.\d+(\.\d+)?([-+._].*)?$|^[0-9a-f]{7,40}$")


def _share(values: Sequence[str], test: Callable[[str], bool]) -> float:
    return sum(map(test, values)) / len(values) if values else 0.0


_VALUE_TESTS: Mapping[str, Callable[[str], bool]] = {
    "scheme": lambda v: bool(pay.scheme_of(v)),
    "response_code": lambda v: (
        (len(v) == 2 and v.upper() in pay.RESPONSE_CODES)
        or bool(re.fullmatch(r"[0129]\d\d", v))
        or (len(v) > 4 and "_" in v and pay.reason_family(v) != "unknown")
    ),
    "result": lambda v: bool({v.lower(), *w.words(v)} & (w.APPROVED_WORDS | w.DECLINED_WORDS)),
    "currency": lambda v: v in pay.CURRENCIES,
    "region": lambda v: bool({v.lower(), *w.words(v)} & _REGION_WORDS) or bool(_COUNTRY.match(v) and v.isupper()),
    "channel": lambda v: v.lower().replace("-", "_") in pay.CHANNELS or v.lower() in pay.CHANNELS,
    "bin": lambda v: v.isdigit() and len(v) in (6, 8),
    "merchant_category": lambda v: v.isdigit() and len(v) == 4,
    "version": lambda v: bool(_VERSION.match(v)),
}


def label_scores(name: str, values: Sequence[str]) -> dict[str, float]:
    """How well a label fits each role, 0..1.5: 0.8 for a name that says so, up to 0.7 more for its values."""
    plain = "_".join(w.words(name))
    found: dict[str, float] = {}
    sample = tuple(v for v in values[:60] if v)
    for role, (strong, weak) in w.LABEL_WORDS.items():
        test = _VALUE_TESTS.get(role)
        share = _share(sample, test) if test else 0.0
        named = (
            0.8 if name.lower() in strong or plain in strong else 0.35 if name.lower() in weak or plain in weak else 0.0
        )
        if not named and any(part in strong for part in w.words(name)):
            named = 0.5
        if role == "response_code" and _share(sample, lambda v: bool(_HTTP.match(v))) > 0.8 and "200" in sample:
            continue  # HTTP status codes look like action codes
        if (
            test
            and sample
            and share < 0.3
            and role in {"scheme", "response_code", "currency", "bin", "merchant_category"}
        ):
            named *= 0.3  # the name says so and the values do not
        score = named + (0.7 * share if share > 0.5 else 0.0)
        if role == "result" and share > 0.5 and any({v.lower(), *w.words(v)} & w.APPROVED_WORDS for v in sample):
            score += 0.2
        if score >= 0.3:
            found[role] = round(score, 3)
    return found


def _dimension_labels(metrics: Iterable[MetricInfo]) -> dict[str, Role]:
    """The best label for each role over `metrics`; a label takes one role, its best."""
    best: dict[str, tuple[float, str, tuple[str, ...]]] = {}
    for info in metrics:
        for name, values in info.labels.items():
            if name in {"le", "quantile", "__name__"}:
                continue
            scores = label_scores(name, values)
            if not scores:
                continue
            role = max(scores, key=lambda r: scores[r])
            if role not in best or scores[role] > best[role][0]:
                best[role] = (scores[role], name, tuple(values[:6]))
    return {
        role: Role(role, name, label=name, values=(), why=_why(name, values))
        for role, (_, name, values) in best.items()
    }


def _why(name: str, values: Sequence[str]) -> str:
    shown = ", ".join(values[:4])
    return f"label {name} holds {shown}" if shown else f"label {name} by its name"


def payment_score(info: MetricInfo) -> float:
    """How much a metric looks like the counter of authorisation attempts (over 1 is a yes)."""
    name = set(w.words(info.name))
    if info.type in {"gauge", "histogram", "summary"} or info.name.endswith(("_bucket", "_sum", "_created")):
        return 0.0
    score = 0.0
    score += 1.0 if name & w.AUTHORISATION else 0.0
    score += (
        0.4
        if name & {"authorization", "authorizations", "authorisation", "authorisations", "auth", "auths", "authz"}
        else 0.0
    )
    score += 0.2 if name & w.COUNTED else 0.0
    score += 0.2 if info.type == "counter" else 0.0
    wrong = (
        w.RETRY | w.AMOUNT | w.REVERSAL | w.SETTLEMENT | w.DUPLICATE | w.QUEUE | w.LATENCY_NOUNS | w.FALLBACK | w.SCORE
    )
    score -= 1.2 if name & wrong else 0.0
    score -= (
        0.7
        if name & (w.ERRORS | {"http", "grpc", "webhook", "webhooks", "token", "login", "session", "oauth", "cache"})
        else 0.0
    )
    score -= 0.5 if name & {"3ds", "threeds", "authentication", "authentications", "challenge", "sca", "acs"} else 0.0
    roles = {r for label, values in info.labels.items() for r, s in label_scores(label, values).items() if s >= 0.7}
    score += 0.25 * len(
        roles & {"scheme", "issuer", "acquirer", "bin", "response_code", "result", "currency", "merchant_category"}
    )
    return score


def _outcome(info: MetricInfo, approved: Sequence[str]) -> tuple[str, tuple[str, ...]] | None:
    """The label that tells approved attempts, and the values that do: a result label, else a code label."""
    found: list[tuple[float, str, tuple[str, ...]]] = []
    for label, values in info.labels.items():
        scores = label_scores(label, values)
        chosen = tuple(v for v in values if v in approved)
        if chosen:
            found.append((9.0, label, chosen))
        elif scores.get("result", 0) >= 0.7:
            yes = tuple(
                v
                for v in values
                if {v.lower(), *w.words(v)} & w.APPROVED_WORDS and not ({v.lower(), *w.words(v)} & w.DECLINED_WORDS)
            )
            if yes:
                found.append((scores["result"] + 0.5, label, yes))
        elif scores.get("response_code", 0) >= 0.7:
            yes = tuple(v for v in values if pay.is_approved(v))
            if yes:
                found.append((scores["response_code"], label, yes))
    if not found:
        return None
    _, label, yes = max(found)
    return label, yes


def _is_approvals(info: MetricInfo) -> bool:
    name = set(w.words(info.name))
    return bool(
        name
        & {
            "approved",
            "approvals",
            "approval",
            "accepted",
            "authorized",
            "authorised",
            "success",
            "successes",
            "successful",
        }
    ) and not (name & (w.AMOUNT | {"ratio", "rate", "percent"}))


def _is_declines(info: MetricInfo) -> bool:
    name = set(w.words(info.name))
    return bool(name & {"declined", "declines", "decline", "refused", "rejected", "denied"}) and not (name & w.AMOUNT)


def _volume_metrics(catalogue: Sequence[MetricInfo], approved: Sequence[str]) -> dict[str, Role]:
    ranked = sorted(catalogue, key=lambda m: (-payment_score(m), m.name))
    likely = [m for m in ranked if payment_score(m) >= 1.2 or (payment_score(m) >= 0.7 and _outcome(m, approved))]
    split = [m for m in likely if not _is_approvals(m) and not _is_declines(m)]
    whole = max(split, key=lambda m: payment_score(m) + (0.6 if _outcome(m, approved) else 0.0), default=None)
    yes, no = next(filter(_is_approvals, likely), None), next(filter(_is_declines, likely), None)
    found: dict[str, Role] = {}
    if whole is not None and (outcome := _outcome(whole, approved)):
        label, values = outcome
        found["attempts"] = Role("attempts", whole.name, label=label, why="a payment counter split by outcome")
        found["approved"] = Role(
            "approved", whole.name, label=label, values=values, why=f"{label} is {' or '.join(values)}"
        )
        return found
    if yes is not None and (whole is not None or no is not None):
        found["approved"] = Role("approved", yes.name, why="a counter of approvals of its own")
        if whole is not None:
            found["attempts"] = Role("attempts", whole.name, why="a counter of attempts beside one of approvals")
        if no is not None:
            found["declined"] = Role("declined", no.name, why="a counter of declines of its own")
    elif whole is not None:
        found["attempts"] = Role("attempts", whole.name, why="a payment counter, outcome not told")
    return found


def base(info: MetricInfo) -> str:
    """The name of a histogram's or summary's family, without the sample suffix."""
    return re.sub(r"_(bucket|sum|count)$", "", info.name)


def is_histogram(info: MetricInfo) -> bool:
    return (info.type == "histogram" and not info.name.endswith(("_sum", "_count"))) or info.name.endswith("_bucket")


def time_unit(name: str) -> str:
    """Seconds or milliseconds, by the name; seconds where it does not say (Prometheus base unit)."""
    return (
        "ms"
        if set(w.words(name)) & {"ms", "milliseconds", "millis", "msec"}
        else "us"
        if set(w.words(name)) & {"us", "microseconds"}
        else "s"
    )


def is_latency(info: MetricInfo) -> bool:
    return bool(set(w.words(info.name)) & w.LATENCY) and not set(w.words(info.name)) & (
        w.EXPIRY | {"uptime", "start", "cpu", "gc", "timestamp", "age"}
    )


def _other_metrics(catalogue: Sequence[MetricInfo], attempts: str) -> dict[str, Role]:
    near = set(w.words(attempts))
    found: dict[str, Role] = {}

    def best(role: str, candidates: Iterable[MetricInfo], why: str, *, payments_only: bool = True) -> None:
        rows = [m for m in candidates if not payments_only or set(w.words(m.name)) & (w.AUTHORISATION | near)]
        if rows:
            top = max(rows, key=lambda m: (len(near & set(w.words(m.name))), payment_score(m), m.name))
            found[role] = Role(role, top.name, why=why)

    best("latency", (m for m in catalogue if is_histogram(m) and is_latency(m)), "a histogram of payment durations")
    best(
        "amount",
        (m for m in catalogue if w.has(m.name, w.AMOUNT) and m.type != "gauge" and not is_histogram(m)),
        "a counter of money",
    )
    best(
        "retries",
        (m for m in catalogue if w.has(m.name, w.RETRY) and m.type != "gauge"),
        "counts retries",
        payments_only=False,
    )
    best(
        "queue",
        (m for m in catalogue if w.has(m.name, w.QUEUE) and m.type in {"gauge", "unknown"}),
        "a gauge of waiting work",
        payments_only=False,
    )
    return found


def guess_roles(
    catalogue: Sequence[MetricInfo],
    *,
    overrides: OverridesLike | None = None,
    log_labels: Mapping[str, Sequence[str]] | None = None,
) -> PaymentsMap:
    """The payments map of a deployment: what a person configured, else the best guess with its reason.

    `metrics` holds attempts, approved, declined, latency, amount, retries and queue; an outcome label stands in
    `Role.label` and the values that mean approved in `Role.values`. `labels` are metric labels. `fields` holds stream
    labels of logs (service, level) and what was configured; fields inside lines are read when lines are there
    (`analysis.logs`). `unmapped` names in words what nothing carries.
    """
    given = overrides or NoOverrides()
    metrics = _volume_metrics(catalogue, tuple(given.approved))
    metrics |= _other_metrics(catalogue, metrics["attempts"].name if "attempts" in metrics else "")
    for role, name in given.metrics.items():
        metrics[role] = _configured_metric(role, name, catalogue, tuple(given.approved))
        if role == "attempts" and "approved" not in given.metrics:
            info = next((m for m in catalogue if m.name == name), None)
            if info and (outcome := _outcome(info, tuple(given.approved))):
                metrics["attempts"] = Role(role, name, label=outcome[0], why="configured", configured=True)
                metrics["approved"] = Role(
                    "approved", name, label=outcome[0], values=outcome[1], why="by the outcome label"
                )
    volume = {m.name for m in metrics.values()}
    labels = _dimension_labels(m for m in catalogue if m.name in volume or base(m) in volume)
    for role, guess in _dimension_labels(catalogue).items():
        if (
            role in {"service", "peer", "version", "instance", "queue", "model", "stage", "acs", "link", "rule"}
            and role not in labels
        ):
            labels[role] = guess
    for role, name in given.labels.items():
        labels[role] = Role(role, name, label=name, why="configured", configured=True)
    fields = _stream_labels(log_labels or {})
    for role, name in (*given.fields.items(), *given.log_labels.items()):
        fields[role] = Role(
            role, name, label=name, values=tuple((log_labels or {}).get(name, ())), why="configured", configured=True
        )
    return PaymentsMap(metrics=metrics, labels=labels, fields=fields, unmapped=_unmapped(metrics, labels))


def _configured_metric(role: str, name: str, catalogue: Sequence[MetricInfo], approved: tuple[str, ...]) -> Role:
    info = next((m for m in catalogue if m.name == name), None)
    if role in {"attempts", "approved"} and info is not None and (outcome := _outcome(info, approved)):
        return Role(
            role,
            name,
            label=outcome[0],
            values=outcome[1] if role == "approved" else (),
            why="configured",
            configured=True,
        )
    return Role(role, name, why="configured", configured=True)


def _stream_labels(log_labels: Mapping[str, Sequence[str]]) -> dict[str, Role]:
    found: dict[str, Role] = {}
    for role, names in {
        "service": (
            "service_name",
            "service",
            "app",
            "application",
            "component",
            "container",
            "job",
            "unit",
            "deployment",
        ),
        "level": ("level", "detected_level", "severity", "loglevel", "lvl"),
    }.items():
        name = next((n for n in names if log_labels.get(n)), "")
        if name:
            found[role] = Role(role, name, label=name, values=tuple(log_labels[name])[:200], why=f"stream label {name}")
    return found


def _unmapped(metrics: Mapping[str, Role], labels: Mapping[str, Role]) -> tuple[str, ...]:
    missing = []
    if "attempts" not in metrics and not {"approved", "declined"} <= set(metrics):
        missing.append("no metric that counts authorisation attempts")
    elif "approved" not in metrics:
        missing.append("no metric or label that tells approved attempts from others")
    if metrics:
        missing += [
            f"no metric label that carries the {r.replace('_', ' ')}"
            for r in ("scheme", "issuer", "acquirer", "bin", "region", "response_code")
            if r not in labels
        ]
        missing += [
            f"no metric of {what}"
            for role, what in (("latency", "payment durations"), ("amount", "amounts"))
            if role not in metrics
        ]
    return tuple(missing)
