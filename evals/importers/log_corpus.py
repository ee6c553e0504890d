"""Generated log lines with known templates, in the manner of sixteen kinds of systems (a web server, a kernel,
Hadoop, …).

Each system has its own header, separators and habits: numbers, addresses, block ids, paths, user names without any
digit, lists of varying length. The published corpus (LogHub) is not copied; its difficulties are.
"""

from __future__ import annotations

import numpy as np

_USERS = (
    "root",
    "admin",
    "maria",
    "deploy",
    "nobody",
    "oracle",
    "guest",
    "backup",
    "webmaster",
    "ines",
    "tomasz",
    "yuki",
)
_STATES = ("opened", "closed")
_HOSTS = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel")


def _value(kind: str, rng: np.random.Generator) -> str:
    n = int(rng.integers(0, 10**6))
    match kind:
        case "n":
            return str(n)
        case "ip":
            return f"10.{n % 256}.{n // 256 % 256}.{n % 199}"
        case "addr":
            return f"/10.{n % 256}.0.{n % 199}:{1024 + n % 60000}"
        case "blk":
            return f"blk_{n * 7919 - 4 * 10**9}"
        case "path":
            return f"/var/lib/{_HOSTS[n % 8]}/part-{n % 1000:05d}"
        case "user":
            return _USERS[n % len(_USERS)]
        case "host":
            return f"{_HOSTS[n % 8]}-{n % 40}"
        case "hex":
            return f"0x{n:08x}"
        case "ms":
            return f"{n % 9000}ms"
        case "uuid":
            return f"{n:08x}-{n % 9999:04d}-4{n % 999:03d}-a{n % 999:03d}-{n * 13:012x}"
        case _:
            return ",".join(_HOSTS[int(i)] for i in rng.integers(0, 8, 1 + n % 4))


# system: (header, templates); <kind> is a value, everything else stays.
SYSTEMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "hdfs": ("INFO dfs.DataNode: ", ("Receiving block <blk> src: <addr> dest: <addr>",
        "PacketResponder <n> for block <blk> terminating", "Verification succeeded for <blk>",
        "BLOCK* NameSystem.delete: <blk> is added to invalidSet of <addr>",
            "Received block <blk> of size <n> from <addr>")),
    "sshd": ("sshd[<n>]: ", (
        "Failed password for <user> from <ip> port <n> ssh2",
            "Failed password for invalid user <user> from <ip> port <n> ssh2",
                "Accepted password for <user> from <ip> port <n> ssh2", "Connection closed by <ip> [preauth]",
                    "pam_unix(sshd:session): session opened for user <user>",
                        "pam_unix(sshd:session): session closed for user <user>",
                            "Received disconnect from <ip>: <n>: Bye Bye")),
    "apache": ("[error] ", ("mod_jk child workerEnv in error state <n>",
        "jk2_init() Found child <n> in scoreboard slot <n>", "workerEnv.init() ok <path>",
            "[client <ip>] Directory index forbidden by rule: <path>")),
    "spark": ("INFO executor.Executor: ", ("Running task <n> in stage <n> (TID <n>)",
        "Finished task <n> in stage <n> (TID <n>). <n> bytes result sent to driver", "Found block rdd_<n> locally",
        "Removed broadcast_<n> on <host> in memory")),
    "kernel": ("kernel: ", ("usb <n>: new high-speed device number <n>", "Out of memory: Kill process <n> score <n>",
        "EXT4-fs mounted filesystem with ordered data mode", "TCP: request_sock_TCP: Possible flooding on port <n>")),
    "zookeeper": ("WARN ", ("Send worker leaving thread", "Interrupted while waiting for message on queue",
        "Connection broken for id <n>, my id = <n>, error =", "Received connection request <addr>",
            "Closed socket connection for client <addr> (no session established)")),
    "openstack": ("INFO nova.compute [req-<uuid>] ", ("[instance: <uuid>] VM Started (Lifecycle Event)",
        "[instance: <uuid>] VM Stopped (Lifecycle Event)",
        "[instance: <uuid>] Took <n> seconds to build instance", "GET <path> status: <n> len: <n>",
            "Active base files: <path>")),
    "gateway": ("level=info ", (
        "msg=\"payment authorised\" order=<hex> acquirer=<user> took=<ms>",
            "msg=\"payment declined\" order=<hex> acquirer=<user> rc=<n>",
            "msg=\"retry scheduled\" order=<hex> delay=<ms>", "msg=\"host link <n> is down\"")),
    "proxy": ("", (
        "<host> proxy.site:443 close, <n> bytes sent, <n> bytes received, lifetime <ms>",
            "<host> open through proxy <host> HTTPS",
            "<host> error : Could not connect to proxy <host> - code <n>")),
    "scheduler": ("scheduler: ", ("job <user> <list> queued", "job <user> finished in <ms>",
        "job <user> failed after <n> tries", "node <host> joined", "node <host> left")),
    "postgres": ("LOG:  ", ("checkpoint complete: wrote <n> buffers", "checkpoint starting: time",
        "duration: <ms>  statement: <hex>", "connection received: host=<ip> port=<n>",
        "could not receive data from client: Connection reset by peer")),
    "android": ("D ", ("acquire lock=<n>, flags=<hex>, tag=<user>", "release lock=<n>, flags=<hex>",
        "ready=true,policy=<n>,wakefulness=<n>", "Skipping AppWindowToken{<hex>} -- going to hide")),
    "health": ("", ("onStandStepChanged <n>", "onExtend:<n> <n> <n> <n>",
        "calculateCaloriesWithCache totalCalories=<n>", "getTodayTotalDetailSteps = <n>##<n>##<n>")),
    "queue": ("INFO kafka ", (
        "[Partition <user>-<n> broker=<n>] Expanding ISR from <list> to <list>",
            "[GroupCoordinator <n>]: Preparing to rebalance group <user>",
                "[GroupCoordinator <n>]: Stabilized group <user> generation <n>",
                    "Rolled new log segment at offset <n> in <ms>")),
    "fraud": ("", ("scored order <hex> with <n> by model <user>",
        "fallback used for order <hex>: model did not answer within <ms>", "rule <user> matched order <hex>",
            "feature snapshot <n> loaded")),
    "dns": ("named[<n>]: ", ("client <addr>: query: <host> IN A", "client <addr>: query: <host> IN AAAA",
        "zone <host>/IN: loaded serial <n>", "error (network unreachable) resolving <host>")),
}  # fmt: skip


def corpus(rng: np.random.Generator, lines: int = 1000) -> tuple[list[str], list[int]]:
    """Lines of all systems and the true template of each, in random order within a system; frequencies are uneven."""
    out: list[str] = []
    truth: list[int] = []
    base = 0
    for header, templates in SYSTEMS.values():
        weights = rng.dirichlet(np.full(len(templates), 0.8))
        for k in rng.choice(len(templates), lines, p=weights):
            out.append(_fill(header + templates[int(k)], rng))
            truth.append(base + int(k))
        base += len(templates)
    return out, truth


def _fill(template: str, rng: np.random.Generator) -> str:
    parts = template.split("<")
    text = parts[0]
    for part in parts[1:]:
        kind, rest = part.split(">", 1)
        text += _value(kind, rng) + rest
    return text
