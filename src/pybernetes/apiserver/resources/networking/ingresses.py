"""Ingresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from pybernetes.api import fields, names
from pybernetes.api.types import networking_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.core import pod_validation

_SPEC = fields.Path("spec")
_CLASS = "kubernetes.io/ingress.class"
_BAD_SEQUENCES = ("//", "/./", "/../", "%2f", "%2F")
_BAD_ENDS = ("/..", "/.")
_SHOWN = 3


def validate(ingress: networking_v1.Ingress) -> checks.Errors:
    spec = ingress.spec
    problems: checks.Errors = []
    annotated = ingress.metadata.annotations.get(_CLASS)
    if annotated is not None and spec.ingressClassName is not None and annotated != spec.ingressClassName:
        path = fields.Path("metadata")["annotations"].key(_CLASS)
        words = "must match `ingressClassName` when both are specified"
        problems.append(fields.invalid(path, annotated, words))
    if not spec.rules and spec.defaultBackend is None:
        words = "either `defaultBackend` or `rules` must be specified"
        problems.append(fields.invalid(_SPEC, spec.rules, words))
    if spec.defaultBackend is not None:
        problems += _backend(spec.defaultBackend, _SPEC["defaultBackend"])
    for index, rule in enumerate(spec.rules):
        problems += _rule(rule, _SPEC["rules"][index])
    for index, tls in enumerate(spec.tls):
        at = _SPEC["tls"][index]
        for place, host in enumerate(tls.hosts):
            problems += _host(host, at["hosts"][place])
        if tls.secretName:
            problems += checks.named(tls.secretName, names.dns_subdomain, at["secretName"])
    if spec.ingressClassName is not None:
        problems += checks.named(spec.ingressClassName, names.dns_subdomain, _SPEC["ingressClassName"])
    return problems


def _host(host: str, path: fields.Path) -> checks.Errors:
    check = names.wildcard_dns_subdomain if "*" in host else names.dns_subdomain
    return checks.named(host, check, path)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _rule(rule: networking_v1.IngressRule, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    if rule.host:
        if _is_ip(rule.host):
            words = "must be a DNS name, not an IP address"
            problems.append(fields.invalid(path["host"], rule.host, words))
        problems += _host(rule.host, path["host"])
    if rule.http is None:
        return problems
    at = path["http"]["paths"]
    if not rule.http.paths:
        problems.append(fields.required(at))
    for index, route in enumerate(rule.http.paths):
        problems += _path(route, at[index])
    return problems


def _path(route: networking_v1.HTTPIngressPath, path: fields.Path) -> checks.Errors:
    if route.pathType is None:
        return [fields.required(path["pathType"], "pathType must be specified")]
    problems: checks.Errors = []
    at = path["path"]
    absolute = route.path.startswith("/")
    if route.pathType in ("Exact", "Prefix"):
        if not absolute:
            problems.append(fields.invalid(at, route.path, "must be an absolute path"))
        for bad in _BAD_SEQUENCES:
            if bad in route.path:
                problems.append(fields.invalid(at, route.path, f"must not contain '{bad}'"))
        for bad in _BAD_ENDS:
            if route.path.endswith(bad):
                problems.append(fields.invalid(at, route.path, f"cannot end with '{bad}'"))
    elif route.pathType == "ImplementationSpecific":
        if route.path and not absolute:
            problems.append(fields.invalid(at, route.path, "must be an absolute path"))
    else:
        supported = ("Exact", "ImplementationSpecific", "Prefix")
        problems.append(fields.not_supported(path["pathType"], route.pathType, supported))
    return problems + _backend(route.backend, path["backend"])


def _backend(backend: networking_v1.IngressBackend, path: fields.Path) -> checks.Errors:
    if backend.resource is not None and backend.service is not None:
        return [fields.invalid(path, "", "cannot set both resource and service backends")]
    if backend.resource is not None:
        at = path["resource"]
        return [fields.required(at[name]) for name in ("kind", "name") if not getattr(backend.resource, name)]
    if backend.service is None:
        return [fields.invalid(path, "", "resource or service backend is required")]
    service, at = backend.service, path["service"]
    problems: checks.Errors = []
    if not service.name:
        problems.append(fields.required(at["name"]))
    else:
        problems += checks.named(service.name, names.dns_label, at["name"])
    port = service.port
    if port.name and port.number:
        problems.append(fields.invalid(path, "", "cannot set both port name & port number"))
    elif port.name:
        problems += checks.named(port.name, names.port_name, at["port"]["name"])
    elif port.number:
        problems += checks.port(port.number, at["port"]["number"])
    else:
        problems.append(fields.required(path, "port name or number is required"))
    return problems


def validate_status(new: networking_v1.Ingress, _: networking_v1.Ingress) -> checks.Errors:
    problems: checks.Errors = []
    for index, ingress in enumerate(new.status.loadBalancer.ingress):
        path = fields.Path("status")["loadBalancer"]["ingress"][index]
        if ingress.ip:
            problems += pod_validation.ip(ingress.ip, path["ip"])
        if ingress.hostname:
            problems += checks.named(ingress.hostname, names.dns_subdomain, path["hostname"])
            if _is_ip(ingress.hostname):
                words = "must be a DNS name, not an IP address"
                problems.append(fields.invalid(path["hostname"], ingress.hostname, words))
    return problems


def warnings(ingress: networking_v1.Ingress) -> Sequence[str]:
    if _CLASS in ingress.metadata.annotations and ingress.spec.ingressClassName is None:
        return (f"annotation \"{_CLASS}\" is deprecated, please use 'spec.ingressClassName' instead",)
    return ()


def row(ingress: networking_v1.Ingress, now: float) -> Sequence[kind.Cell]:
    spec = ingress.spec
    named = [rule.host for rule in spec.rules[:_SHOWN] if rule.host]
    hosts = ",".join(named) or "*"
    if len(spec.rules) > _SHOWN and named:
        hosts += f" + {len(spec.rules) - _SHOWN} more..."
    addresses = sorted({i.ip or i.hostname for i in ingress.status.loadBalancer.ingress} - {""})
    return (
        ingress.metadata.name,
        "<none>" if spec.ingressClassName is None else spec.ingressClassName,
        hosts,
        ",".join(addresses),
        "80, 443" if spec.tls else "80",
        cells.age(ingress.metadata, now),
    )


KIND: kind.Kind[networking_v1.Ingress] = kind.Kind(
    resource=kind.resource("networking.k8s.io", "v1", "ingresses"),
    validate=validate,
    validate_status=validate_status,
    warnings=warnings,
    has_status=True,
    spec_of=lambda ingress: ingress.spec,
    columns=(
        kind.NAME,
        kind.Column("Class"),
        kind.Column("Hosts"),
        kind.Column("Address"),
        kind.Column("Ports"),
        kind.AGE,
    ),
    row=row,
)
