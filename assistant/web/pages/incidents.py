"""The list of incidents, the page of one, its papers, and what people say of its note."""

from __future__ import annotations

import time
from typing import Any, get_args

from starlette.responses import PlainTextResponse, Response

from assistant.core.paper import KINDS, PaperKind
from assistant.drafting.feedback import Judgement
from assistant.errors import UsageError
from assistant.identity import SEVERITIES
from assistant.papers import judge, paper
from assistant.promptlog.record import Event
from assistant.web.access import by_page
from assistant.web.pages.incident_view import VERDICTS, changed, incident_view
from assistant.web.pages.render import Ask, page, see
from assistant.workflow.board import STATES, Wanted

PAGE = 50
DECISIONS = ("mute", "unmute")
READ = by_page(Event.AUDIT_READ, "note", must=False)
TAKE = by_page(Event.AUDIT_READ, "paper")
PAPERS: dict[PaperKind, str] = {
    "handover": "Handover",
    "post_incident": "Post-incident draft",
    "stakeholder_update": "Stakeholder update",
}


def incident_list(ask: Ask) -> Response:
    wanted = Wanted(
        text=ask.word("q"),
        state=ask.word("state", among=STATES) or "all",
        severity=ask.word("severity", among=SEVERITIES),
        verdict=ask.word("verdict", among=VERDICTS),
    )
    number = max(1, ask.whole("page", 1, most=10_000))
    found = ask.desk.board.page(wanted, limit=PAGE, offset=(number - 1) * PAGE)
    pages = max(1, -(-found.total // PAGE))
    return page(
        ask, "incidents.html", found=found, wanted=wanted, number=number, pages=pages, mark=ask.desk.board.mark(),
        now=time.time(),
        severities=SEVERITIES, verdicts=VERDICTS, states=STATES,
    )  # fmt: skip


def incident(ask: Ask) -> Response:
    """The newest note, or with `revision` an earlier one, and what it changed against the one before."""
    name = ask.path("incident")
    mark = ask.desk.board.mark(name)
    revisions = ask.desk.notes.revisions(name)
    if not revisions:
        raise UsageError("no note of such an incident is kept here", mend="the list of incidents shows all there are")
    ask.look(READ, resource="note", incident=name)
    newest = revisions[-1].revision
    wanted = ask.whole("revision", newest)
    note = _revision(ask, name, wanted)
    earlier = [r.revision for r in revisions if r.revision < wanted]
    against = ask.whole("against", earlier[-1]) if earlier else None
    differences = changed(_revision(ask, name, against), note) if against is not None else []
    return page(
        ask, "incident.html", **incident_view(note), name=name, revisions=revisions, newest=newest, wanted=wanted,
        against=against, differences=differences, papers=PAPERS, judgements=get_args(Judgement), mark=mark,
        may_audit=ask.person.holds("auditor"), may_decide=ask.person.holds("commander"), said=ask.word("said"),
        muted=ask.desk.muted(name),
    )  # fmt: skip


def incident_paper(ask: Ask) -> Response:
    """A paper, made now and recorded; shown as Markdown to copy or to download."""
    name, kind = ask.path("incident"), ask.path("kind")
    if kind not in KINDS:
        raise UsageError("no such kind of paper", mend=f"there are: {', '.join(KINDS)}")
    why = "model and posts are switched off (payops off)" if ask.desk.switched_off() else ""
    made = paper(kind, name, notes=ask.desk.notes, house=ask.desk.house(), person=ask.person.id, without_model=why)
    return page(ask, "paper.html", paper=made, name=name, title=PAPERS[made.kind], papers=PAPERS)


def paper_file(ask: Ask) -> Response:
    """The paper of a record as a file: exactly the text that was shown."""
    name, log = ask.path("incident"), ask.desk.log()
    record = log.get(ask.path("record"))
    kind = record.resource
    if record.event is not Event.NOTE_POST or record.incident != name or kind not in KINDS:
        raise UsageError("no such paper of this incident", mend="make it again on the incident's page")
    ask.look(TAKE, resource=f"record:{record.id}", incident=name)
    body = log.body(record, "paper")
    if not isinstance(body, bytes):
        raise UsageError(f"no text any more: {body.reason.value}", mend="make it again on the incident's page")
    file = f'attachment; filename="{name}-{kind}.md"'
    return PlainTextResponse(body.decode(), media_type="text/markdown", headers={"content-disposition": file})


def incident_feedback(ask: Ask) -> Response:
    """What somebody says of the latest note; a record."""
    name, judgement = ask.path("incident"), ask.word("judgement")
    if judgement not in get_args(Judgement):
        raise UsageError("say useful, not useful, wrong or confidently wrong", mend="choose one of them")
    chosen: Any = judgement
    words, cause = ask.given.get("words", "")[:4000], ask.given.get("right_cause", "")[:1000]
    judge(
        name, chosen, notes=ask.desk.notes, house=ask.desk.house(), person=ask.person.id, words=words,
        right_cause=cause,
    )  # fmt: skip
    return see(f"/incidents/{name}?said=feedback#say")


def incident_decision(ask: Ask) -> Response:
    """What a commander decided; a record before it is done."""
    name, what = ask.path("incident"), ask.word("what", among=DECISIONS)
    if not what:
        raise UsageError("say mute or unmute")
    ask.desk.decide(what, name, ask.person.id)
    return see(f"/incidents/{name}?said={what}")


def _revision(ask: Ask, name: str, number: int) -> Any:
    found = ask.desk.notes.revision(name, number)
    if found is None:
        raise UsageError("no such revision of this note", mend="its page lists them")
    return found
