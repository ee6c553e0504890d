"""Settings: one TOML file, and the environment for secrets. The only module that reads the environment.

Each table of `payops.toml` is a frozen dataclass here: its fields are the keys, their types are checked, an unknown key
is one line naming file and line. Secrets never stand in the file: a key `*_env` names an environment variable and a key
`*_file` a file, read when used by `secret()`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from assistant.errors import SettingsError
from assistant.toml_tables import Where, build


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is kept. `repr` shows the place, never the value."""

    env: str = ""
    file: str = ""

    def read(self) -> str:
        """The value, stripped, or "" where no place is named. SettingsError if it is not there."""
        if self.env:
            value = os.environ.get(self.env, "")
            if not value:
                raise SettingsError(f"environment variable {self.env} is empty", mend="set it, or name another")
            return value.strip()
        if self.file:
            try:
                return Path(self.file).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise SettingsError(f"secret file {self.file}: {error.strerror}", mend="check path and mode") from None
        return ""

    def __bool__(self) -> bool:
        return bool(self.env or self.file)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that is read. `prefix` goes between url and API path (Mimir `/prometheus`); `headers` are not secret."""

    url: str = ""
    prefix: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    bearer_env: str = ""
    bearer_file: str = ""
    basic_user: str = ""
    basic_password_env: str = ""
    basic_password_file: str = ""
    ca_file: str = ""
    client_cert_file: str = ""
    client_key_file: str = ""
    insecure_skip_verify: bool = False
    use_environment_proxy: bool = False
    timeout_s: float = 8.0
    max_bytes: int = 32 * 1024 * 1024
    max_series: int = 2000
    max_points: int = 6000
    max_lines: int = 5000
    max_range_s: int = 24 * 3600
    concurrency: int = 4

    def bearer(self) -> Secret:
        return Secret(self.bearer_env, self.bearer_file)

    def basic_password(self) -> Secret:
        return Secret(self.basic_password_env, self.basic_password_file)


@dataclass(frozen=True, slots=True)
class AlertmanagerEndpoint(Endpoint):
    """`poll_s`: seconds between two looks for alerts that no webhook brought (0: never); `receiver`: only alerts that
    are routed to this receiver count ("" all of them)."""

    poll_s: float = 60.0
    receiver: str = ""


@dataclass(frozen=True, slots=True)
class LokiEndpoint(Endpoint):
    """`labels` overrides the guessed mapping of roles (service, level) to stream labels."""

    tenant: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Changes:
    """Places that tell of changes: a JSON file, a URL, Loki selectors, and metrics by default."""

    url: str = ""
    file: str = ""
    bearer_env: str = ""
    bearer_file: str = ""
    loki: tuple[str, ...] = ()
    metrics: bool = True
    timeout_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Payments:
    """Overrides of guessed roles: `metrics.attempts = "authorisations_total"`, `labels.issuer = "iss"`, …"""

    metrics: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    approved: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The language model. `url` empty means none. A remote one starts only when region, retention, contract and owner
    are stated; they stand in every record. Prices are per million tokens, in `currency`. Azure OpenAI wants its key in
    `key_header = "api-key"`, and an `api_version` where the url names a deployment.

    A candidate beside the live one is named by any `shadow_*` key: another model, a folder of prompt files
    (`shadow_prompts`), or other settings; what it does not name is as the live one has it. Its budgets are its own."""

    url: str = ""
    name: str = ""
    fallback_url: str = ""
    fallback_name: str = ""
    key_env: str = ""
    key_file: str = ""
    key_header: str = "authorization"
    api_version: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    api: str = "chat"
    response_format: str = "auto"
    temperature: float | None = 0.0
    seed: int | None = 7
    reasoning_effort: str = ""
    context_tokens: int = 32_000
    timeout_s: float = 25.0
    max_calls: int = 8
    max_tokens_incident: int = 200_000
    max_tokens_day: int = 5_000_000
    max_cost_incident: float = 2.0
    max_cost_day: float = 50.0
    price_in: float = 0.0
    price_out: float = 0.0
    currency: str = "USD"
    region: str = ""
    retention: str = ""
    contract: str = ""
    owner: str = ""
    shadow_url: str = ""
    shadow_name: str = ""
    shadow_prompts: str = ""
    shadow_temperature: float | None = None
    shadow_seed: int | None = None
    shadow_response_format: str = ""
    shadow_reasoning_effort: str = ""
    shadow_max_tokens_day: int = 0
    shadow_max_cost_day: float = 0.0
    fallback_key_env: str = ""
    fallback_key_file: str = ""
    shadow_key_env: str = ""
    shadow_key_file: str = ""
    ca_file: str = ""

    def key(self) -> Secret:
        return Secret(self.key_env, self.key_file)

    def has_shadow(self) -> bool:
        """Whether anything says that a candidate runs beside the live model. A budget alone does not."""
        named = (self.shadow_name, self.shadow_url, self.shadow_prompts)
        other = (self.shadow_response_format, self.shadow_reasoning_effort)
        return any((*named, *other)) or self.shadow_temperature is not None or self.shadow_seed is not None


@dataclass(frozen=True, slots=True)
class SlackRoutes:
    """`channels` maps a matcher such as `team="payments"` (or "default") to a channel id; `may_query` maps a channel id
    to the selectors its people may ask about (empty: everything)."""

    channels: Mapping[str, str] = field(default_factory=dict)
    may_query: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Slack:
    """Slack. `mode` is "socket" or "http"; `quiet` records and posts nothing but cases for `security_channel` and the
    weekly report for `report_channel`. `users` and `channels` say who may ask where (empty: everybody, everywhere);
    `allow_connect` lets people of other workspaces ask; `identities` maps Slack ids to a directory's names.
    """

    url: str = "https://slack.com/api/"
    mode: str = "socket"
    bot_token_env: str = ""
    bot_token_file: str = ""
    app_token_env: str = ""
    app_token_file: str = ""
    signing_secret_env: str = ""
    signing_secret_file: str = ""
    routes: SlackRoutes = field(default_factory=SlackRoutes)
    security_channel: str = ""
    report_channel: str = ""
    users: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    quiet: bool = False
    allow_connect: bool = False
    identities: Mapping[str, str] = field(default_factory=dict)

    def bot_token(self) -> Secret:
        return Secret(self.bot_token_env, self.bot_token_file)

    def app_token(self) -> Secret:
        return Secret(self.app_token_env, self.app_token_file)

    def signing_secret(self) -> Secret:
        return Secret(self.signing_secret_env, self.signing_secret_file)


@dataclass(frozen=True, slots=True)
class Runbooks:
    """Runbook folders beside the shipped ones; `url` of a Chroma server, else embedded under the state directory."""

    dirs: tuple[str, ...] = ()
    git: tuple[str, ...] = ()
    shipped: bool = True
    url: str = ""
    weights_dir: str = ""
    dense: bool = True


@dataclass(frozen=True, slots=True)
class RedactionSettings:
    """`policy` is a TOML file that replaces the shipped one."""

    policy: str = ""
    vocabulary: str = ""
    spacy_model: str = ""
    security_channel: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """The prompt log. `url` empty means SQLite under the state directory; `checkpoints` are places the bot cannot
    rewrite: a directory, `https://…` (PUT), `s3+https://…`, `witness+https://…`, `tsa+https://…`, `syslog://host:port`,
    `webhook+https://…` (forms in `promptlog/places.py`). A URL with a password is a
    secret: name the place where it is kept."""

    url: str = ""
    url_env: str = ""
    url_file: str = ""
    origin: str = "payops.example/promptlog"
    signing_key_file: str = ""
    signing_key_command: str = ""
    body_key_file: str = ""
    body_key_command: str = ""
    checkpoints: tuple[str, ...] = ()
    outside_checkpoint: str = ""
    checkpoint_every_s: float = 60.0
    hot_months: int = 3
    retain_months: int = 12
    otel_url: str = ""
    otel_bearer_env: str = ""
    otel_bearer_file: str = ""

    def otel_bearer(self) -> Secret:
        return Secret(self.otel_bearer_env, self.otel_bearer_file)

    def database(self) -> str:
        """The `postgresql://` URL, or "" for SQLite. SettingsError where its secret is not there."""
        return self.url or Secret(self.url_env, self.url_file).read()


@dataclass(frozen=True, slots=True)
class Web:
    """Two listeners: the webhook and the console. `url` is how people reach the console. `login` is "none" (loopback
    only), "oidc" or "proxy"; `roles` maps responder, commander and auditor to the groups that give them. `oidc_hosts`
    are hosts beside the issuer's own at which its endpoints may be. A session ends after `session_idle_s` without use
    (PCI DSS 8.2.8: 15 minutes) and `session_max_s` in any case. `proxy_addresses` are addresses or networks."""

    url: str = ""
    console_host: str = "127.0.0.1"
    console_port: int = 8787
    webhook_host: str = "127.0.0.1"
    webhook_port: int = 8788
    webhook_token_env: str = ""
    webhook_token_file: str = ""
    max_body_bytes: int = 4 * 1024 * 1024
    login: str = "none"
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret_env: str = ""
    oidc_client_secret_file: str = ""
    oidc_groups_claim: str = "groups"
    oidc_scopes: tuple[str, ...] = ("openid", "profile", "email")
    oidc_hosts: tuple[str, ...] = ()
    oidc_ca_file: str = ""
    proxy_user_header: str = ""
    proxy_groups_header: str = ""
    proxy_addresses: tuple[str, ...] = ()
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    session_key_env: str = ""
    session_key_file: str = ""
    session_idle_s: float = 900.0
    session_max_s: float = 28_800.0

    def webhook_token(self) -> Secret:
        return Secret(self.webhook_token_env, self.webhook_token_file)

    def oidc_client_secret(self) -> Secret:
        return Secret(self.oidc_client_secret_env, self.oidc_client_secret_file)

    def session_key(self) -> Secret:
        return Secret(self.session_key_env, self.session_key_file)


@dataclass(frozen=True, slots=True)
class Workflow:
    """Durable work. `url` empty means SQLite under the state directory; a `postgresql://` URL is shared by replicas."""

    url: str = ""
    url_env: str = ""
    url_file: str = ""
    concurrency: int = 8
    heartbeat_s: float = 5.0
    takeover_s: float = 20.0
    reopen_s: float = 1800.0
    lead_s: float = 600.0
    baseline_s: float = 3600.0
    deadline_s: float = 60.0
    retain_days: int = 400

    def database(self) -> str:
        """The `postgresql://` URL, or "" for SQLite. SettingsError where its secret is not there."""
        return self.url or Secret(self.url_env, self.url_file).read()


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything. `file` is where it was read from; `state` the directory under which all state is kept."""

    prometheus: Endpoint = field(default_factory=Endpoint)
    alertmanager: AlertmanagerEndpoint = field(default_factory=AlertmanagerEndpoint)
    loki: LokiEndpoint = field(default_factory=LokiEndpoint)
    changes: Changes = field(default_factory=Changes)
    payments: Payments = field(default_factory=Payments)
    model: ModelSettings = field(default_factory=ModelSettings)
    slack: Slack = field(default_factory=Slack)
    runbooks: Runbooks = field(default_factory=Runbooks)
    redaction: RedactionSettings = field(default_factory=RedactionSettings)
    log: Log = field(default_factory=Log)
    web: Web = field(default_factory=Web)
    workflow: Workflow = field(default_factory=Workflow)
    allow_writable_credentials: bool = False
    file: str = ""
    state: Path = Path(".state")


def load_settings(config: Path | None = None, *, state: Path | None = None) -> Settings:
    """Read `config`, else `payops.toml` in the working directory if there is one, else the defaults.

    `state` defaults to `$PAYOPS_STATE`, else `.state`. SettingsError names file, line and mend.
    """
    path = config or (Path("payops.toml") if Path("payops.toml").is_file() else None)
    state = state or Path(os.environ.get("PAYOPS_STATE") or ".state")
    if path is None:
        return Settings(state=state)
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}", mend="check the path given to --config") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: not UTF-8", mend="save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not TOML: {error}", mend="mend that line") from None
    where = Where(str(path), text)
    built = build(Settings, table, where=where, internal=frozenset({"file", "state"}))
    if where.errors:
        where.errors[0].also = tuple(where.errors[1:])
        raise where.errors[0]
    return replace(built, file=str(path), state=state)


def quiet_telemetry() -> None:
    """Switch off what libraries would ship out unlogged. Call before any of them is imported."""
    for name in ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING_V2", "LANGCHAIN_TRACING"):
        os.environ[name] = "false"
    for name in ("LANGSMITH_API_KEY", "LANGCHAIN_API_KEY", "LANGSMITH_ENDPOINT", "LANGCHAIN_ENDPOINT"):
        os.environ.pop(name, None)
    os.environ["ANONYMIZED_TELEMETRY"] = "False"
    os.environ["CHROMA_OTEL_COLLECTION_ENDPOINT"] = ""
    os.environ["DO_NOT_TRACK"] = "1"
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["OTEL_SDK_DISABLED"] = "true"
