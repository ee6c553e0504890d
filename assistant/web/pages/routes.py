"""Every page: its address, its handler, for whom, and what it leaves in the log."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from assistant.promptlog.record import Event
from assistant.web.access import a_look, by_page
from assistant.web.pages import incidents, ledger, records, review, system
from assistant.web.pages.desk import Desk
from assistant.web.pages.live import live_routes
from assistant.web.pages.render import READERS, Work, route
from assistant.web.pages.static import static


def routes(desk: Desk) -> list[BaseRoute]:
    """Responders and commanders read incidents and the system; the log is for auditors. What a page leaves in the log
    stands beside its address."""

    def post(path: str, work: Work, *roles: str, leaving: Event, action: str = "") -> Route:
        return route(path, work, desk, *roles, what=by_page(leaving, action), method="POST")

    return [
        Route("/static/{name}", static, methods=["GET"]),
        *live_routes(desk),
        route("/", incidents.incident_list, desk, *READERS, what=a_look("incidents", must=False)),
        route("/incidents/{incident}", incidents.incident, desk, *READERS, what=incidents.READ),
        post("/incidents/{incident}/papers/{kind}", incidents.incident_paper, *READERS, leaving=Event.NOTE_POST),
        route("/incidents/{incident}/papers/{record}.md", incidents.paper_file, desk, *READERS, what=incidents.TAKE),
        post("/incidents/{incident}/feedback", incidents.incident_feedback, *READERS, leaving=Event.FEEDBACK),
        post("/incidents/{incident}/decision", incidents.incident_decision, "commander", leaving=Event.CONFIG_CHANGE),
        route("/records", records.record_list, desk, "auditor", what=by_page(Event.AUDIT_READ, "search")),
        route("/records/{which}", records.record_page, desk, "auditor", what=by_page(Event.AUDIT_READ, "show")),
        route("/records/{which}/proof", records.record_proof, desk, "auditor", what=by_page(Event.AUDIT_READ, "prove")),
        route("/review", review.review_queue, desk, "auditor", what=a_look("review")),
        post("/review", review.review_step, "auditor", leaving=Event.AUDIT_REVIEW),
        route("/log", ledger.ledger, desk, "auditor", what=a_look("log", action="checkpoints")),
        post("/log/verify", ledger.verify_now, "auditor", leaving=Event.AUDIT_READ, action="verify"),
        route("/attestations", ledger.attestations, desk, "auditor", what=a_look("attestations")),
        route("/releases", ledger.releases, desk, "auditor", what=a_look("releases")),
        route("/export", records.export_form, desk, "auditor", what=a_look("log", action="export-form")),
        post("/export", records.export_file, "auditor", leaving=Event.AUDIT_READ, action="export"),
        route("/system", system.system, desk, *READERS, what=a_look("system", must=False)),
    ]
