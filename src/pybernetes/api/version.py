"""Which version of the Kubernetes API this is: the one place that says it."""

from __future__ import annotations

import platform

from pybernetes.kits import prometheus

MAJOR = "1"
MINOR = "36"
MIN_COMPATIBLE_MINOR = "35"
GIT_VERSION = "v1.36.2"


def build() -> dict[str, str]:
    """What was built, and what runs it, in the words of /version."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return {
        "major": MAJOR,
        "minor": MINOR,
        "gitVersion": GIT_VERSION,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": f"python{platform.python_version()}",
        "compiler": platform.python_implementation(),
        "platform": f"linux/{machine}",
    }


# Upstream's labels, and what they are in /version.
_LABELS = {
    "major": "major",
    "minor": "minor",
    "git_version": "gitVersion",
    "git_commit": "gitCommit",
    "git_tree_state": "gitTreeState",
    "build_date": "buildDate",
    "go_version": "goVersion",
    "compiler": "compiler",
    "platform": "platform",
}


def build_info() -> prometheus.Family:
    """The metric that says which version runs."""
    known = build()
    labels = {label: known[field] for label, field in _LABELS.items()}
    help_ = "A metric with a constant '1' value labeled by what Kubernetes was built from, and what it runs on."
    return prometheus.Family("kubernetes_build_info", prometheus.GAUGE, help_, [(labels, 1)])
