"""Who sits at this machine: the person of the command line, and of a console without a login.

The operating system says it. No variable of the environment is believed, or one person could sign off for two.
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path

_NOBODY = 2**32 - 1
"""What the kernel keeps where nobody logged in: services and most containers."""


def person(login: Path = Path("/proc/self/loginuid")) -> str:
    """The user of this process; behind sudo or su whoever logged in (Linux audit). Stored as a pseudonym only."""
    user = os.getuid() or _logged_in(login)
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:  # a container's user without a name
        return f"uid-{user}"


def _logged_in(login: Path) -> int:
    """Root's own number where the kernel keeps no login."""
    try:
        user = int(login.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
    return 0 if user == _NOBODY else user
