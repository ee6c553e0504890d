"""Questions: a bounded look around with read-only tools, an answer whose claims are checked, or "I can't tell".

With a model, langchain's agent calls the tools; every request passes the gate, and calls, looks, time and tokens are
limited. Without one, or when it gives nothing usable, the answer is made of the analyst's findings that bear on the
question. What was looked at is kept either way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from assistant.core.alert import Question
from assistant.core.answer import ONLY_READS, Answer
from assistant.core.draft import Claim, Draft, ModelUse, both
from assistant.core.inert import inert
from assistant.core.prompt import Context
from assistant.drafting.build import Built, Restorer, build_prompt
from assistant.drafting.check import check, evidence_of
from assistant.drafting.faults import FormRefused, foreign, mapped
from assistant.drafting.lexicon import ordinary
from assistant.drafting.schema import ANSWER, Clean, claims_of, parse_object, texts_of
from assistant.drafting.tools import Toolbox
from assistant.drafting.writer import write_without_model
from assistant.errors import LogUnavailable, ModelAnswerInvalid, ModelError, ModelUnavailable
from redaction import LeakBlocked

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from assistant.drafting.model import ChatModel

MOST_TURNS = 5
PROMPT_TOKENS = 3_000
_WRITES = re.compile(
    r"""\b(?:restart|reboot|roll\ ?back|revert|(?:re)?deploy|scale|silence|mute|ack(?:nowledge)?|disable|enable|kill
    |fail\ ?over|delete|drop|purge|refund|reroute|switch\ (?:off|on|over)|turn\ (?:off|on)|block|unblock|apply|fix
    |post|send)\b(?!\ (?:rate|rates|count))""",
    re.IGNORECASE | re.VERBOSE,
)
_ASKS = re.compile(r"^\s*(?:why|what|when|where|which|who|how|is|are|was|were|did|does|do|has|have|since)\b", re.I)
_ABOUT = frozenset({"approval", "decline", "latency", "error", "queue", "retrie"})


def ask(question: Question, *, context: Context, tools: Toolbox, model: ChatModel | None, scanner: Restorer) -> Answer:
    """The answer. `context` holds what the analyst found for the incident or the moment of the question. Raises nothing
    that a model, a source or the log does; a question that wants something changed is told that we only read."""
    if _WRITES.search(question.text.text) and not _ASKS.search(question.text.text):
        return replace(_plain(question, context, tools, "it would need writing"), answered=False, refused=ONLY_READS)
    if model is None:
        return _plain(question, context, tools, "no model is configured")
    try:
        built = build_prompt(
            "question", context, question=question.text.text, budget_tokens=PROMPT_TOKENS, scanner=scanner
        )
        said, use = _looking(built, tools, model)
        return _checked(question, said, use, context, tools, clean=model.clean)
    except LogUnavailable:
        return _plain(question, context, tools, "the prompt log cannot be written, so nothing was sent")
    except LeakBlocked as leak:
        return _plain(question, context, tools, f"the last look found {', '.join(leak.classes)}, so nothing was sent")
    except ModelError as fault:
        return replace(_plain(question, context, tools, fault.message), spent=fault.spent)


def _looking(built: Built, tools: Toolbox, model: ChatModel) -> tuple[Mapping[str, Any], ModelUse]:
    """Let the model look around; where its server does not take tools, let it answer from what it was given."""
    line = model.usable()
    if not line.looks:
        return _run(built, tools, model, look=False)
    try:
        return _run(built, tools, model, look=True)
    except (FormRefused, ModelUnavailable) as refused:
        if tools.looked or not _takes_no_tools(refused):
            raise
        try:
            said, use = _run(built, tools, model, look=False)
        except ModelError as fault:
            fault.spent = both(refused.spent, fault.spent)
            raise
        line.looks = False
        return said, both(refused.spent, use) or use


def _takes_no_tools(refused: ModelError) -> bool:
    """Servers without tools say so with 400 or 422 (older ones) or 500 (llama.cpp without `--jinja`)."""
    return any(word in refused.message for word in ("did not take the request", "failed with 500"))


def _run(built: Built, tools: Toolbox, model: ChatModel, *, look: bool) -> tuple[Mapping[str, Any], ModelUse]:
    """Let the agent look around, or without `look` only answer. Raises ModelError or LogUnavailable; what was found
    until then is in `tools`."""
    from langchain.agents import create_agent
    from langchain.agents.middleware import ModelCallLimitMiddleware
    from langchain_core.messages import HumanMessage

    from assistant.drafting.model import load_libraries

    load_libraries()
    line = model.usable()
    talk = model.talk(built.prompt.incident, "question", parts=built.parts)
    began = talk.now()
    system, user = (m.text.text for m in built.prompt.messages)
    agent = create_agent(
        model.chat(line, talk),
        [_tool(f) for f in tools.all().values()] if look else [],
        system_prompt=system,
        middleware=[ModelCallLimitMiddleware(run_limit=MOST_TURNS, exit_behavior="end")],
    )
    # One look after the other, as they were asked for: so are the trace and the ids of what was found.
    limits: RunnableConfig = {"recursion_limit": 4 * MOST_TURNS + 4, "max_concurrency": 1}
    try:
        state = agent.invoke({"messages": [HumanMessage(content=user)]}, limits)
    except foreign() as error:
        line.breaker.failed()
        fault = mapped(error)
        if isinstance(fault, ModelError):
            fault.spent = model.spent(talk, talk.now() - began)
        raise fault from None
    line.breaker.succeeded()
    last = state["messages"][-1]
    if len(talk.receipts) >= MOST_TURNS and not last.text.lstrip().startswith("{"):
        endless = ModelAnswerInvalid(f"the model did not come to an answer in {MOST_TURNS} turns")
        endless.spent = model.spent(talk, talk.now() - began)
        raise endless
    use = model.use(talk, line.endpoint, talk.now() - began)
    try:
        return parse_object(last.text), use
    except ModelError as fault:
        fault.spent = use
        raise


def _tool(function: Callable[..., str]) -> Any:
    from langchain_core.tools import StructuredTool

    return StructuredTool.from_function(function, handle_tool_error=True, handle_validation_error=True)


def _checked(
    question: Question, said: Mapping[str, Any], use: ModelUse, context: Context, tools: Toolbox, *, clean: Clean
) -> Answer:
    """The model's claims, each checked against the evidence it points at, the tools' results included."""
    if not said.keys() <= ANSWER["properties"].keys() or not isinstance(said.get("answered"), bool):
        fault = ModelAnswerInvalid("the model's answer has not the keys of an answer")
        fault.spent = use
        raise fault
    seen = replace(context, evidence=(*evidence_of(context), *tools.evidence))
    draft = Draft(
        "", claims_of(said.get("claims", []), clean=str), not_known=texts_of(said.get("not_known", []), clean=str)
    )
    left, struck = check(draft, seen)
    if not left.summary and draft.summary:
        plain = _plain(question, context, tools, f"{len(struck)} of the model's statements are not in the evidence")
        return replace(plain, struck=struck, spent=use)
    return Answer(
        question=question.text,
        answered=bool(said["answered"] and left.summary),
        claims=left.summary,
        not_known=tuple(dict.fromkeys((*left.not_known, *_unanswered(tools)))),
        evidence=seen.evidence,
        looked_at=tuple(tools.looked),
        model=use,
        struck=struck,
        spent=use,
    )


def _unanswered(tools: Toolbox) -> tuple[str, ...]:
    """Looks that found nothing because the source did not answer: what the model leaves unsaid, code says."""
    return tuple(inert(f"{look.tool}: {look.found}") for look in tools.looked if not look.evidence)


def _plain(question: Question, context: Context, tools: Toolbox, reason: str) -> Answer:
    """The analyst's findings that bear on the question, by the words they share; all of the summary where none does."""
    draft = write_without_model(context, reason=reason).draft
    said = (*draft.summary, *draft.cause)
    wanted = _words(question.text.text)
    near = tuple(c for c in said if wanted & _words(c.text))
    about_cause = re.search(r"\b(?:why|cause|reason|wrong|happen\w*)\b", question.text.text, re.IGNORECASE)
    claims: tuple[Claim, ...] = said if about_cause else near
    healthy = context.findings.health in ("healthy", "recovered")
    return Answer(
        question=question.text,
        answered=bool(claims) and (healthy or bool(context.hypotheses) or bool(near)),
        claims=(claims or draft.summary)[:6],
        not_known=draft.not_known,
        evidence=(*evidence_of(context), *tools.evidence),
        looked_at=tuple(tools.looked),
        without_model=reason,
    )


def _words(text: str) -> set[str]:
    """The words of `text` that say what it is about."""
    found = {w.casefold().rstrip("s") for w in re.findall(r"[\w-]{3,}", text)}
    return {w for w in found if w not in ordinary()} | found & {
        "approval",
        "decline",
        "latency",
        "error",
        "queue",
        "retrie",
    }
