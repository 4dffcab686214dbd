"""What can be relied on in which etcd."""

from __future__ import annotations

import re

# Before these, etcd could answer a request for progress ahead of changes it had yet to send (etcd's issues 15220 and
# 17507); what upstream relies on, too.
PROGRESS_SINCE = {(3, 4): 31, (3, 5): 13}


def tells_progress(version: str) -> bool:
    """Whether the progress that a watch is asked for is true."""
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    if found is None:
        return False
    major, minor, patch = (int(part) for part in found.groups())
    if (major, minor) in PROGRESS_SINCE:
        return patch >= PROGRESS_SINCE[major, minor]
    return (major, minor) > max(PROGRESS_SINCE)
