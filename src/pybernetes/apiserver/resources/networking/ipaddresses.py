"""IPAddresses: which Service address belongs to whom."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from pybernetes.api import fields, names
from pybernetes.api.types import networking_v1
from pybernetes.apiserver.resources import cells, checks, kind

_PARENT = fields.Path("spec")["parentRef"]


def check_name(name: str) -> list[str]:
    """The name is the address, in its canonical form."""
    try:
        canonical = str(ipaddress.ip_address(name))
    except ValueError:
        return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    return [] if canonical == name else ['must be in canonical form ("' + canonical + '")']


def validate(address: networking_v1.IPAddress) -> checks.Errors:
    parent = address.spec.parentRef
    if parent is None:
        return [fields.required(_PARENT)]
    problems: checks.Errors = []
    if parent.group:
        problems += checks.named(parent.group, names.dns_subdomain, _PARENT["group"])
    for name in ("resource", "name"):
        value = getattr(parent, name)
        if not value:
            problems.append(fields.required(_PARENT[name]))
        else:
            problems += checks.named(value, names.path_segment, _PARENT[name])
    if parent.namespace:
        problems += checks.named(parent.namespace, names.path_segment, _PARENT["namespace"])
    return problems


def validate_update(new: networking_v1.IPAddress, old: networking_v1.IPAddress) -> checks.Errors:
    return checks.immutable(new.spec.parentRef, old.spec.parentRef, _PARENT)


def row(address: networking_v1.IPAddress, now: float) -> Sequence[kind.Cell]:
    parent = address.spec.parentRef
    text = "<none>"
    if parent is not None:
        group = f".{parent.group}" if parent.group else ""
        namespace = f"/{parent.namespace}" if parent.namespace else ""
        text = f"{parent.resource}{group}".lower() + f"{namespace}/{parent.name}"
    return address.metadata.name, text, cells.age(address.metadata, now)


KIND: kind.Kind[networking_v1.IPAddress] = kind.Kind(
    resource=kind.resource("networking.k8s.io", "v1", "ipaddresses"),
    validate=validate,
    validate_update=validate_update,
    check_name=check_name,
    columns=(kind.NAME, kind.Column("ParentRef"), kind.AGE),
    row=row,
)
