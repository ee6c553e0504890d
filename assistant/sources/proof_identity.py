"""Credentials whose owner tells what they may do: Slack's scopes, Grafana's permissions, Kubernetes' rules."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from assistant.errors import SettingsError, SourceError
from assistant.settings import Endpoint, Slack
from assistant.sources.attestation import Check
from assistant.sources.guarded_http import GuardedSession, accepted, decoded
from assistant.sources.readonly_http import ReadOnlySession
from assistant.sources.reads import Read

CREDENTIALS = "see deploy/CREDENTIALS.md"
SCOPES = frozenset({"app_mentions:read", "chat:write", "commands", "im:history", "assistant:write"})
OPTIONAL = frozenset({"channels:history", "groups:history", "files:write"})
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
CLUSTER = "https://kubernetes.default.svc"
_REVIEWS = "/apis/authorization.k8s.io/v1/"
_WRITES = ("create", "update", "patch", "delete", "deletecollection", "escalate", "bind", "impersonate")
_ASKED = ("pods", "deployments", "configmaps", "secrets")
_HARMLESS = frozenset({"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"})
_GRAFANA_READS = ("read", "query", "list")


def slack_check(slack: Slack) -> Check:
    """`auth.test` answers the granted scopes: exactly those of the manifest, or it is not proven."""
    try:
        endpoint = Endpoint(url=slack.url, bearer_env=slack.bot_token_env, bearer_file=slack.bot_token_file)
        session = ReadOnlySession("slack", endpoint, (Read("/auth.test"),))
        answer = accepted("slack", session.get(session.base + "/auth.test"))
        document = decoded("slack", answer)
    except SourceError as error:
        return Check("slack", "scopes", "unproven", f"auth.test: {error.message}", CREDENTIALS)
    except SettingsError as error:
        return Check("slack", "scopes", "unproven", error.message, error.mend)
    if not isinstance(document, Mapping) or document.get("ok") is not True:
        return Check("slack", "scopes", "unproven", "auth.test: not ok", "check the bot token")
    granted = frozenset(s.strip() for s in answer.headers.get("x-oauth-scopes", "").split(",") if s.strip())
    more, less = sorted(granted - SCOPES - OPTIONAL), sorted(SCOPES - granted)
    told = f"auth.test, x-oauth-scopes: {','.join(sorted(granted)) or 'none'}"
    if more:
        mend = f"remove {', '.join(more)} (deploy/slack-manifest.yaml) and install the app again"
        return Check("slack", "scopes", "writable", told, mend)
    if less:
        return Check("slack", "scopes", "unproven", told, f"{', '.join(less)} not granted: install the app again")
    return Check("slack", "scopes", "read-only", told)


def grafana_check(server: str, endpoint: Endpoint) -> Check | None:
    """A url through Grafana's data source proxy uses a Grafana token: its permissions are the credential's."""
    root, proxied, _ = endpoint.url.partition("/api/datasources/")
    if not proxied:
        return None
    try:
        path = "/api/access-control/user/permissions"
        session = ReadOnlySession(server, _at(endpoint, root), (Read(path),))
        actions = session.get_json(path)
    except SourceError as error:
        return Check(server, "grafana permissions", "unproven", f"GET {path}: {error.message}", CREDENTIALS)
    if not isinstance(actions, Mapping):
        return Check(server, "grafana permissions", "unproven", f"GET {path}: not of the API's shape", CREDENTIALS)
    names = sorted(str(a) for a in actions)
    writes = [a for a in names if a.rpartition(":")[2] not in _GRAFANA_READS]
    if writes:
        told = f"GET {path}: {len(writes)} of {len(names)} actions write, {', '.join(writes[:5])}"
        return Check(server, "grafana permissions", "writable", told, f"make it a Viewer, {CREDENTIALS}")
    return Check(server, "grafana permissions", "read-only", f"GET {path}: {len(names)} actions, all read")


def kubernetes_check(*, account: Path = ACCOUNT, cluster: str = CLUSTER) -> Iterable[Check]:
    """The service account mounted into our pod, if there is one: what the cluster lets it do. Reviews store nothing."""
    if not (account / "token").is_file():
        return
    try:
        namespace = (account / "namespace").read_text().strip()
        endpoint = Endpoint(url=cluster, bearer_file=str(account / "token"), ca_file=str(account / "ca.crt"))
        session = ReviewSession(endpoint)
        rules, incomplete = session.rules(namespace)
        allowed = _written(rules)
        if not allowed and incomplete:
            allowed = [f"{v} {r}" for r in _ASKED for v in _WRITES[:5] if session.allowed(v, r, namespace)]
    except (OSError, SourceError, KeyError, TypeError) as error:
        reason = error.message if isinstance(error, SourceError) else type(error).__name__
        yield Check("kubernetes", "rules", "unproven", f"SelfSubjectRulesReview: {reason}", CREDENTIALS)
        return
    if allowed:
        told = f"SelfSubjectRulesReview: may {', '.join(allowed[:5])}"
        yield Check("kubernetes", "rules", "writable", told, f"bind no such Role, {CREDENTIALS}")
        return
    asked = " and SelfSubjectAccessReview for each write verb" if incomplete else ""
    yield Check("kubernetes", "rules", "read-only", f"SelfSubjectRulesReview{asked}: no write verb")


class ReviewSession(GuardedSession):
    """The two review calls of the authorization API, and only bodies that ask about ourselves."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__("kubernetes", endpoint)

    def permitted(self, method: str, path: str, params: frozenset[str], body: bytes) -> bool:
        kind = path.removeprefix(_REVIEWS)
        return method == "POST" and not params and path.startswith(_REVIEWS) and _asks_about_us(kind, body)

    def rules(self, namespace: str) -> tuple[list[Mapping[str, Any]], bool]:
        """Resource rules, and whether the cluster says that there may be more."""
        status = self._review("selfsubjectrulesreviews", "SelfSubjectRulesReview", {"namespace": namespace})
        return list(status["resourceRules"]), bool(status.get("incomplete"))

    def allowed(self, verb: str, resource: str, namespace: str) -> bool:
        group = "apps" if resource == "deployments" else ""
        what = {"namespace": namespace, "verb": verb, "resource": resource, "group": group}
        spec = {"resourceAttributes": what}
        return bool(self._review("selfsubjectaccessreviews", "SelfSubjectAccessReview", spec)["allowed"])

    def _review(self, path: str, kind: str, spec: Mapping[str, Any]) -> Mapping[str, Any]:
        body = json.dumps({"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec})
        answer = self.post(self.base + _REVIEWS + path, data=body, headers={"Content-Type": "application/json"})
        if answer.status_code == 201:
            answer.status_code = 200
        status: Mapping[str, Any] = decoded("kubernetes", accepted("kubernetes", answer))["status"]
        return status


def _asks_about_us(path: str, body: bytes) -> bool:
    kinds = {"selfsubjectrulesreviews": "SelfSubjectRulesReview", "selfsubjectaccessreviews": "SelfSubjectAccessReview"}
    try:
        document = json.loads(body)
    except ValueError:
        return False
    return path in kinds and isinstance(document, dict) and document.get("kind") == kinds[path]


def _written(rules: Iterable[Mapping[str, Any]]) -> list[str]:
    return [
        f"{verb} {resource}"
        for rule in rules
        for resource in rule.get("resources", [])
        if resource not in _HARMLESS
        for verb in rule["verbs"]
        if verb in _WRITES or verb == "*"
    ]


def _at(endpoint: Endpoint, url: str) -> Endpoint:
    return replace(endpoint, url=url, prefix="")
