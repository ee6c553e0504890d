"""Text at random for the two that must agree: numbers, ids and lines of honest systems, and whatever a pattern of the
last look can match. Made from a seed.
"""

# ruff: noqa: E501  tables of texts read best as they are
from __future__ import annotations

import base64
import random
import re
import re._constants as op
import re._parser as parser
import string
import uuid
from collections.abc import Callable
from typing import Any

_WORD = string.ascii_letters + string.digits + "_"
_OTHERS = _WORD + "-.+%="
_CATEGORY = {
    op.CATEGORY_DIGIT: string.digits,
    op.CATEGORY_WORD: _WORD,
    op.CATEGORY_SPACE: " \t",
    op.CATEGORY_NOT_SPACE: _WORD + "-.:,;%+",
    op.CATEGORY_NOT_WORD: " -./:",
    op.CATEGORY_NOT_DIGIT: string.ascii_letters,
}


def sample(pattern: re.Pattern[str], rng: random.Random) -> str:
    """A text that `pattern` matches; "" if forty tries give none."""
    tree = parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE)
    tries = (_drawn(tree, rng) for _ in range(40))
    return next((text for text in tries if pattern.search(text)), "")


def _drawn(tree: Any, rng: random.Random) -> str:
    return "".join(_one(code, given, rng) for code, given in tree)


def _one(code: Any, given: Any, rng: random.Random) -> str:
    if code is op.LITERAL:
        return chr(given)
    if code is op.IN:
        return rng.choice(_set(given))
    if code is op.BRANCH:
        return _drawn(rng.choice(given[1]), rng)
    if code is op.SUBPATTERN:
        return _drawn(given[3], rng)
    if code in (op.MAX_REPEAT, op.MIN_REPEAT):
        least, most, inner = given
        return "".join(_drawn(inner, rng) for _ in range(rng.randint(least, min(most, least + 12))))
    if code in (op.ASSERT, op.ASSERT_NOT, op.AT):
        return ""
    raise ValueError(f"no sample for {code}")


def _set(items: Any) -> str:
    chosen = ""
    for code, given in items:
        if code is op.LITERAL:
            chosen += chr(given)
        elif code is op.RANGE:
            chosen += "".join(map(chr, range(given[0], given[1] + 1)))
        elif code is op.CATEGORY:
            chosen += _CATEGORY[given]
    return "".join(c for c in _OTHERS if c not in chosen) if items[0][0] is op.NEGATE else chosen


FRAMES = (
    "{}", "msg={} ok", 'level=info note="{}" x=1', '{{"a": "{}"}}', "calling {} now", "url=https://h/x?q={}&b=1", "<a>{}</a>", "({})", "x{}", "_{}",
    "the {}, which", "[{}]", "{}/path", "a/{}", "k: {}", "'{}'", "dump\n{}\nend", "token {}", '\\"{}\\"', "svc-{}", "{}-1", "{}.", "db{}",
    '{{"id": {}}}', "request {}: done", "took {} ms", "offset {} of {}", "{}-{}", "{} {}", "{}|{}", "k={};", "http://10.0.0.1:8080/x/{}?q={}", "@{}",
    "partition 3 offset {} lag {}", "{},{},{}", "{}={}", "{}:{}", "#{}", "{}%", "see http://10.2.3.4:9090\n{}", "reset the password:\n{}", "{}\n{}@shop",
)  # fmt: skip


def honest(rng: random.Random) -> str:
    """A line of numbers and ids as systems write them."""
    frame = rng.choice(FRAMES)
    return frame.format(*(rng.choice(_IDS)(rng) for _ in range(3)))


def _of(alphabet: str, least: int, most: int) -> Callable[[random.Random], str]:
    return lambda rng: "".join(rng.choice(alphabet) for _ in range(rng.randint(least, most)))


_hex = "0123456789abcdef"
_digits = _of(string.digits, 12, 20)
_IDS: tuple[Callable[[random.Random], str], ...] = (
    _digits,
    _of(string.digits, 13, 19),
    lambda r: _of(_hex, n := r.choice((8, 12, 15, 16, 17, 18, 19, 20, 22, 24, 26, 32, 40, 64)), n)(r),
    lambda r: str(uuid.UUID(int=r.getrandbits(128))),
    lambda r: r.choice(" -./,:_|+").join(_of(string.digits, 2, 6)(r) for _ in range(r.randint(2, 7))),
    lambda r: ", ".join(_of(string.digits, 1, 6)(r) for _ in range(r.randint(3, 12))),
    lambda r: "[" + ",".join(_of(string.digits, 1, 6)(r) for _ in range(r.randint(3, 12))) + "]",
    lambda r: repr(r.random() * 10 ** r.randint(-3, 15)),
    lambda r: f"{r.randrange(10**9)}.{r.randrange(10**9):09d}",
    lambda r: base64.b64encode(r.randbytes(r.randint(8, 80))).decode(),
    lambda r: base64.urlsafe_b64encode(r.randbytes(r.randint(8, 80))).decode(),
    _of(string.ascii_uppercase + string.digits, 8, 40),
    _of(string.ascii_lowercase + string.digits, 8, 40),
    lambda r: f"2026-{r.randint(1, 12):02d}-{r.randint(1, 28):02d}T{r.randint(0, 23):02d}:{r.randint(0, 59):02d}:07.{r.randrange(10**9):09d}Z",
    lambda r: f"2026{r.randint(1, 12):02d}{r.randint(1, 28):02d}{r.randint(0, 23):02d}{r.randint(0, 59):02d}07{_of(string.digits, 0, 5)(r)}",
    lambda r: f"{r.choice(string.ascii_lowercase)}{r.choice('_-')}{_of(string.digits, 10, 19)(r)}",
    lambda r: f"{_digits(r)}{r.choice('_-abcdefxyz')}{_of(string.digits, 1, 8)(r)}",
    lambda r: f"10.{r.randint(0, 255)}.{r.randint(0, 255)}.{r.randint(0, 255)}:{r.randint(1, 65535)}",
    lambda r: ":".join(_of(_hex, 2, 2)(r) for _ in range(r.choice((6, 16, 20, 32)))),
    lambda r: f"{r.randrange(10**13)}:{r.randrange(10**6)}",
    lambda r: f"%{_of(_hex, 2, 2)(r)}{_of(string.digits, 4, 12)(r)}%{_of(_hex, 2, 2)(r)}",
    lambda r: f"00-{_of(_hex, 32, 32)(r)}-{_of(_hex, 16, 16)(r)}-01",
    lambda r: "\n".join(f"{_of(string.digits, 3, 6)(r)} {_of(string.digits, 2, 9)(r)}" for _ in range(r.randint(2, 4))),
    lambda r: f"{_of(string.digits, 1, 9)(r)}e{r.randrange(10, 100)}",
    lambda r: f"arn:aws:kms:eu-west-1:{_of(string.digits, 12, 12)(r)}:key/{uuid.UUID(int=r.getrandbits(128))}",
    lambda r: r.choice(("in_flight_requests_per_upstream_connection_pool_total", "task_test_environment_name", "risk_live_transactions2", "sk-payments-gateway-prod-eu",
                        "ASIAPACIFICSOUTHEAST", "bulk_test_connection_count", "npm_config_registry_url_of_the_build_job", "weights_of_the_last_hundred_models_by_name", "hvs.of")),
)  # fmt: skip
