"""ServiceCIDRs: where Service addresses come from."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from pybernetes.api import fields
from pybernetes.api.types import networking_v1
from pybernetes.apiserver.resources import cells, checks, kind

_CIDRS = fields.Path("spec")["cidrs"]
# Of an IPv4 address, those that begin a number.
_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")


def validate(service_cidr: networking_v1.ServiceCIDR) -> checks.Errors:
    cidrs = service_cidr.spec.cidrs
    if not cidrs:
        return [fields.required(_CIDRS, "at least one CIDR required")]
    if len(cidrs) > 2:
        return [fields.invalid(_CIDRS, service_cidr.spec, "may only hold up to 2 values")]
    problems = [
        fields.invalid(_CIDRS[index], cidr, words) for index, cidr in enumerate(cidrs) if (words := _wrong(cidr))
    ]
    if len(cidrs) == 2 and not problems and len({":" in cidr for cidr in cidrs}) == 1:
        words = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
        problems.append(fields.invalid(_CIDRS, cidrs, words))
    return problems


def _wrong(cidr: str) -> str:
    """What is wrong with a range, in upstream's words; empty if nothing is."""
    address, _, length = cidr.partition("/")
    # Go reads numbers that begin with zeros only where it is told to be sloppy.
    plain = address if ":" in address else _ZEROS.sub("", address)
    length = length.lstrip("0") or length[-1:]
    try:
        if not length.isdecimal() or "%" in address:
            raise ValueError
        interface = ipaddress.ip_interface(f"{plain}/{length}")
    except ValueError:
        return "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
    network = interface.network
    if f"{plain}/{length}" != cidr:
        return "must not have leading 0s in IP or prefix length"
    if isinstance(interface, ipaddress.IPv6Interface) and interface.ip.ipv4_mapped is not None:
        return "must not have an IPv4-mapped IPv6 address"
    if interface.ip != network.network_address:
        return "must not have bits set beyond the prefix length"
    return "" if str(network) == cidr else f'must be in canonical form ("{network}")'


def validate_update(new: networking_v1.ServiceCIDR, old: networking_v1.ServiceCIDR) -> checks.Errors:
    was, now = old.spec.cidrs, new.spec.cidrs
    # A second family may be added; what is there stays.
    if len(now) != len(was) and (len(was), len(now)) != (1, 2):
        return [fields.invalid(_CIDRS, now, checks.IMMUTABLE)]
    pairs = enumerate(zip(now, was, strict=False))
    return [fields.invalid(_CIDRS[at], one, checks.IMMUTABLE) for at, (one, other) in pairs if one != other]


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
