"""The wordings that the rules look for: blame, doubt, certainty, "it is over", orders, bait. Data, and how it is read.

Each list is one phrase a line or words in a row; they are regular expressions, matched case-insensitively.
"""

from __future__ import annotations

import re


def _any(phrases: str, *, before: str = r"\b(?:", after: str = r")\b") -> re.Pattern[str]:
    return re.compile(before + "|".join(p.strip() for p in phrases.strip().splitlines()) + after, re.IGNORECASE)


CAUSE_AFTER = _any(r"""
    caused by
    due to
    because(?: of)?
    (?:root )?cause (?:is|was|lies)
    result(?:s|ed|ing)? (?:of|from)
    stem(?:s|med|ming)? from
    trac(?:es|ed) (?:back )?to
    originat\w+ (?:in|from|at|with)
    attribut\w+ to
    fault of
    (?:start|began|begin|lie|lies|lay)\w* (?:in|with|at)(?! (?:about )?\d)
    culprit (?:is|was)
    triggered by
    blamed? (?:on|for)?
    brought down by
    source of the
    driven by
    thanks to
    evidence (?:that|points to)
    owing to
    points? (?:to|at)
    (?:line|lines|lined) up with
    suspects?(?: number one)?(?: is| are|:\s*)
    """)
CAUSE_BEFORE = _any(r"""
    (?:has |had |have )?(?:caus(?:es|ed|ing)|trigger(?:s|ed|ing)|broke|breaks(?! against)|brought down)
    (?:has |had |have )?(?:took down|led to|leads to)
    explain(?:s|ed)(?! why)
    (?:started|began) (?:it|this|all this)(?!\w)
    (?:sets?|kick(?:s|ed)) (?:it|this|all this) off
    (?:is|was|are|were|being) (?:the )?(?:\w+ ){0,3}(?:cause|culprit|origin|source|trigger|responsible)
    (?:is|was|are|were) (?:\w+ ){0,2}(?:to blame|at fault)
    """)
NEGATED = _any(
    r"""
    not|no|never|neither|nor|without|cannot
    rather than
    rules? out
    ruled out
    innocent
    unlikely
    \w+n't
    """
)
DOUBTED = re.compile(
    r"\b(?:less|least) (?:likely|probable|plausible)\b|"
    r"\b(?:improbable|implausible|unlikely)\b|\b(?:weaker|minor) candidate\b|"
    r"\bconcerns? another\b|\banother (?:service|path)\b|\bunrelated\b",
    re.IGNORECASE,
)
"""What is called a cause that is not believed in."""
GOES_ON = re.compile(
    r"\b(?:goes|going) on\b|\bongoing\b|\bcontinu\w+\b|\bpersist\w*|"
    r"\bstill (?:(?:be|is|are)\w* )?(?:fail|declin|down|affect|present|low|reject|"
    r"refus|slow|tim)\w*|\bnot (?:yet )?(?:recovered|over|resolved)\b|\bno signs? of recovery\b|\bunresolved\b",
    re.IGNORECASE,
)
UNRECOVERED = re.compile(
    r"\b(?:has|have|is|are)? ?(?:not|n't) (?:yet )?(?:fully )?recover(?:ed|ing)?\b|\bno signs? of (?:a )?recovery\b|"
    r"\b(?:yet|still) to recover\b",
    re.IGNORECASE,
)
"""That it goes on: the only way to speak of recovery while the analyst sees none."""
HEDGED = _any(r"""
    likely|probabl[ey]|possibl[ey]|possible|may|might|could|suspected|suspects?|candidate|suggests?|appears?|seems?
    consistent with
    hypothes[ie]s|unclear|unknown|unsettled|inconclusive|cannot|whether|unconfirmed
    not settled
    points? (?:to|at)
    """)
CERTAIN = _any(r"""
    confirm(?:s|ed)|prove[sdn]?|proven|clearly|conclusive(?:ly)?
    known to be
    strong evidence
    """)
OVERSURE = _any(r"""
    certain(?:ly)?|definite(?:ly)?|undoubtedly|guaranteed|unquestionabl[ey]
    (?:without|beyond) (?:a |any )?(?:shadow of a )?doubt
    no other (?:possible )?explanation
    no (?:room for |room to )?(?:doubt|question)
    (?:out of|beyond|without) question
    can only (?:be|have)
    must (?:be|have)
    (?:none|nothing|nobody) (?:other|else) than
    undeniabl[ey]|indisputabl[ey]|established
    100 ?%? (?:sure|confirmed|certain)
    """)
HUMBLE = re.compile(r"\b(?:rather than|far from|not) (?:certain|definite|proven)\b", re.IGNORECASE)
"""Words of certainty that say the contrary."""
UNCERTAIN = _any(
    r"""
    not
    un
    never
    cannot be
    yet to be
    nothing
    """,
    after=r")\s?(?:yet |been |be )?(?:confirm|certain|prove|conclusive)",
)
OVER = _any(r"""
    (?:already )?(?:resolved|mitigated|fixed|recovered|remediated|restored)
    back to normal
    false (?:alarm|positive|alert)
    nothing (?:is )?wrong
    no (?:further )?(?:action|impact|customer impact)
    no longer (?:an issue|failing)
    can be ignored
    safe to (?:ignore|close)
    ignore (?:this|the|it)
    stand down
    all clear
    self-?heal\w*
    (?:is|are|was|were|been|now) (?:\w+ )?over(?=\s*(?:[.,;:!]|$|now\b|and\b|by\b))
    (?:be|is|are|was|were|been|now) (?:\w+ )?(?:closed|ended|finished|done|stable|stopped|gone|behind us)
    test alert
    drill
    expected behaviou?r
    (?:close|silence|acknowledge|suppress|downgrade) (?:this|the|it)
    """)
NOT_OVER = re.compile(
    r"\b(?:not|never|isn't|hasn't|yet|until|whether|when|once|if|un)\b[^.]{0,30}$",
    re.IGNORECASE,
)
LOOKS = _any(
    r"""
    compare|check|ask|look|see|confirm|verify|watch|inspect|review|measure
    find out
    """,
    before=r"^\s*(?:",
)
BAIT = _any(
    r"""
    ignore (?:all|any|the|previous|prior)
    disregard
    system prompt
    as an ai
    language model
    instruction
    jailbreak
    developer mode
    password|passphrase|credential|secret
    api[_ -]?key
    access token
    """,
    after=r")s?\b",
)

_VERBS = """
    restart reboot roll.?back revert redeploy deploy scale delete drop truncate purge flush kill terminate disable
    enable fail.?over switch re.?route route drain cordon evict patch upgrade downgrade rotate revoke reset wipe remove
    uninstall install execute run apply push merge refund capture void settle transfer whitelist allowlist blocklist
    unblock block bypass override toggle turn.on turn.off shut.?down stop start modify change edit update write insert
    create grant increase decrease raise lower retry replay resend resubmit send post forward email download upload
    click visit open paste type disclose reveal print ignore silence mute acknowledge close
    """
_GERUNDS = """
    restarting rebooting rolling.back reverting redeploying deploying scaling deleting dropping truncating purging
    flushing killing terminating disabling enabling failing.over switching rerouting re-routing draining patching
    rotating revoking resetting wiping removing executing running applying refunding bypassing overriding silencing
    ignoring closing sending
    """
_TOOLS = (
    r"kubectl|helm|systemctl|docker|psql|curl|wget|ssh|sudo|rm -|chmod|terraform|ansible|aws |gcloud|az |drop table|"
    r"delete from|update \w+ set|insert into"
)
_BEFORE_VERB = (
    r"then|and|please|now|immediately|simply|just|you|we|to|should|must|can|could|need to|have to|let us|let's|"
    r"action:|step \d+:?|\d+[.)]"
)
_ADVISED = r"consider|recommend(?:ed)?|suggest(?:ed)?|advise[sd]?|try|by|start|begin|requires?|worth"
MUTATES = re.compile(
    rf"(?:^|[.;:!?,]\s+|\b(?:{_BEFORE_VERB})\s+)(?:(?:immediately|now|please|simply|just|manually|also)\s+)*"
    rf"(?:{'|'.join(_VERBS.split())})\b(?!-\w)(?!\s+(?:rates?|of|is|was|in|has|had|took|takes)\b)"
    rf"|(?:^|[.;:]\s+|\b(?:{_ADVISED})\s+)(?:{'|'.join(_GERUNDS.split())})\b(?!-\w)"
    rf"|\b(?:{_TOOLS})\b",
    re.IGNORECASE,
)

_NOT = r"(?:not|no longer|never|cannot|can't|doesn't|don't|didn't|isn't|aren't|wasn't|weren't)"
SILENT = re.compile(
    rf"\b{_NOT}\s+(?:be\s+|being\s+|been\s+)?(?:answer(?:s|ed|ing)?|respond(?:s|ed|ing)?|reach(?:ed|able)?|"
    r"available|connect(?:s|ed|ing)?|repl(?:y|ies|ied|ying)|arriv(?:e|es|ed|ing)|deliver(?:s|ed|ing)?)\b(?!\s+(?:for|as)\b)"
    r"|\b(?:never|none|not) (?:of (?:them|which|these|those) )?(?:been |was |were )?"
    r"(?:seen|logged|there|known) before\b"
    r"|\b(?:was|were) never (?:seen|logged|there)\b"
    r"|\bno (?:answers?|responses?|repl(?:y|ies)|connections?|values?|others?)\b",
    re.IGNORECASE,
)
"""Negations that tell of a failure, or of others, and deny nothing: "does not answer", "and no other"."""

FROM_TO = re.compile(r"\bfrom ((?:[^.;]|\.\d){1,40}?) to ((?:[^.;]|\.\d){1,40})", re.IGNORECASE)
FALLS = _any(r"""
    fell|fall(?:s|ing|en)?|drop(?:s|ped|ping)?|decreas(?:e|es|ed|ing)|declined? from|sank|shr[au]nk
    lower(?:ed)?|worsen\w*
    """)
RISES = _any(r"""
    rose|ris(?:e|es|en|ing)|up to
    increas(?:e|es|ed|ing)|climb\w*|grew|jump\w*|surg\w*|improv\w*|recover\w*|went up|up from
    """)

OBLIGES = re.compile(
    r"\b(?:should|ought|must|(?:need|needs|needed|has|have|had) to|had better|would be (?:best|better|wise)|"
    r"(?:is|are) to be|let us|time to)\b|^\s*(?:have|put|get|let|make|keep|take|give|move|go|set|turn|pull|push|cut|"
    r"hold|tell|do|try|call|use|pay|page|stay|wait|remove|return|bring|add|leave)\b",
    re.IGNORECASE,
)
EVERY = re.compile(
    r"\b(?:all|both|every|everyone|everybody|everything|everywhere|no ?body|no one|none|nothing|nowhere|"
    r"not (?:one|a|an|any)|only|whole|entire(?:ly)?|total|complete(?:ly)?|worldwide|always|never)\b",
    re.IGNORECASE,
)
MOVED = re.compile(
    r"\b(?:not|never|no|nothing|n't)\b[^.;]{0,20}\b(?:f[ae]ll\w*|drop\w*|decreas\w*|declin\w*|lost|los[es]\w*|rose|"
    r"ris\w*|increas\w*|chang\w*|mov\w*|affect\w*|happen\w*|wrong|fail\w*)\b",
    re.IGNORECASE,
)
FAULTY = re.compile(
    r"\b(?:hit\b|drop|declin|reject|refus|fail|br[eo]k|los[es]|lost|block|error|delay|slow|hang|hung|"
    r"tim(?:e|ed|es|ing) out|answers?\b|timeout|outage|unavailable|unreachable|malfunction|misconfigur|"
    r"down\b(?! (?:to|from)\b)|stuck|wrong|bad|expir|crash|fault)\w*",
    re.IGNORECASE,
)
ASKED_TO = re.compile(
    r"\b(?:ask|tell|have|get)\b.*\bto (?!look|check|compare|confirm|verify|say|tell|explain|review|watch|see|find|"
    r"measure|inspect|report)\w+",
    re.IGNORECASE,
)

USUALLY = re.compile(r"\b(?:usual(?:ly)?|normal(?:ly)?|typical(?:ly)?|as a rule|baseline|ordinarily)\b", re.IGNORECASE)
COUNTED = re.compile(
    r"(?P<figure>(?:EUR|USD|GBP|[€$£])\s?[\d,.]*\d(?=.{0,30}\b(?:lost|stolen|gone|refunded|missing)\b)|\d[\d,.]*(?:\s?%)?)"
    r"(?:\s(?:new|more|fewer|other|first|of|the|all|those|these|has|have|had|is|are|was|were|been))*\s"
    r"(?P<what>cards?|authorisations?|approvals?|attempts?|payments?|lines?|orders?|customers?|merchants?|transactions?|"
    r"issuers?|acquirers?|declines?|retries|errors?|messages?|refunds?|traffic|volume|loss(?:es)?|lost|stolen|gone|refunded|"
    r"missing|cardholders?|people|calls?|terminals?|shops?)\b"
)
