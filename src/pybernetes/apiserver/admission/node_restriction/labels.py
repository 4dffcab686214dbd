"""Which labels of its own node a kubelet may set: those that describe it, and none that pods are kept apart by."""

from __future__ import annotations

from collections.abc import Mapping

_OWN = frozenset(
    (
        *("kubernetes.io/hostname", "topology.kubernetes.io/zone", "topology.kubernetes.io/region"),
        *("failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region"),
        *("beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type", "kubernetes.io/os"),
        *("kubernetes.io/arch", "beta.kubernetes.io/os", "beta.kubernetes.io/arch"),
    )
)
_OWN_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")
_RESTRICTED = "node-restriction.kubernetes.io"


def forbidden(new: Mapping[str, str], old: Mapping[str, str]) -> list[str]:
    """Those that differ and may not, sorted."""
    return sorted(key for key in {*new, *old} if new.get(key) != old.get(key) and not _is_allowed(key))


def _is_allowed(key: str) -> bool:
    domain = key.partition("/")[0] if "/" in key else ""
    if _is_below(domain, _RESTRICTED):
        return False
    if not _is_below(domain, "kubernetes.io") and not _is_below(domain, "k8s.io"):
        return True
    return key in _OWN or any(_is_below(domain, own) for own in _OWN_DOMAINS)


def _is_below(domain: str, of: str) -> bool:
    return domain == of or domain.endswith(f".{of}")
