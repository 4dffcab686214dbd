"""Which version of the Kubernetes API this is: the one place that says it."""

from __future__ import annotations

MAJOR = "1"
MINOR = "36"
MIN_COMPATIBLE_MINOR = "35"
GIT_VERSION = "v1.36.2"
