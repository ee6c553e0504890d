"""A kind of incident as data: read from TOML, checked, and bound to a shop by the seed.

README.md beside this file says what every field means. What is wrong is refused with the file, the field and the mend.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from assistant.errors import UsageError
from evals.lab.mechanisms import COMMON, MECHANISMS, SCOPES, check_values, refuse
from evals.lab.rulebook import BY_NAME
from evals.lab.shop import CHANNELS, ROLES, SCHEMES, Shop

KINDS = Path(__file__).parent / "kinds"
FORMAT = 1
VERDICTS = ("cause", "none", "false-alert", "recovered", "inconclusive")


@dataclass(frozen=True, slots=True)
class Fault:
    """One mechanism at work. Seconds for `delay`, `ramp`, `lasts` (0: until the end); `share` 0..1."""

    mechanism: str
    component: str
    scope: Mapping[str, Any] = field(default_factory=dict)
    delay: float = 0.0
    ramp: float = 30.0
    lasts: float = 0.0
    share: float = 0.0
    add_ms: float = 0.0
    code: str = ""
    from_: str = ""
    to: float | str = 0.0
    factor: float = 1.0
    profile: str = "surge"
    shift: float = 0.0
    decline_share: float = 0.0
    seconds: float = 0.0
    queue: str = ""
    gauge: str = ""
    per_minute: float = 0.0
    peer: str = ""
    name: str = ""
    signal: str = ""
    lines: tuple[str, ...] = ()
    level: str = "error"
    scanner: str = ""
    reported_only: bool = False
    counts: str = ""
    every: float = 0.0
    log: tuple[str, ...] = ()

    def strength(self, t: np.ndarray[Any, Any], onset: float) -> np.ndarray[Any, Any]:
        """0..1 at each moment: off before the onset, up over the ramp, off again after `lasts`."""
        start = onset + self.delay
        up = np.clip((t - start) / max(self.ramp, 1e-9), 0.0, 1.0)
        return np.where((t >= start) & ((self.lasts <= 0) | (t < start + self.lasts)), up, 0.0)


@dataclass(frozen=True, slots=True)
class Change:
    """A change event: `before` seconds from it to the onset (negative: after it)."""

    kind: str
    service: str
    title: str
    diff: str
    before: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """A kind bound to a shop: every name and number is drawn."""

    kind: str
    title: str
    verdict: str
    alerts: tuple[str, ...]
    runbook: str
    entity_kind: str
    entity: str
    coarser: tuple[str, ...]
    faults: tuple[Fault, ...]
    change: Change | None
    confounders: tuple[Change, ...]
    must_say: tuple[str, ...]
    must_not_say: tuple[str, ...]
    also: tuple[tuple[str, str], ...]  # other causes at once: (entity kind, entity)
    bound: Mapping[str, Any]
    now_after: str  # "alert" or "end"
    unobservable: bool


@dataclass(frozen=True, slots=True)
class Kind:
    """A checked kind file, not yet bound to a shop."""

    path: Path
    raw: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.raw["kind"])


def shipped() -> tuple[str, ...]:
    """Names of the kinds that come with the lab, sorted."""
    return tuple(sorted(p.stem for p in KINDS.glob("*.toml")))


def load_kind(name: str) -> Kind:
    """A shipped kind. Raises UsageError that lists what there is."""
    path = KINDS / f"{name}.toml"
    if not re.fullmatch(r"[a-z0-9-]+", name) or not path.exists():
        raise UsageError(f"no kind {name!r}", mend="`payops lab list` shows them; `--fault FILE` takes your own")
    return read_kind(path)


def read_kind(path: Path) -> Kind:
    """Read and check one kind file. Raises UsageError naming the file and the field."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise UsageError(f"{path} cannot be read", mend="give a fault file, see evals/lab/README.md") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise UsageError(f"{path.name} is not TOML: {e}", mend="see evals/lab/README.md") from e
    _check(path.name, raw)
    return Kind(path, raw)


_TOP = {
    "format",
    "kind",
    "title",
    "verdict",
    "alerts",
    "runbook",
    "must_say",
    "must_not_say",
    "draw",
    "entity",
    "faults",
    "change",
    "confounders",
    "also",
    "now_after",
    "unobservable",
}


def _check(name: str, raw: Mapping[str, Any]) -> None:
    if raw.get("format") != FORMAT:
        raise refuse(name, f"format is {raw.get('format')!r}", f"this version reads format {FORMAT}")
    if unknown := sorted(set(raw) - _TOP):
        raise refuse(name, f"unknown field {unknown[0]!r}", f"there are: {', '.join(sorted(_TOP))}")
    for key in ("kind", "title", "verdict", "alerts", "runbook"):
        if not raw.get(key):
            raise refuse(name, f"no {key!r}", "every kind says kind, title, verdict, alerts and runbook")
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", str(raw["kind"])):
        raise refuse(name, f"kind {raw['kind']!r}", "lower case letters, digits and dashes")
    if raw["verdict"] not in VERDICTS:
        raise refuse(name, f"verdict {raw['verdict']!r}", f"one of {', '.join(VERDICTS)}")
    for alert in (*raw["alerts"], *([raw["runbook"]] if raw["runbook"] != "none" else [])):
        if alert not in BY_NAME:
            raise refuse(name, f"no alert {alert!r}", "see evals/lab/rulebook.py")
    if raw["verdict"] == "cause" and not raw.get("faults"):
        raise refuse(name, "a cause without faults", "add [[faults]]")
    if raw["verdict"] == "cause" and not isinstance(raw.get("entity"), dict):
        raise refuse(name, "a cause without [entity]", "add entity.kind and entity.name")
    for n, fault in enumerate(raw.get("faults", []), 1):
        _check_fault(f"{name}, fault {n}", fault)


def _check_fault(where: str, f: Mapping[str, Any]) -> None:
    mechanism = str(f.get("mechanism"))
    if mechanism not in MECHANISMS:
        raise refuse(where, f"unknown mechanism {mechanism!r}", f"there are: {', '.join(MECHANISMS)}")
    components, needs, may = MECHANISMS[mechanism]
    if f.get("component") not in components:
        raise refuse(where, f"{mechanism} cannot act on {f.get('component')!r}", f"one of {', '.join(components)}")
    if missing := [k for k in needs if k not in f]:
        raise refuse(
            where, f"{mechanism} needs {missing[0]!r}", f"it takes {', '.join((*needs, *may)) or 'nothing more'}"
        )
    if unknown := sorted(set(f) - {*COMMON, *needs, *may}):
        raise refuse(
            where, f"{mechanism} takes no {unknown[0]!r}", f"it takes {', '.join((*needs, *may, *COMMON[2:]))}"
        )
    if bad := sorted(set(f.get("scope", {})) - set(SCOPES)):
        raise refuse(where, f"no scope {bad[0]!r}", f"one of {', '.join(SCOPES)}")
    check_values(where, f)


def bind(kind: Kind, shop: Shop, rng: np.random.Generator) -> Scenario:
    """Draw every name and number of a kind in this shop. Raises UsageError for a name that nothing draws."""
    raw, name = kind.raw, kind.path.name
    bound: dict[str, Any] = dict(shop.services)
    for key, pool in raw.get("draw", {}).items():
        bound[key] = _draw(name, key, pool, shop, bound, rng)
    fill = _Filler(name, bound)
    entity = raw.get("entity", {})
    change = raw.get("change")
    return Scenario(
        kind=kind.name,
        title=raw["title"],
        verdict=raw["verdict"],
        alerts=tuple(raw["alerts"]),
        runbook=raw["runbook"],
        entity_kind=str(entity.get("kind", "none")),
        entity=str(fill(entity.get("name", "none"))),
        coarser=tuple(fill(entity.get("coarser", []))),
        faults=tuple(_fault(fill, f) for f in raw.get("faults", [])),
        change=_change(fill, change, rng) if change else None,
        confounders=tuple(_change(fill, c, rng) for c in raw.get("confounders", [])),
        must_say=tuple(fill(raw.get("must_say", []))),
        must_not_say=tuple(fill(raw.get("must_not_say", []))),
        also=tuple((str(a["kind"]), str(fill(a["name"]))) for a in raw.get("also", [])),
        bound=bound,
        now_after=raw.get("now_after", "alert"),
        unobservable=bool(raw.get("unobservable", False)),
    )


@dataclass(frozen=True, slots=True)
class _Filler:
    """Puts drawn values in the place of {names}; a text that is one {name} alone becomes the value itself."""

    file: str
    bound: Mapping[str, Any]

    def __call__(self, value: Any) -> Any:
        if isinstance(value, str):
            if (m := re.fullmatch(r"\{(\w+)\}", value)) and m[1] in self.bound:
                return self.bound[m[1]]
            return re.sub(r"\{(\w+)\}", lambda m: str(self._one(m[1], m[0])), value)
        if isinstance(value, Mapping):
            return {k: self(v) for k, v in value.items()}
        if isinstance(value, Sequence):
            return [self(v) for v in value]
        return value

    def _one(self, key: str, whole: str) -> Any:
        if key in self.bound:
            return self.bound[key]
        if key in {"order", "rc", "ms", "stan", "pan", "cvv", "name", "email", "bearer", "token", "n"}:
            return whole  # filled line by line when logs are written
        raise refuse(self.file, f"{{{key}}} is drawn nowhere", "add it under [draw]")


def _fault(fill: _Filler, raw: Mapping[str, Any]) -> Fault:
    filled = {k: fill(v) for k, v in raw.items()}
    check_values(fill.file, filled)
    given = {("from_" if k == "from" else k): v for k, v in filled.items()}
    known = {f.name for f in fields(Fault)}
    lists: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items() if k in known}
    return Fault(**lists)


def _change(fill: _Filler, raw: Mapping[str, Any], rng: np.random.Generator) -> Change:
    before = raw.get("before", [20, 90])
    lo, hi = before if isinstance(before, list) else (before, before)
    return Change(
        str(raw.get("kind", "deploy")),
        str(fill(raw["service"])),
        str(fill(raw["title"])),
        str(fill(raw.get("diff", ""))),
        float(rng.uniform(lo, hi)),
    )


def _draw(file: str, key: str, pool: Any, shop: Shop, bound: Mapping[str, Any], rng: np.random.Generator) -> Any:
    if isinstance(pool, list):
        if len(pool) == 2 and all(isinstance(x, (int, float)) for x in pool):
            value = float(rng.uniform(pool[0], pool[1]))
            return round(value, 3) if value < 10 else round(value)
        return pool[int(rng.integers(len(pool)))]
    big = sorted(shop.issuers, key=lambda i: -i.share)
    issuer = next((i for i in shop.issuers if i.name == bound.get("issuer")), None)
    region = str(bound.get("region") or (issuer.region if issuer else shop.regions[0]))
    route = shop.routes[region]
    match pool:
        case "issuer":
            return str(rng.choice([i.name for i in big[: len(big) // 2]]))
        case "bin" if issuer:
            return issuer.bins[int(rng.integers(2)) + (0 if issuer.schemes[0] >= issuer.schemes[1] else 2)]
        case "acquirer":
            used = [a for i, a in enumerate(shop.acquirers) if any(r[i] > 0.3 for r in shop.routes.values())]
            return str(rng.choice(used))
        case "main_acquirer":
            return shop.acquirers[int(np.argmax(route))]
        case "region":
            return str(rng.choice(shop.regions))
        case "issuer_region" if issuer:
            return issuer.region
        case "scheme":
            return SCHEMES[int(rng.integers(2))]
        case "main_scheme" if issuer:
            return SCHEMES[int(np.argmax(issuer.schemes))]
        case "acs":
            return str(rng.choice(sorted({i.acs for i in shop.issuers})))
        case "link":
            return str(rng.choice(shop.links))
        case "channel":
            return str(rng.choice(CHANNELS))
        case "new_model":
            return shop.models[1]
        case "model":
            return shop.models[0]
        case "service":
            return shop.service(str(rng.choice(ROLES[:8])))
    raise refuse(file, f"draw.{key} = {pool!r} is unknown here", "a pool named in evals/lab/README.md, or [low, high]")
