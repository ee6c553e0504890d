"""Who may see what on the people's listener. Everything the console serves is behind the `Door` of this room.

What pages rely on:

- `request.state.person` is a `Person`; for public paths without a login it is `NOBODY`.
- `@needs("auditor")` on an endpoint lets in whoever holds one of the roles named, answers 403 to everybody else and
  records it. An endpoint without it is open to every role, never to nobody. commander implies responder; auditor
  implies nothing and is implied by nothing.
- `request.state.csrf` goes into each form as the hidden field `csrf`, or into the header `X-CSRF-Token` of a `fetch`;
  the door checks it on every method other than GET and HEAD, before the endpoint runs.
- Bodies are `application/x-www-form-urlencoded`, or JSON with the header; at most 256 KiB.
- The CSP (`headers.CSP`) allows no inline script and no style attribute.
- Paths under `/static/` and the health checks are public, and hold nothing that is not.
- `request.state.access.denied(…)` records a refusal that a page decides itself.
- Every route says what it leaves in the log (`leaves`): reads are records.
- A person comes from the session only: never from a field, a header of the browser's or a query.

How one comes in (`[web] login`): `none` (loopback only, with the link of this start), `oidc`, `proxy`. Each is a
`Login`; `open_access` chooses, and refuses to start where the settings would let in people they should not.
"""

from assistant.web.access.door import Access, Login, unguarded
from assistant.web.access.leaves import Leaves, a_look, by_page, declared, leaves, nothing
from assistant.web.access.person import NOBODY, ROLES, Person, person
from assistant.web.access.roles import needs

__all__ = [
    "NOBODY",
    "ROLES",
    "Access",
    "Leaves",
    "Login",
    "Person",
    "a_look",
    "by_page",
    "declared",
    "leaves",
    "needs",
    "nothing",
    "person",
    "unguarded",
]
