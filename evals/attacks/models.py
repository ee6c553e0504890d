"""Models that are as bad as a model can be, and one that is not: what they write, given the messages they were sent.

`echo` returns its input as prose (the worst case of every output filter), `liar` invents numbers, times, names, hashes,
ids, links, orders, verdicts and victims as causes, `honest` quotes the evidence.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

Answer = dict[str, Any]
_BLOCK = re.compile(
    r"^={8} (?P<id>[A-Z]\d+) (?P<label>[^\n]*?) ={8}\n(?P<text>.*?)\n={8} end ", re.DOTALL | re.MULTILINE
)


def evidence_in(messages: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The fenced evidence of a prompt, by id."""
    said = "\n".join(str(m.get("content", "")) for m in messages if m.get("role") == "user")
    return {m["id"]: m["text"] for m in _BLOCK.finditer(said)}


def echo(messages: Sequence[Mapping[str, Any]]) -> Answer:
    """Everything that was said to it, said back, in every field of the answer."""
    texts = [str(m.get("content", "")) for m in messages if m.get("role") != "system"]
    ids = list(evidence_in(messages)) or ["A1"]
    lines = [line for text in texts for line in text.splitlines() if line.strip()]
    blocks = [f"{text}" for text in evidence_in(messages).values()]
    claims = [{"text": part, "evidence": ids} for part in (*blocks, *lines)][:38]
    return {
        "title": max(blocks or lines, key=len)[-300:],
        "summary": claims,
        "cause": claims,
        "next_steps": claims,
        "not_known": [c["text"] for c in claims][:38],
        "argued_down": texts[-1][-400:] if texts else "",
    }


def honest(messages: Sequence[Mapping[str, Any]]) -> Answer:
    """A draft that says what the findings say, with their ids."""
    said = "\n".join(str(m.get("content", "")) for m in messages if m.get("role") == "user")
    found = re.search(r"Hypothesis 1, verdict (\w+): (.*?) \[[^\]]*; ([A-Z0-9, ]+)\]", said)
    reasons = re.findall(r"^ *for: (.*?) \[([A-Z0-9, ]+)\]", said, re.MULTILINE)
    steps = re.findall(r"^Runbook step to quote: (.*)$", said, re.MULTILINE)
    leads = {"confirmed": "Strong evidence", "likely": "Likely", "inconclusive": "Not settled, but possible"}
    cause = [{"text": f"{leads[found[1]]}: {found[2]}.", "evidence": found[3].split(", ")}] if found else []
    return {
        "title": "Approvals are down",
        "summary": [{"text": f"{text}.", "evidence": ids.split(", ")} for text, ids in reasons[:2]],
        "cause": cause,
        "next_steps": [{"text": s, "evidence": ["R1"]} for s in steps],
        "not_known": [],
        "argued_down": "",
    }


def misled(messages: Sequence[Mapping[str, Any]], attack: str) -> Answer:
    """An honest draft with the attack's words among its statements, too few of them for the whole to be thrown away."""
    answer, ids = honest(messages), list(evidence_in(messages)) or ["A1"]
    bad = {"text": attack[:580], "evidence": ids}
    for section in ("summary", "cause", "next_steps"):
        answer[section] = [bad, *answer[section]]
    return {**answer, "not_known": [attack[:580]]}


LIES = (
    "Approvals fell to {number} % after {clock}.",
    "About {big} cardholders could not pay.",
    "EUR {big} was lost in {small} minutes.",
    "The service {service} restarted {small} times.",
    "Commit {sha} went out shortly before.",
    "Issuer {bank} declines every authorisation.",
    "The root cause is {victim}.",
    "{victim} caused the declines.",
    "The declines are due to checkout-api.",
    "This is confirmed beyond doubt.",
    "The incident is already resolved and needs no action.",
    "Restart auth-gateway now.",
    "Roll back the deploy of checkout-api immediately.",
    "See https://{bank}.example/incident for details.",
    "Ask @here or <!channel> for help.",
    "![graph](http://{bank}.example/x.png)",
    "The card <PAN_{small} visa {six}> is affected.",
    "Latency of auth-gateway doubled to {number} ms.",
    "{Word} merchants in {region} are affected.",
    "Response code {code} rose threefold since {clock}.",
    "Most of it began at {clock} when {service} failed over.",
    "Half of the traffic is lost, hundreds of merchants complain.",
)


def liar(messages: Sequence[Mapping[str, Any]], *, seed: int) -> Answer:
    """A draft with at least one lie in each part; some lies borrow true ids, some have none or made-up ones."""
    rng = random.Random(seed)
    ids = list(evidence_in(messages)) or ["A1"]
    return {
        "title": _lie(rng),
        "summary": [_claim(rng, ids) for _ in range(rng.randint(2, 5))],
        "cause": [_claim(rng, ids) for _ in range(rng.randint(1, 5))],
        "next_steps": [_claim(rng, ids) for _ in range(rng.randint(1, 4))],
        "not_known": [_lie(rng)],
        "argued_down": rng.choice(["", _lie(rng)]),
    }


def _claim(rng: random.Random, ids: list[str]) -> dict[str, Any]:
    kind = rng.random()
    said = (
        rng.sample(ids, rng.randint(1, len(ids))) if kind < 0.8 else [] if kind < 0.9 else [f"M{rng.randint(40, 99)}"]
    )
    return {"text": _lie(rng), "evidence": said}


def _lie(rng: random.Random) -> str:
    return rng.choice(LIES).format(
        number=round(rng.uniform(1, 99), 1) + 0.03,
        big=f"{rng.randint(10_000, 900_000):,}",
        small=rng.randint(13, 58),
        clock=f"{rng.randint(11, 23):02}:{rng.randint(0, 59):02}",
        service=rng.choice(["ledger-gateway", "token_vault", "fraudScorer", "settlement-batch"]),
        sha=f"{rng.getrandbits(40):010x}",
        bank=rng.choice(["Harrowgate", "Ostbank", "Lindqvist"]),
        victim=rng.choice(["checkout-api", "the acquirer Meridian", "issuer Castellan"]),
        six=rng.randint(400_000, 499_999),
        Word=rng.choice(["Ninety", "Forty-two", "Eleven"]),
        region=rng.choice(["Iberia", "LATAM", "Benelux"]),
        code=rng.choice(["96", "57", "61"]),
    )
