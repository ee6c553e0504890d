"""Make this checkout importable and `payops` runnable in the current virtual environment, without the network.

An editable install would have to fetch a build backend that the lock does not name. A `.pth` file and a three-line
script do the same with what is already here, and our own modules are compiled, so that the first command does not do
it (an installer compiles what it installs). Images install a wheel instead (see `deploy/Dockerfile`).
"""

import compileall
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

if sys.prefix == sys.base_prefix:
    sys.exit("deploy/link_checkout.py: run it with the Python of the virtual environment (.venv/bin/python)")

purelib = Path(sysconfig.get_path("purelib"))
(purelib / "payops.pth").write_text(f"{ROOT}\n", encoding="utf-8")
script = Path(sysconfig.get_path("scripts")) / "payops"
lines = (
    f"#!{sys.executable}",
    "import sys",
    "",
    "from assistant.cli import main",
    "",
    'if __name__ == "__main__":',
    "    sys.exit(main())",
    "",
)
script.write_text("\n".join(lines), encoding="utf-8")
script.chmod(0o755)
for package in ("assistant", "redaction"):
    if not compileall.compile_dir(ROOT / package, quiet=1):
        sys.exit(f"deploy/link_checkout.py: {package} does not compile: see above")
