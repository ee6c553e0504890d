"""Every alert rule of the lab's shops, over roles; a shop's naming turns them into PromQL."""

from __future__ import annotations

from evals.lab.rule_forms import Rule
from evals.lab.rules_behind import RULES as BEHIND
from evals.lab.rules_path import RULES as PATH

RULES: tuple[Rule, ...] = (*PATH, *BEHIND)
BY_NAME = {rule.alert: rule for rule in RULES}
