"""The rules that a claim must pass, one function each: what is wrong with it, or "" for nothing.

They are patterns over prose and err on the side of striking: a good claim lost costs a sentence, a bad one kept costs
trust. What the model may say is decided here and by the analyst, not by asking the model nicely.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from assistant.core.inert import live, visible
from assistant.drafting.derived import Moments, uncarried
from assistant.drafting.lexicon import stem
from assistant.drafting.names import mentioned, names, occurs
from assistant.drafting.pairing import (
    alike,
    coded,
    listed,
    named_counts,
    no_victim,
    of_what,
    other_change,
    shares,
    the_right_way,
)
from assistant.drafting.patterns import (
    ASKED_TO,
    BAIT,
    CAUSE_AFTER,
    CAUSE_BEFORE,
    CERTAIN,
    DOUBTED,
    GOES_ON,
    HEDGED,
    HUMBLE,
    LOOKS,
    MUTATES,
    NEGATED,
    NOT_OVER,
    OVER,
    OVERSURE,
    UNCERTAIN,
    UNRECOVERED,
)
from assistant.drafting.placed import in_its_place, only_there, together
from assistant.drafting.sense import bound, counted, denies, direction, loss_there, quantified, states
from assistant.drafting.statement import Known, Statement, sentences, without_ids
from assistant.drafting.timing import by_the_clock, in_order, log_lines, percentiles
from assistant.drafting.voice import QUOTATION, fault, runs
from assistant.drafting.wording import foreign_letters, unsaid

MAX_CHARACTERS = 600
MOST_IDS = 20
"""A claim that points at everything is carried by anything."""
_ONLY_DIGITS = re.compile(r"(?:(?<!\S)[\d.,:;]+\s+){5,}[\d.,:;]+(?!\S)")
_DEPLOYED = re.compile(r"\b(?:deploy|change|release|config\w*|flag|certificate)\b", re.IGNORECASE)
_EITHER = re.compile(r"\beither\b.+\bor\b", re.IGNORECASE)
_CLOSE_TO = re.compile(r"\bclose to(?= (?:its|the|a|\d|normal|usual|zero))")
_A_CHANGE = re.compile(r"^Deploy(?: of [\w-]+)?(?: at [\d:]+Z?)?(?=,? (?:[0-9a-f]{7,40}|went|was|came)\b)")
_A_STORM = re.compile(r"\bretry (?=storms?\b)", re.IGNORECASE)  # a kind of failure, not an order to retry
_IDENTIFIER = re.compile(r"(?<![\w.-])[A-Za-z][\w.]*(?:-\w+)*-\d[\w.-]*\w|(?<![\w.-])[A-Za-z]\w*-\d\b")


Rule = Callable[[Statement, Known], str]


def shape(s: Statement, known: Known) -> str:
    """Plain prose of a sane length."""
    if not s.text.strip():
        return "empty"
    if len(s.text) > MAX_CHARACTERS:
        return f"longer than {MAX_CHARACTERS} characters"
    if visible(s.text) != s.text or "\n" in s.text.strip():
        return "hidden characters or line breaks"
    if _ONLY_DIGITS.search(s.text):
        return "figures without words"
    return ""


def pointed(s: Statement, known: Known) -> str:
    """Ids there are, and all of them known."""
    if not s.evidence:
        return "no evidence id"
    if len(s.evidence) > MOST_IDS:
        return f"points at more than {MOST_IDS} pieces of evidence"
    unknown = [i for i in s.evidence if i not in known.texts]
    return f"unknown evidence id: {len(unknown)}" if unknown else ""


def inert_text(s: Statement, known: Known) -> str:
    """No link, mention, image or markup."""
    found = live(s.text)
    return f"link, mention or markup: {len(found)}" if found else ""


def figures_carried(s: Statement, known: Known) -> str:
    """Every quantity stands in the evidence pointed at, or follows from what of the claim does (`derived`)."""
    text = _without_identifiers(without_ids(s.text, s.evidence), s, known)
    seen = [q for i in s.evidence for q in known.figures.get(i, ())]
    lengths = tuple(v for i in s.evidence for v in known.moments.get(i, ((), ()))[0])
    begins = tuple(v for i in s.evidence for v in known.moments.get(i, ((), ()))[1])
    lost = uncarried(text, seen, Moments(known.onset, lengths, begins), more=named_counts(s, known))
    return f"{len(lost)} figure(s) not in the evidence" if lost else ""


def _without_identifiers(text: str, s: Statement, known: Known) -> str:
    """`text` without identifiers that hold digits and stand in its evidence: `gbm-2026-01` is no year."""
    shown = " \n ".join(known.texts.get(i, "") for i in s.evidence)
    there = {n for n in _IDENTIFIER.findall(text) if occurs(n, shown)}
    return re.sub("|".join(map(re.escape, sorted(there, key=len, reverse=True))), "…", text) if there else text


def names_carried(s: Statement, known: Known) -> str:
    """Every service, issuer, hash, token and quotation stands in the evidence pointed at."""
    text = " \n ".join(known.texts.get(i, "") for i in s.evidence)
    said = (*names(without_ids(s.text, s.evidence)), *mentioned(s.text, known.entities))
    lost = {n for n in said if not occurs(n, text)}
    return f"{len(lost)} name(s) not in the evidence" if lost else ""


def victim_as_cause(s: Statement, known: Known) -> str:
    """Only what the analyst ranks first may be called the cause; a denial may name others."""
    for sentence in sentences(s.text):
        if _leaves_open(sentence, known):
            continue
        doubted = DOUBTED.search(sentence) is not None
        if doubted and _prefers_another(sentence, known):
            return "prefers another cause to the analyst's"
        denied = doubted or NEGATED.search(sentence) is not None
        blamed = [_blames_leading(span, known) for span in _blamed(sentence)]
        if not all(blamed) and not denied:
            return "calls something the cause that the analyst does not"
        if any(blamed) and denied and s.section != "argued_down":
            return "denies the analyst's cause outside of arguing it down"
    if s.section == "cause" and not NEGATED.search(s.text) and not DOUBTED.search(s.text):
        named = mentioned(s.text, known.entities)
        if named and not any(e.casefold() in known.leading | known.related for e in named):
            return "the cause is about another entity"
    return ""


def verdict_kept(s: Statement, known: Known) -> str:
    """The verdict is the analyst's: prose may not be surer than it, and never surer than strong evidence."""
    if OVERSURE.search(HUMBLE.sub(" ", s.text)):
        return "surer than any verdict"
    if known.verdict == "confirmed":
        return ""
    if CERTAIN.search(s.text) and not UNCERTAIN.search(s.text):
        return "surer than the verdict"
    for sentence in sentences(s.text):
        if _blamed(sentence) and not HEDGED.search(sentence) and not NEGATED.search(sentence):
            return "a cause without the verdict's doubt"
    return ""


def still_wrong(s: Statement, known: Known) -> str:
    """Not over before the analyst says so."""
    if known.health in ("healthy", "recovered"):
        going = s.section != "next_steps" and GOES_ON.search(s.text)
        return "says it goes on, and the analyst finds that it is over" if going else ""
    found = OVER.search(s.text)
    return "says it is over or harmless" if found and not NOT_OVER.search(s.text[: found.start()]) else ""


def changes_nothing(s: Statement, known: Known) -> str:
    """No instruction that would change a system, unless quoted from a runbook word for word; of its own, a next step
    only looks, compares and asks."""
    text = _CLOSE_TO.sub("near", _A_CHANGE.sub("This change", _A_STORM.sub("", s.text)))
    if MUTATES.search(text):
        return "an instruction that changes something"
    if s.section == "next_steps" and (not LOOKS.match(s.text) or ASKED_TO.search(s.text)):
        return "a step of its own that does more than look"
    return ""


def no_bait(s: Statement, known: Known) -> str:
    """Prose about prompts, instructions or secrets is not about the incident."""
    return "about instructions or secrets" if BAIT.search(s.text) else ""


def own_voice(s: Statement, known: Known) -> str:
    """Said in words of its own: what others wrote is quoted as theirs; no question, no code, nobody addressed. A next
    step that looks or asks may keep words of the runbook's steps, because it may quote them whole."""
    looks = s.section == "next_steps" and LOOKS.match(s.text)
    others = known.others.difference(*map(runs, known.quotes)) if looks else known.others
    text = without_ids(s.text, s.evidence)
    if any("=us" in known.texts.get(i, "") or " us " in known.texts.get(i, "") for i in s.evidence):
        text = re.sub(
            r"\bus\b(?= \d|,|:|\.| (?:and|region|traffic|payments))|(?<=\bin )us\b|(?<=\bthe )us\b", "figure", text
        )
    if stem("model") in known.ours:  # of a fraud model, not of the reader's
        text = re.sub(
            r"\b((?:fraud|risk|scoring)\s)models?\b|\bmodels?(?=\s[\w.]+-\d)", r"\1figure", text, flags=re.IGNORECASE
        )
    return fault(text, s.section, others)


def words_carried(s: Statement, known: Known) -> str:
    """Plain words, the trade's terms as far as the evidence pointed at holds them, and what the analyst said."""
    text = QUOTATION.sub(" ", without_ids(s.text, s.evidence))
    shown = " \n ".join(known.texts.get(i, "") for i in s.evidence)
    for name in (*mentioned(text, known.entities), *(n for n in names(text) if n in shown)):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", " ", text, flags=re.IGNORECASE)
    if known.health not in ("healthy", "recovered"):
        text = UNRECOVERED.sub(" ", text)
    if foreign_letters(text):
        return "letters of another script"
    allowed = known.ours.union(*(known.terms.get(i, frozenset()) for i in s.evidence))
    lost = unsaid(text, allowed)
    return f"{len(lost)} word(s) that neither the evidence nor the analyst says" if lost else ""


RULES: tuple[tuple[str, Rule], ...] = (
    ("shape", shape),
    ("evidence", pointed),
    ("inert", inert_text),
    ("figures", figures_carried),
    ("names", names_carried),
    ("cause", victim_as_cause),
    ("verdict", verdict_kept),
    ("health", still_wrong),
    ("read-only", changes_nothing),
    ("bait", no_bait),
    ("voice", own_voice),
    ("bound", bound),
    ("direction", direction),
    ("counted", counted),
    ("quantified", quantified),
    ("denial", denies),
    ("listed", listed),
    ("code", coded),
    ("order in time", in_order),
    ("lines", log_lines),
    ("victim", no_victim),
    ("change", other_change),
    ("turned", the_right_way),
    ("in its place", in_its_place),
    ("only", only_there),
    ("together", together),
    ("alike", alike),
    ("percentile", percentiles),
    ("by the clock", by_the_clock),
    ("share", shares),
    ("of what", of_what),
    ("loss", loss_there),
    ("order", states),
    ("words", words_carried),
)


QUOTED = frozenset({"shape", "evidence", "inert"})
"""The rules that a word-for-word quotation must still pass."""


STATED = QUOTED | {"cause", "verdict", "health", "bait", "voice"}
"""The rules that a sentence of the analyst must still pass. The others read prose for what it might mean, and would
find a denial in "for no other" and an order in "call it"; the analyst's sentences were computed from the evidence."""


def rules_for(s: Statement, known: Known) -> frozenset[str] | None:
    """The rules for a statement that repeats word for word, in its place, a step of the runbook, a gap that the analyst
    named, or with its evidence what the analyst stated; None, which is all of them, for everything else."""
    text = squeeze(s.text)
    if text in {"next_steps": known.quotes, "not_known": known.gaps}.get(s.section, frozenset()):
        return QUOTED
    behind = known.stated.get(text, frozenset()) if s.section in ("summary", "cause") else frozenset()
    return STATED if s.evidence and behind.issuperset(s.evidence) else None


def _blamed(sentence: str) -> list[str]:
    """The parts of a sentence that stand in the place of the cause: after "caused by", before "is the cause"."""
    return [sentence[m.end() :] for m in CAUSE_AFTER.finditer(sentence)] + [
        sentence[: m.start()] for m in CAUSE_BEFORE.finditer(sentence)
    ]


def _prefers_another(sentence: str, known: Known) -> bool:
    """Whether "less likely" is said of what the analyst ranks first."""
    front = sentence.partition(" than ")[0]
    lead = {e.casefold() for e in mentioned(front, known.entities | known.leading)} & known.leading
    about = re.search(r"\b(?:less likely|unlikely|least likely)\b", front, re.IGNORECASE)
    subject = front[: about.start()] if about else front
    first = mentioned(subject, known.entities | known.leading)
    changes = known.leading & {e.casefold() for e in first}
    other = {e.casefold() for e in first} - known.leading - known.related
    return bool(lead) and bool(changes) and not other and not _DEPLOYED.search(subject)


def _leaves_open(sentence: str, known: Known) -> bool:
    """Whether it is "either … or …" of the two causes that the evidence does not tell apart, and of no other."""
    if not known.rivals or not _EITHER.search(sentence):
        return False
    named = {e.casefold() for e in mentioned(sentence, known.entities | known.leading | known.rivals)}
    both = bool(named & known.leading) and bool(named & known.rivals)
    return both and named <= known.leading | known.related | known.rivals


def _blames_leading(span: str, known: Known) -> bool:
    """Whether the part names what the analyst ranks first, and nothing else that the incident knows before it."""
    named = mentioned(span, known.entities | known.leading)
    return bool(named) and all(e.casefold() in known.leading | known.related for e in named)


def squeeze(text: str) -> str:
    """`text` for comparing quotations: case, spacing and the last full stop aside."""
    return " ".join(text.casefold().split()).rstrip(".")
