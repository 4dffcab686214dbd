"""What /version says: the version of Kubernetes that is served, and what serves it."""

from __future__ import annotations

import platform

from pybernetes.api import version


def info() -> dict[str, str]:
    """The document at /version."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return {
        "major": version.MAJOR,
        "minor": version.MINOR,
        "emulationMajor": version.MAJOR,
        "emulationMinor": version.MINOR,
        "minCompatibilityMajor": version.MAJOR,
        "minCompatibilityMinor": version.MIN_COMPATIBLE_MINOR,
        "gitVersion": version.GIT_VERSION,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": f"python{platform.python_version()}",
        "compiler": platform.python_implementation(),
        "platform": f"linux/{machine}",
    }
