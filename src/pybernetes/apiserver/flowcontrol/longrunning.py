"""Requests that take as long as their clients like: what limits others does not count them."""

from __future__ import annotations

from pybernetes.apiserver import request as requests

VERBS = ("watch", "proxy")
PROFILES = "/debug/pprof/"
SUBRESOURCES = ("attach", "exec", "log", "portforward", "proxy")


def is_long(attributes: requests.Attributes) -> bool:
    if attributes.verb in VERBS or attributes.subresource in SUBRESOURCES:
        return True
    return not attributes.resource and attributes.path.startswith(PROFILES)
