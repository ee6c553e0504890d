"""The words and shapes that diffs and symptoms are read by: which symptom a text speaks of, which symptoms a mechanism
can produce, and which lines of code touch a limit, a lock, a timeout and so on. Tables only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

SYMPTOMS: Mapping[str, re.Pattern[str]] = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        "latency": r"latency|duration|p9\d|slow|took|response.?time",
        "timeout": r"time[d ]?.?out|deadline|too long|no response",
        "query": r"\bselect\b|quer(y|ies)|rows|\bdb_|database|\bsql\b|full.?scan|index",
        "memory": r"memory|\brss\b|heap|oom|\bgc\b|garbage",
        "disk": r"disk|no space|volume|inode|read-only file",
        "volume": r"throughput|_lps|log.?write|bytes_written|ingest|egress",
        "race": r"concurrent|data race|race condition|deadlock|mutex|lock (wait|content)|goroutine",
        "panic": r"panic|fatal|crash|segfault|nil pointer|null ?pointer|typeerror|undefined|exception|restart",
        "missing": r"not found|missing|unknown|unregistered|no such|not registered|lookup failed|cannot find|404",
        "pool": r"pool|too many (open|connections|clients)|connections?_|exhaust|file descriptors|fds|leak|sockets?",
        "retry": r"retr(y|ies)|amplif|requests_per_sec|rps|qps|storm|thundering|duplicate",
        "auth": r"unauthori[sz]ed|forbidden|denied|\b40[13]\b|signature|token|permission|credential|jwt|scope|login",
        "tls": r"x509|tls|ssl|certificate|handshake",
        "parse": r"pars(e|ing)|unmarshal|decod|deserial|schema|malformed|invalid|field|out of range|format|"
        r"validation|mismatch",
        "queue": r"\blag\b|backlog|queue|consumer|oldest|offset|rebalanc",
        "cpu": r"cpu|throttl|load_?avg|saturat",
        "cache": r"cache|hit.?rat|miss|evict|stale|ttl",
        "config": r"config|setting|env(ironment)? var|flag|feature",
        "network": r"connection (refused|reset)|unreachable|dns|resolve|broken pipe|route",
        "data": r"incorrect|wrong|negative|mismatch|double|rounding|currency|total|amount|checksum|corrupt",
    }.items()
}

PRODUCES: Mapping[str, Mapping[str, float]] = {
    "call in a loop": {"query": 1.0, "latency": 0.8, "retry": 0.5, "timeout": 0.6, "cpu": 0.4, "pool": 0.6,
        "volume": 0.4},
    "limit removed": {"latency": 0.7, "query": 0.8, "memory": 0.9, "timeout": 0.6, "cpu": 0.6, "pool": 0.6,
        "queue": 0.5, "retry": 0.5, "disk": 0.6},
    "only grows": {"memory": 1.0, "disk": 0.6, "panic": 0.3, "latency": 0.3, "cpu": 0.3},
    "lock removed": {"race": 1.0, "panic": 0.7, "data": 0.7, "retry": 0.4},
    "lock added": {"latency": 0.7, "race": 0.9, "timeout": 0.7, "cpu": 0.4, "pool": 0.5, "queue": 0.5},
    "call removed": {"missing": 0.9, "panic": 0.5, "auth": 0.4, "parse": 0.4, "data": 0.5, "cache": 0.5, "config": 0.4,
        "queue": 0.5},
    "release removed": {"pool": 1.0, "memory": 0.6, "timeout": 0.6, "latency": 0.4, "race": 0.4},
    "acquired, not released": {"pool": 0.9, "memory": 0.5, "timeout": 0.5, "latency": 0.4},
    "guard removed": {"panic": 0.9, "parse": 0.6, "missing": 0.4, "data": 0.5, "auth": 0.4},
    "timeout changed": {"timeout": 1.0, "latency": 0.7, "pool": 0.6, "retry": 0.5, "network": 0.5, "queue": 0.4},
    "retry changed": {"retry": 1.0, "latency": 0.5, "timeout": 0.5, "cpu": 0.5, "volume": 0.5, "queue": 0.5,
        "pool": 0.5},
    "logging raised": {"volume": 1.0, "disk": 1.0, "cpu": 0.4, "latency": 0.3},
    "capacity lowered": {"pool": 1.0, "memory": 0.8, "timeout": 0.6, "latency": 0.6, "queue": 0.7, "cpu": 0.6,
        "panic": 0.3},
    "value changed": {"config": 0.6, "latency": 0.4, "timeout": 0.4, "pool": 0.5, "memory": 0.4, "queue": 0.4,
        "cpu": 0.4, "retry": 0.3, "cache": 0.5, "data": 0.5, "network": 0.3, "volume": 0.4},
    "query changed": {"query": 0.8, "latency": 0.6, "timeout": 0.5, "missing": 0.4, "cpu": 0.5, "data": 0.4,
        "race": 0.4},
    "name changed": {"missing": 0.8, "parse": 0.9, "config": 0.6, "panic": 0.4, "data": 0.5, "auth": 0.4,
        "network": 0.4, "queue": 0.5},
    "access changed": {"auth": 1.0, "missing": 0.3, "network": 0.3},
    "tls changed": {"tls": 0.8, "network": 0.4, "auth": 0.3},
    "cache changed": {"cache": 1.0, "latency": 0.5, "query": 0.5, "memory": 0.4, "cpu": 0.3},
    "concurrency unbounded": {"memory": 0.8, "cpu": 0.7, "pool": 0.8, "race": 0.5, "latency": 0.4, "retry": 0.4},
    "address changed": {"network": 1.0, "missing": 0.4, "timeout": 0.5, "tls": 0.3},
    "unit changed": {"timeout": 0.7, "data": 0.8, "latency": 0.5, "cache": 0.6},
    "slow work added": {"latency": 0.7, "cpu": 0.9, "timeout": 0.5},
    "dependency raised": {"panic": 0.2, "parse": 0.2, "tls": 0.15},
}  # fmt: skip

CALL = re.compile(r"([A-Za-z_][\w]*)\s*\(")
NUMBER = re.compile(r"(?<![\w.])\d[\d_.]*(?:[a-z%]{1,4})?")
STRING = re.compile(r"\"([^\"\n]{1,80})\"|'([^'\n]{1,80})'|`([^`\n]{1,80})`")
LOOP = re.compile(r"^\s*(for|while)\b|\.(forEach|map|flatMap|each)\(|\bfor\b .* (in|of|range)\b")
REMOTE = re.compile(
    r"(?i)\b(get|fetch|query|find|load|lookup|exec|call|send|post|read|list|resolve|select)\w*\(|\b(http|"
    r"grpc|client|db|repo|redis|cache|conn|api|store|session)\w*\.\w+\(|await "
)
LIMIT = re.compile(
    r"(?i)\blimit\b\s*\(?\s*\d*|max_?[a-z]*|page_?size|\[:\w+\]|\bevict|\bcap\(|top_?k|batch_?size|bounded|"
    r"lru|truncate|rate_?limit|semaphore|throttle|maxlen"
)
LOCK = re.compile(
    r"(?i)\b(r?lock|mutex|synchronized|rwmutex|atomic|for update|semaphore|acquire)\b|\.lock\(|\.unlock\(|sync\."
)
RELEASE = re.compile(
    r"(?i)\.(close|release|cancel|dispose|stop|unlock|free|unsubscribe|rollback|destroy|end)\(|\bdefer\b|"
    r"\bfinally\b|with \w+\(|clearinterval|cleartimeout"
)
ACQUIRE = re.compile(
    r"(?i)\.(acquire|connect|open|begin|dial|getconnection|newclient|subscribe|addlistener|on)\(|new "
    r"\w*(client|connection|session|pool)\(|\b(newclient|dial|open|connect)\("
)
GUARD = re.compile(
    r"(?i)\bif\b.*(nil|null|none|undefined|empty|len\(|length|err\b|isvalid|valid|exists|has\w*\()|\btry\b|"
    r"\bcatch\b|\brescue\b|\bexcept\b|\?\.|\brecover\(|validate\w*\("
)
TIMEOUT = re.compile(r"(?i)time_?out|deadline|withtimeout|keep_?alive|idle_?time|grace")
RETRY = re.compile(r"(?i)retr(y|ies)|attempt|back_?off|jitter|circuit|breaker")
LOGGING = re.compile(
    r"(?i)\b(log_?)?level\b\W+(debug|trace|info)|sample_?rate|sampling|verbos|\bdebug\b\W+true|log\.(debug|"
    r"trace|info)\("
)
CAPACITY = re.compile(
    r"(?i)(max_?conn\w*|pool_?size|max_?\w*|replicas|workers?|threads?|concurrency|memory|cpu|limits?|"
    r"requests|heap|xmx|buffer|queue_?size|partitions|shards|prefetch|quota|burst|maxopen\w*)"
)
QUERY = re.compile(
    r"(?i)\b(select|where|join|order by|group by|index|alter table|drop|migration|create table|not null|foreign key)\b"
)
ACCESS = re.compile(
    r"(?i)\b(scope|role|permission|policy|acl|rbac|allow|deny|audience|issuer|secret|token|api_?key|iam|"
    r"grant|csrf|cors|jwt|kid|signing)\w*"
)
TLS = re.compile(r"(?i)\b(tls|ssl|cipher|minversion|ca_?file|verify|insecure\w*|x509|mtls|truststore|keystore)\w*")
CACHE = re.compile(r"(?i)\b(cache|ttl|expir\w*|memo\w*|invalidate)\w*")
SPAWN = re.compile(
    r"\bgo func|\bgo \w+\(|Thread\(|spawn\(|Promise\.all|create_task|executor\.submit|setInterval|asyncio\.gather"
)
ADDRESS = re.compile(
    r"(?i)https?://|\b[\w-]+\.(svc|internal|local|com|net|io)\b|\b(host|endpoint|base_?url|port|addr|dsn|"
    r"broker|topic|bucket|region)s?\b\W"
)
UNIT = re.compile(
    r"(?i)time\.(second|millisecond|minute|hour|microsecond)|\b(seconds|millis|ms|minutes|cents|minor|utc|"
    r"timezone)\b|\* ?1000|/ ?1000|\* ?100\b|/ ?100\b"
)
SLOW = re.compile(
    r"(?i)regexp?\.|re\.compile|json\.(parse|marshal|unmarshal|stringify)|deepcopy|clone\(|bcrypt|hash|"
    r"sort\w*\(|sleep\(|compress|encrypt"
)
COSMETIC_FILE = re.compile(
    r"(?i)(\.(md|css|scss|html|svg|txt|rst|png)$|_test\.|\.test\.|\.spec\.|^tests?/|/tests?/|testdata|"
    r"^docs?/|\.github/|codeowners|^readme|changelog|license|golangci|\.gitignore|makefile$|\.editorconfig|"
    r"storybook|fixtures?/)"
)
BUMP_FILE = re.compile(
    r"(?i)(go\.(mod|sum)|package(-lock)?\.json|requirements.*\.txt|cargo\.(toml|lock)|pom\.xml|yarn\.lock|"
    r"poetry\.lock|build\.gradle)$"
)
COMMENT = re.compile(r"^\s*(//|#(?!include)|/\*|\*|--\s)")
