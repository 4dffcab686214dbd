"""What all tests share: which of them this machine can run."""

from __future__ import annotations

import os
import shutil

import hypothesis
import pytest

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

TOOLS = ("containerd", "runc", "nft", "conntrack", "busybox")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if os.geteuid() == 0 and not missing:
        return
    reason = "needs root" if os.geteuid() else f"needs {' '.join(missing)}: `make setup` installs them"
    for item in items:
        if item.get_closest_marker("containers"):
            item.add_marker(pytest.mark.skip(reason=reason))
