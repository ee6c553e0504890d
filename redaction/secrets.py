"""Secrets by their shape: keys of the usual providers, bearer and JWT, credentials in URLs, private keys, webhooks.

Shapes are the providers' own published prefixes and lengths. Secrets without a shape are found by their key (`keys`).
"""

# ruff: noqa: E501  a table of patterns reads best with one in a row
from __future__ import annotations

import re
from collections.abc import Iterator

from redaction import provider_keys
from redaction.cards import Hit

# name, pattern. Group 1, where there is one, is what goes; else the whole match. The trigger is the pattern's own head.
_SHAPES: tuple[tuple[str, str, str], ...] = (
    ("aws_access_key", r"(?:AKIA|ASIA|ABIA|ACCA)", r"(?<![A-Z0-9])(?:AKIA|ABIA|ACCA|ASIA(?=[A-Z]{0,15}[0-9]))[A-Z0-9]{16}(?![A-Z0-9])"),
    ("github", r"gh[pousr]_", r"gh[pousr]_[A-Za-z0-9]{30,255}(?:[._\-][A-Za-z0-9_\-]{8,1024}){0,4}"),
    ("github", r"github_pat_", r"github_pat_[A-Za-z0-9_]{22,255}"),
    ("gitlab", r"gl(?:pat|ptt|rtr?|dt|cbt|ft|ffct|soat|agent|imt|oas|wt)-", r"gl(?:pat|ptt|rtr?|dt|cbt|ft|ffct|soat|agent|imt|oas|wt)-[A-Za-z0-9_.\-]{16,320}"),
    ("slack", r"xox[a-z]", r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9%\-]{10,512}"),
    ("slack", r"xapp-", r"xapp-[0-9]-[A-Za-z0-9\-]{8,255}"),
    ("slack_webhook", r"hooks\.slack\.com/", r"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9_/\-]{16,255})"),
    ("discord_webhook", r"/api/webhooks/", r"discord(?:app)?\.com/api/webhooks/([0-9]{15,22}/[A-Za-z0-9_\-]{40,128})"),
    ("teams_webhook", r"webhook\.office\.com/|logic\.azure\.com", r"(?:webhook\.office\.com/webhookb2/|logic\.azure\.com(?::443)?/workflows/)([^\s\"'<>]{16,512})"),
    ("pagerduty_webhook", r"events\.pagerduty\.com/integration/", r"events\.pagerduty\.com/integration/([A-Za-z0-9]{20,64})"),
    ("telegram", r":AA[A-Za-z0-9_\-]", r"(?<![0-9A-Za-z])(?:bot)?([0-9]{8,10}:AA[A-Za-z0-9_\-]{32,34})"),
    ("stripe", r"[srp]k_(?:org_)?(?:live|test)_", r"(?<![A-Za-z])[srp]k_(?:org_)?(?:live|test)_[A-Za-z0-9]{10,255}"),
    ("payment_key", r"[sp]k_(?:test_|sbox_)?[0-9a-f]{8}|klarna_|[TL]_[SC]_[0-9a-f]{8}", r"(?<![A-Za-z0-9])(?:[sp]k_(?:test_|sbox_)?|[TL]_[SC]_)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[sp]k_sbox_[a-z0-9]{20,64}|klarna_(?:live|test)_api_[A-Za-z0-9_\-]{16,255}"),
    ("webhook_secret", r"whsec_", r"whsec_[A-Za-z0-9+/=_\-]{16,255}"),
    ("model_provider", r"sk-", r"(?<![A-Za-z0-9_\-])sk-(?=[A-Za-z0-9_\-]{0,64}[0-9])(?:(?:proj|svcacct|admin|ant|or|api[0-9]{2}|v[0-9]|None|service)-){0,3}(?:[A-Za-z0-9_\-]{0,24}[\-_])?[A-Za-z0-9]{16}[A-Za-z0-9_\-]{0,255}"),
    ("google", r"AIza", r"AIza[A-Za-z0-9_\-]{35}"),
    ("google_oauth", r"ya29\.|GOCSPX-", r"ya29\.[A-Za-z0-9_\-]{20,512}|GOCSPX-[A-Za-z0-9_\-]{20,64}"),
    ("sendgrid", r"SG\.", r"SG\.[A-Za-z0-9_\-]{16,64}\.[A-Za-z0-9_\-]{16,128}"),
    ("mailgun", r"key-[0-9a-f]", r"(?<![A-Za-z0-9\-])key-[0-9a-f]{32}"),
    ("mailchimp", r"-us[0-9]", r"(?<![0-9a-f])[0-9a-f]{32}-us[0-9]{1,2}"),
    ("twilio", r"(?:SK|AC)[0-9a-f]{4}", r"(?<![A-Za-z0-9])(?:SK|AC)[0-9a-f]{32}(?![0-9A-Za-z])"),
    ("shopify", r"shp(?:at|ca|pa|ss)_", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    ("square", r"sq0[a-z]{3}-|EAAA", r"sq0[a-z]{3}-[A-Za-z0-9_\-]{20,64}|(?<![A-Za-z0-9])EAAA[A-Za-z0-9_\-]{56,64}"),
    ("adyen", r"AQE", r"(?<![A-Za-z0-9])AQE[a-z]h[A-Za-z0-9+/=\-]{40,512}"),
    ("npm", r"npm_", r"npm_[A-Za-z0-9]{36}"),
    ("pypi", r"pypi-", r"pypi-[A-Za-z0-9_\-]{50,512}"),
    ("rubygems", r"rubygems_", r"rubygems_[0-9a-f]{48}"),
    ("docker", r"dckr_", r"dckr_(?:pat|oat)_[A-Za-z0-9_\-]{20,64}"),
    ("huggingface", r"hf_", r"(?<![A-Za-z0-9_])hf_[A-Za-z]{30,40}"),
    ("grafana", r"gl(?:sa|c)_", r"gl(?:sa|c)_[A-Za-z0-9_+/=]{24,512}"),
    ("vault", r"hv[sbr]\.", r"hv[sbr]\.[A-Za-z0-9_\-]{20,255}"),
    ("digitalocean", r"do[opr]_v1_", r"do[opr]_v1_[0-9a-f]{64}"),
    ("doppler", r"dp\.(?:pt|st|ct|sa|scim|audit)\.", r"dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9_.\-]{32,128}"),
    ("atlassian", r"AT(?:ATT|CTT|BB)", r"AT(?:ATT|CTT)3x[A-Za-z0-9_\-=]{40,255}|ATBB[A-Za-z0-9]{28,40}"),
    ("linear", r"lin_api_", r"lin_(?:api|oauth)_[A-Za-z0-9]{32,64}"),
    ("newrelic", r"NRAK-|NRII-", r"NR(?:AK|II|JS|RA)-[A-Za-z0-9]{20,64}"),
    ("postman", r"PMAK-", r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    ("databricks", r"dapi[0-9a-f]", r"(?<![A-Za-z0-9])dapi[0-9a-f]{32}(?:-[0-9])?"),
    ("terraform", r"\.atlasv1\.", r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_\-=]{60,80}"),
    ("firebase", r":APA91b", r"[A-Za-z0-9_\-]{8,64}:APA91b[A-Za-z0-9_\-]{60,255}"),
    ("facebook", r"EAA[A-Z]", r"(?<![A-Za-z0-9])EAA[A-Z][A-Za-z0-9]{40,255}"),
    ("opsgenie", r"(?i)geniekey\s", r"(?i)geniekey\s{1,2}([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"),
    ("password_hash", r"\$(?:2[abxy]|apr1|1|5|6|y|argon2id?|argon2i)\$", r"\$2[abxy]\$[0-9]{2}\$[./A-Za-z0-9]{53}|\$(?:apr1|1|5|6|y|argon2id?)\$[./A-Za-z0-9$=,+]{16,255}"),
    ("age_key", r"AGE-SECRET-KEY-", r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    ("azure_client", r"[0-9]Q~", r"[A-Za-z0-9_~.\-]{3}[0-9]Q~[A-Za-z0-9_~.\-]{31,34}"),
    ("signed_url", r"(?i)[?&](?:x-amz-signature|x-goog-signature|sig|signature)=", r"(?i)[?&](?:x-amz-signature|x-goog-signature|sig|signature)=([A-Za-z0-9%+/=_\-]{16,512})"),
    ("jwt", r"eyJ", r"(?<![A-Za-z0-9\-])eyJ[A-Za-z0-9_\-]{8,2048}\.[A-Za-z0-9_\-]{4,8192}(?:\.[A-Za-z0-9_\-]{0,8192}){0,3}"),
    ("bearer", r"(?i)(?:bearer|token)\s", r"(?i)(?<![A-Za-z])bearer[ \t:=]{1,8}((?=[A-Za-z._~+/\-]{0,64}[0-9]|[A-Za-z]{24}|[A-Za-z]{0,64}(?-i:[a-z][A-Z]))[A-Za-z0-9._~+/\-]{8,8192}={0,2})"),
    ("basic", r"(?i)basic\s", r"(?i)(?<![A-Za-z])basic[ \t]{1,3}((?=[A-Za-z0-9+/]{0,512}[A-Z0-9+/=])[A-Za-z0-9+/]{8,512}={0,2})(?![A-Za-z0-9])"),
    ("url_password", r"://[^\s/@\"'<>]{0,256}@", r"://([^\s/@:\"'<>]{0,128}:[^\s/@\"'<>]{1,256})@"),
    ("dsn_password", r"@(?:tcp|unix)\(", r"(?<![\w/:])[\w.\-]{1,64}:([^\s:@/\"']{1,128})@(?:tcp|unix)\("),
    ("private_key", r"PRIVATE KEY", r"-----BEGIN[A-Z0-9 ]{1,40}PRIVATE KEY(?: BLOCK)?(?:-----)?(?:(?!-----BEGIN)[\s\S]){0,16384}?(?:-----END (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----|(?=-----BEGIN)|\Z)"),
    ("key_body", r"[^A-Za-z0-9+/][A-Za-z0-9+/]{64}[^A-Za-z0-9+/]", r"(?m)^[ \t]{0,8}((?=[^\n]{0,63}[A-Z])(?=[^\n]{0,63}[g-z])(?=[^\n]{0,63}[0-9])[A-Za-z0-9+/]{64})$"),
)  # fmt: skip

_ALL = (*_SHAPES, *provider_keys.SHAPES)
NAMES = tuple(dict.fromkeys(name for name, _, _ in _ALL))


class SecretShape:
    """One provider's shapes, as a rule of its own."""

    def __init__(self, name: str) -> None:
        mine = [(head, pattern) for n, head, pattern in _ALL if n == name]
        self.name = name
        self.triggers = tuple(head for head, _ in mine)
        self._patterns = tuple(re.compile(pattern) for _, pattern in mine)

    def find(self, text: str) -> Iterator[Hit]:
        for pattern in self._patterns:
            for match in pattern.finditer(text):
                group = match.lastindex or 0  # the one that took part
                value = match[group]
                if not value.startswith("<") and set(value) - {"*", "x", "X", ":"}:
                    yield Hit(match.start(group), match.end(group), "SECRET", value, self.name)


def shapes() -> tuple[SecretShape, ...]:
    return tuple(SecretShape(name) for name in NAMES)
