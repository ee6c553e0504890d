"""The policy: what is looked for, what is done with it, which words and keys pass. One TOML file, strict.

`policy_hash` is the SHA-256 of the policy's meaning (canonical JSON of every field, and of the vocabulary files it
names), so that two files that differ in comments only have the same hash.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from redaction.errors import RedactionError

CLASSES = (
    "LINE", "SAD", "TRACK", "SECRET", "PAN", "IBAN", "BANK_ACCOUNT", "NATIONAL_ID", "EMAIL", "PHONE", "DOB", "ADDRESS", "PERSON", "IP",  # noqa: E501
)  # fmt: skip
"""Every class, the gravest first: where two rules claim the same characters, the earlier names them."""

_ACTIONS = ("token", "mask", "drop", "keep")
_MASKABLE = ("PAN", "EMAIL")
_CARD_DATA = ("PAN", "SAD", "TRACK", "LINE")
_TABLES: Mapping[str, Mapping[str, type]] = {
    "": {"version": str},
    "actions": dict.fromkeys(CLASSES, str),
    "pan": {"bin_digits": int, "test_pans": list, "token_ranges": list},
    "ip": {"keep_private": bool},
    "names": {
        "vocabulary": list,
        "default_vocabulary": bool,
        "exempt_keys": list,
        "people_keys": list,
        "prose_keys": list,
    },
    "allow": {"values": list},
    "presidio": {"recognizers": list, "spacy_model": str},
    "keys": dict.fromkeys((*(c for c in CLASSES if c not in {"LINE", "TRACK", "IP"}), "SAD_CODE", "SECRET_CODE"), list),
}


@dataclass(frozen=True, slots=True)
class Policy:
    """A checked policy. `Policy.default()` is the shipped one; `Policy.load(path)` reads a file.

    bin_digits: 0, 6 or 8. vocabulary: words that pass, beside the default ones. token_ranges: prefixes, or
    `first-last` of prefixes, of tokens that look like PANs.
    """

    version: str
    actions: Mapping[str, str]
    keys: Mapping[str, tuple[str, ...]]
    bin_digits: int = 6
    test_pans: frozenset[str] = frozenset()
    token_ranges: tuple[str, ...] = ()
    keep_private: bool = True
    vocabulary: frozenset[str] = frozenset()
    default_vocabulary: bool = True
    exempt_keys: frozenset[str] = frozenset()
    people_keys: frozenset[str] = frozenset()
    prose_keys: frozenset[str] = frozenset()
    allow: frozenset[str] = frozenset()
    recognizers: tuple[str, ...] = ()
    spacy_model: str = ""
    hash: str = field(default="", compare=False)

    @staticmethod
    @lru_cache(maxsize=1)
    def default() -> Policy:
        return _made(_shipped(), "", Path("policy.toml"))

    @staticmethod
    def load(path: Path | str) -> Policy:
        """Raises: RedactionError with one line that names the file and, where there is one, the line."""
        file = Path(path)
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as e:
            reason = e.strerror if isinstance(e, OSError) else "not UTF-8"
            raise RedactionError(f"{file}: cannot be read: {reason}", mend="give a policy file that exists") from None
        return _read(text, file)


def _read(text: str, file: Path) -> Policy:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise RedactionError(f"{file}: not TOML: {e}") from None
    tables = _checked(data, text, file)
    for name, table in _shipped().items():
        tables[name] = {**table, **tables.get(name, {})}
    return _made(tables, text, file)


@lru_cache(maxsize=1)
def _shipped() -> dict[str, dict[str, Any]]:
    """What a policy that leaves a key out means."""
    text = (files("redaction") / "policy.toml").read_text(encoding="utf-8")
    return _checked(tomllib.loads(text), text, Path("policy.toml"))


def _fail(file: Path, text: str, key: str, problem: str, mend: str) -> RedactionError:
    pattern = re.compile(rf"\s*\[?\s*[\"']?{re.escape(key)}[\"']?\s*[\]=.]")
    line = next((n for n, row in enumerate(text.splitlines(), 1) if pattern.match(row)), 0)
    return RedactionError(f"{file}{f':{line}' if line else ''}: {problem}", mend=mend)


def _checked(data: dict[str, Any], text: str, file: Path) -> dict[str, dict[str, Any]]:
    """Tables by name ("" for the top), with every key known and of its type."""
    tables: dict[str, dict[str, Any]] = {"": {}}
    for key, value in data.items():
        if isinstance(value, dict):
            if key not in _TABLES:
                raise _fail(
                    file, text, key, f"unknown table [{key}]", f"tables are {', '.join(k for k in _TABLES if k)}"
                )
            tables[key] = value
        else:
            tables[""][key] = value
    for name, table in tables.items():
        for key, value in table.items():
            _check_entry(name, key, value, text, file)
    return tables


def _check_entry(table: str, key: str, value: object, text: str, file: Path) -> None:
    known = _TABLES[table]
    if key not in known:
        where = f"[{table}]" if table else "the top"
        raise _fail(file, text, key, f"unknown key {key} in {where}", f"known keys are {', '.join(known)}")
    wanted = known[key]
    if type(value) is not wanted or (isinstance(value, list) and not all(isinstance(v, str) and v for v in value)):
        what = {list: "a list of texts", str: "a text", int: "a whole number", bool: "true or false"}[wanted]
        raise _fail(file, text, key, f"{key} is not {what}", f"write {key} as {what}")
    if table == "actions":
        _check_action(key, str(value), text, file)
    if key == "bin_digits" and value not in (0, 6, 8):
        raise _fail(file, text, key, f"bin_digits is {value}", "it is 0, 6 or 8")
    if key == "token_ranges" and isinstance(value, list):
        for span in value:
            first, _, last = span.partition("-")
            if not first.isdigit() or (last and (not last.isdigit() or len(last) != len(first) or last < first)):
                raise _fail(file, text, key, f"not a range of prefixes: {span}", 'write "999999" or "650000-650099"')
    if table == "keys" and isinstance(value, list) and not all(re.search("[A-Za-z]", k) for k in value):
        raise _fail(file, text, key, f"a key of {key} has no letter", "write keys as words, card_number")


def _check_action(klass: str, action: str, text: str, file: Path) -> None:
    if action not in _ACTIONS:
        raise _fail(file, text, klass, f"unknown action {action} for {klass}", f"actions are {', '.join(_ACTIONS)}")
    if action == "keep" and klass in _CARD_DATA:
        raise _fail(file, text, klass, f"{klass} cannot be kept", "PCI DSS 3.3.1 and 3.5.1: write token, mask or drop")
    if action == "mask" and klass not in _MASKABLE:
        raise _fail(file, text, klass, f"{klass} cannot be masked", "write token or drop")
    if klass in {"SAD", "TRACK", "LINE"} and action != "drop":
        raise _fail(file, text, klass, f"{klass} must be dropped", "PCI DSS 3.3.1: not even a token of it is kept")


def _made(tables: dict[str, dict[str, Any]], text: str, file: Path) -> Policy:
    pan, names = tables.get("pan", {}), tables.get("names", {})
    presidio = tables.get("presidio", {})
    policy = Policy(
        version=tables[""].get("version", "0"),
        actions=dict(tables.get("actions", {})),
        keys={klass: tuple(keys) for klass, keys in tables.get("keys", {}).items()},
        bin_digits=pan.get("bin_digits", 6),
        test_pans=frozenset(re.sub(r"\D", "", p) for p in pan.get("test_pans", [])),
        token_ranges=tuple(pan.get("token_ranges", [])),
        keep_private=tables.get("ip", {}).get("keep_private", True),
        vocabulary=_vocabulary(names.get("vocabulary", []), text, file),
        default_vocabulary=names.get("default_vocabulary", True),
        exempt_keys=frozenset(names.get("exempt_keys", [])),
        people_keys=frozenset(names.get("people_keys", [])),
        prose_keys=frozenset(names.get("prose_keys", [])),
        allow=frozenset(tables.get("allow", {}).get("values", [])),
        recognizers=tuple(presidio.get("recognizers", [])),
        spacy_model=presidio.get("spacy_model", ""),
    )
    object.__setattr__(policy, "hash", _hash(policy))
    return policy


def _vocabulary(paths: list[str], text: str, file: Path) -> frozenset[str]:
    from redaction.names import read_words

    words: set[str] = set()
    for path in paths:
        try:
            words |= read_words((file.parent / path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            raise _fail(file, text, "vocabulary", f"cannot read {path}", "make it with `payops redact learn`") from None
    return frozenset(words)


def _hash(policy: Policy) -> str:
    def plain(value: object) -> object:
        if isinstance(value, frozenset):
            return sorted(value)
        return dict(value) if isinstance(value, Mapping) else list(value) if isinstance(value, tuple) else value

    meaning = {key: plain(value) for key, value in asdict(policy).items() if key != "hash"}
    return hashlib.sha256(json.dumps(meaning, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
