"""What a fault cost, counted over orders."""

from __future__ import annotations

import numpy as np

from evals.lab.authorise import C, Outcome
from evals.lab.shop import CURRENCY, Shop
from evals.lab.traffic import Attempts


def impact(shop: Shop, a: Attempts, o: Outcome, now: float) -> dict[str, object]:
    """What faults cost by `now`: first attempts that would have been approved, net of orders approved later.

    Per currency, in minor units; card testers' and other hostile orders are not customers and are left out.
    """
    seen = (a.t <= now) & ~a.extra
    first = seen & (a.wave == 0)
    hurt = first & (o.fault >= 0) & (o.healthy == C["00"]) & (o.code != C["00"])
    approved = np.unique(a.order[seen & (o.code == C["00"])])
    recovered = hurt & np.isin(a.order, approved)
    lost = hurt & ~recovered
    currency = np.array([CURRENCY[r] for r in shop.regions])[a.region]
    by_currency = {c: int(a.amount[lost & (currency == c)].sum()) for c in sorted({CURRENCY[r] for r in shop.regions})}
    return {
        "first_attempts_failed": int(hurt.sum()),
        "approved_later": int(recovered.sum()),
        "orders_lost": int(lost.sum()),
        "lost_amount_minor": {c: v for c, v in by_currency.items() if v},
    }
