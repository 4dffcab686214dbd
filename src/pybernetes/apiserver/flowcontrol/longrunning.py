"""Requests that take as long as their clients like: what limits others does not count them."""

from __future__ import annotations

from pybernetes.apiserver import request as requests

VERBS = ("watch", "proxy")
SUBRESOURCES = ("attach", "exec", "log", "portforward", "proxy")


def is_long(attributes: requests.Attributes) -> bool:
    return attributes.verb in VERBS or attributes.subresource in SUBRESOURCES
