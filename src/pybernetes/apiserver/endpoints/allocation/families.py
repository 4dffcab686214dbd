"""The IP families of Services: what the writer left out is filled in, and what does not fit the cluster is refused."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import errors, fields
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import checks
from pybernetes.apiserver.resources.core import service_validation

SINGLE, PREFER, REQUIRE = "SingleStack", "PreferDualStack", "RequireDualStack"
_SPEC = fields.Path("spec")
_OTHER = {"IPv4": "IPv6", "IPv6": "IPv4"}


def of(address: str) -> str:
    return "IPv6" if ":" in address else "IPv4"


def fill(new: core_v1.Service, old: core_v1.Service | None, configured: Sequence[str]) -> None:
    """`configured` are the cluster's families, the default one first. Raises StatusError 422."""
    spec, was = new.spec, old.spec if old is not None else None
    if spec.type == "ExternalName" or (was is not None and _stays_preferred(spec, was)):
        return
    lonely = spec.clusterIP == "None" and not spec.selector
    policy = spec.ipFamilyPolicy
    if policy is None:
        had = was.ipFamilyPolicy if was is not None else None
        spec.ipFamilyPolicy = had or (REQUIRE if lonely else SINGLE)
    if spec.clusterIP or spec.clusterIPs or spec.ipFamilies or policy:
        _refuse(new, service_validation.validate_addresses(spec))
    problems = _reduce(spec, was) if was is not None else []
    _refuse(new, problems + _single(spec) + _infer(spec, configured))
    if not lonely:
        _refuse(new, _configured(spec, configured))
    spec.ipFamilies = spec.ipFamilies or [configured[0]]
    # Who selects no pods says himself where the service leads, which may be in both families on any cluster.
    if spec.ipFamilyPolicy != SINGLE and len(spec.ipFamilies) == 1 and (lonely or len(configured) == 2):
        spec.ipFamilies = [*spec.ipFamilies, _OTHER[spec.ipFamilies[0]]]


def _refuse(service: core_v1.Service, problems: checks.Errors) -> None:
    if problems:
        raise errors.invalid("", "Service", service.metadata.name, problems)


def _stays_preferred(spec: core_v1.ServiceSpec, was: core_v1.ServiceSpec) -> bool:
    """A service that takes what there is is not changed because the cluster has come to have another family."""
    return (
        spec.type == was.type
        and spec.ipFamilyPolicy == PREFER
        and was.ipFamilyPolicy in (None, PREFER)
        and spec.clusterIPs == was.clusterIPs
        and spec.ipFamilies == was.ipFamilies
    )


def _reduce(spec: core_v1.ServiceSpec, was: core_v1.ServiceSpec) -> checks.Errors:
    """Going back to one family: the policy alone says so, and nothing else does."""
    if spec.ipFamilyPolicy == SINGLE:
        if spec.clusterIPs == was.clusterIPs:
            spec.clusterIPs = spec.clusterIPs[:1]
        if spec.ipFamilies == was.ipFamilies:
            spec.ipFamilies = spec.ipFamilies[:1]
        return []
    path, problems = _SPEC["ipFamilyPolicy"], []
    if 0 < len(spec.clusterIPs) < len(was.clusterIPs):
        words = "must be 'SingleStack' to release the secondary cluster IP"
        problems.append(fields.invalid(path, spec.ipFamilyPolicy, words))
    if 0 < len(spec.ipFamilies) < len(was.ipFamilies):
        words = "must be 'SingleStack' to release the secondary IP family"
        problems.append(fields.invalid(path, spec.ipFamilyPolicy, words))
    return problems


def _single(spec: core_v1.ServiceSpec) -> checks.Errors:
    if spec.ipFamilyPolicy != SINGLE:
        return []
    words = "must be 'RequireDualStack' or 'PreferDualStack' when multiple {} are specified"
    several = [
        what for what, found in (("cluster IPs", spec.clusterIPs), ("IP families", spec.ipFamilies)) if len(found) == 2
    ]
    return [fields.invalid(_SPEC["ipFamilyPolicy"], spec.ipFamilyPolicy, words.format(what)) for what in several]


def _infer(spec: core_v1.ServiceSpec, configured: Sequence[str]) -> checks.Errors:
    """Families from the addresses that the writer has chosen."""
    problems: checks.Errors = []
    for index, address in enumerate(spec.clusterIPs):
        if address == "None":
            break
        family = of(address)
        if index < len(spec.ipFamilies):
            continue
        if family in configured:
            spec.ipFamilies = [*spec.ipFamilies, family]
        else:
            words = f"{family} is not configured on this cluster"
            problems.append(fields.invalid(_SPEC["clusterIPs"][index], spec.clusterIPs, words))
    return problems


def _configured(spec: core_v1.ServiceSpec, configured: Sequence[str]) -> checks.Errors:
    problems: checks.Errors = []
    if spec.ipFamilyPolicy == REQUIRE and len(configured) < 2:
        words = "this cluster is not configured for dual-stack services"
        problems.append(fields.invalid(_SPEC["ipFamilyPolicy"], spec.ipFamilyPolicy, words))
    for index, family in enumerate(spec.ipFamilies):
        if family not in configured:
            problems.append(fields.invalid(_SPEC["ipFamilies"][index], family, "not configured on this cluster"))
    return problems
