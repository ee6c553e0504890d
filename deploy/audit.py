"""Known vulnerabilities of what is shipped: `python deploy/audit.py`, by pip-audit over the locks.

The advisories come from the package index. Where it cannot be reached (or gives none, as some mirrors do), pip-audit
skips each package and exits 0; this says so instead: nothing was audited. Exit 1 for a vulnerability, or where some
packages were audited and others not.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCKS = (ROOT / "requirements.lock", ROOT / "requirements-embedder.txt", ROOT / "requirements-build.lock")


def verdict(report: dict[str, Any]) -> tuple[int, list[str]]:
    """Exit code and lines, from pip-audit's JSON: `{"dependencies": [{name, version, vulns | skip_reason}]}`."""
    packages = report["dependencies"]
    skipped = [p for p in packages if "skip_reason" in p]
    audited = [p for p in packages if "skip_reason" not in p]
    found = [
        f"{p['name']} {p['version']}: {v['id']}, mended in {', '.join(v['fix_versions']) or 'no version yet'}"
        for p in audited
        for v in p["vulns"]
    ]
    if not audited:
        return 0, [f"SKIPPED: no advisory data can be reached from here; none of {len(skipped)} packages was audited"]
    if skipped:
        found += [f"{p['name']}: not audited ({p['skip_reason']})" for p in skipped]
    return (1 if found else 0), [*found, f"{len(audited)} packages audited, {len(found)} findings"]


def audited(lock: Path) -> dict[str, Any]:
    """Ask pip-audit. Its own failure to reach anything counts as every package skipped."""
    command = [sys.executable, "-m", "pip_audit", "-r", str(lock), "--disable-pip", "--require-hashes", "-f", "json"]
    done = subprocess.run([*command, "--progress-spinner", "off"], capture_output=True, text=True, check=False)
    if done.stdout.strip():
        report: dict[str, Any] = json.loads(done.stdout)
        return report
    last = (done.stderr.strip().splitlines() or ["no word"])[-1]
    return {"dependencies": [{"name": lock.name, "skip_reason": last[:200]}]}


def main() -> int:
    code, lines = verdict({"dependencies": [p for lock in LOCKS for p in audited(lock)["dependencies"]]})
    print("\n".join(f"audit: {line}" for line in lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
