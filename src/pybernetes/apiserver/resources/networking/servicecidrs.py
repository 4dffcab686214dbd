"""ServiceCIDRs: where Service addresses come from."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from pybernetes.api import fields
from pybernetes.api.types import networking_v1
from pybernetes.apiserver.resources import cells, checks, kind

_CIDRS = fields.Path("spec")["cidrs"]


def validate(service_cidr: networking_v1.ServiceCIDR) -> checks.Errors:
    cidrs = service_cidr.spec.cidrs
    if not cidrs:
        return [fields.required(_CIDRS, "at least one CIDR required")]
    problems: checks.Errors = []
    if len(cidrs) > 2:
        problems.append(fields.invalid(_CIDRS, service_cidr.spec, "may only hold up to 2 values"))
    families: list[int] = []
    for index, cidr in enumerate(cidrs):
        try:
            families.append(ipaddress.ip_network(cidr).version)
        except ValueError:
            words = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            problems.append(fields.invalid(_CIDRS[index], cidr, words))
    if len(families) != len(set(families)):
        words = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
        problems.append(fields.invalid(_CIDRS, cidrs, words))
    return problems


def validate_update(new: networking_v1.ServiceCIDR, old: networking_v1.ServiceCIDR) -> checks.Errors:
    was = old.spec.cidrs
    # A second family may be added; what is there stays.
    if new.spec.cidrs[: len(was)] == was and (len(new.spec.cidrs) == len(was) or len(was) == 1):
        return []
    return [fields.invalid(_CIDRS, new.spec.cidrs, checks.IMMUTABLE)]


def row(service_cidr: networking_v1.ServiceCIDR, now: float) -> Sequence[kind.Cell]:
    return service_cidr.metadata.name, ",".join(service_cidr.spec.cidrs), cells.age(service_cidr.metadata, now)


KIND: kind.Kind[networking_v1.ServiceCIDR] = kind.Kind(
    resource=kind.resource("networking.k8s.io", "v1", "servicecidrs"),
    validate=validate,
    validate_update=validate_update,
    has_status=True,
    columns=(kind.NAME, kind.Column("CIDRs"), kind.AGE),
    row=row,
)
