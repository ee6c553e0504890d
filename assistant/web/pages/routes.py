"""Every page: its address, its handler, and for whom."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from assistant.web.pages import incidents, ledger, records, review, system
from assistant.web.pages.desk import Desk
from assistant.web.pages.live import live_routes
from assistant.web.pages.render import READERS, route
from assistant.web.pages.static import static


def routes(desk: Desk) -> list[BaseRoute]:
    """Responders and commanders read incidents and the system; the log is for auditors."""
    return [
        Route("/static/{name}", static, methods=["GET"]),
        *live_routes(desk),
        route("/", incidents.incident_list, desk, *READERS),
        route("/incidents/{incident}", incidents.incident, desk, *READERS),
        route("/incidents/{incident}/papers/{kind}", incidents.incident_paper, desk, *READERS, method="POST"),
        route("/incidents/{incident}/papers/{record}.md", incidents.paper_file, desk, *READERS),
        route("/incidents/{incident}/feedback", incidents.incident_feedback, desk, *READERS, method="POST"),
        route("/incidents/{incident}/decision", incidents.incident_decision, desk, "commander", method="POST"),
        route("/records", records.record_list, desk, "auditor"),
        route("/records/{which}", records.record_page, desk, "auditor"),
        route("/records/{which}/proof", records.record_proof, desk, "auditor"),
        route("/review", review.review_queue, desk, "auditor"),
        route("/review", review.review_step, desk, "auditor", method="POST"),
        route("/log", ledger.ledger, desk, "auditor"),
        route("/log/verify", ledger.verify_now, desk, "auditor", method="POST"),
        route("/attestations", ledger.attestations, desk, "auditor"),
        route("/releases", ledger.releases, desk, "auditor"),
        route("/export", records.export_form, desk, "auditor"),
        route("/export", records.export_file, desk, "auditor", method="POST"),
        route("/system", system.system, desk, *READERS),
    ]
