"""What /version says: the version of Kubernetes that is served, and what serves it."""

from __future__ import annotations

from pybernetes.api import version


def info() -> dict[str, str]:
    """The document at /version."""
    return {
        "major": version.MAJOR,
        "minor": version.MINOR,
        "emulationMajor": version.MAJOR,
        "emulationMinor": version.MINOR,
        "minCompatibilityMajor": version.MAJOR,
        "minCompatibilityMinor": version.MIN_COMPATIBLE_MINOR,
        **version.build(),
    }
