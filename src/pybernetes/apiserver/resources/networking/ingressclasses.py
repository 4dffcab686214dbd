"""IngressClasses."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields, names
from pybernetes.api.types import networking_v1
from pybernetes.apiserver.resources import cells, checks, kind

_SPEC = fields.Path("spec")
_DEFAULT = "ingressclass.kubernetes.io/is-default-class"


def is_default(ingress_class: networking_v1.IngressClass) -> bool:
    return ingress_class.metadata.annotations.get(_DEFAULT) == "true"


def default(ingress_class: networking_v1.IngressClass) -> None:
    parameters = ingress_class.spec.parameters
    if parameters is not None and parameters.scope is None:
        parameters.scope = "Cluster"


def validate(ingress_class: networking_v1.IngressClass) -> checks.Errors:
    spec, path = ingress_class.spec, _SPEC["controller"]
    problems: checks.Errors = []
    if len(spec.controller) > 250:
        problems.append(fields.too_long(path, 250))
    problems += checks.domain_prefixed_path(spec.controller, path)
    if spec.parameters is not None:
        problems += _parameters(spec.parameters, _SPEC["parameters"])
    return problems


def _parameters(reference: networking_v1.IngressClassParametersReference, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    if reference.apiGroup is not None:
        problems += checks.named(reference.apiGroup, names.dns_subdomain, path["apiGroup"])
    for name in ("kind", "name"):
        value = getattr(reference, name)
        if not value:
            problems.append(fields.required(path[name]))
        else:
            problems += checks.named(value, names.path_segment, path[name])
    scope, namespace = reference.scope or "", reference.namespace
    problems += checks.required_one_of(scope, ("Cluster", "Namespace"), path["scope"])
    if scope == "Namespace":
        if not namespace:
            words = "`parameters.scope` is set to 'Namespace'"
            problems.append(fields.required(path["namespace"], words))
        else:
            problems += checks.named(namespace, names.dns_label, path["namespace"])
    elif scope == "Cluster" and namespace is not None:
        problems.append(fields.forbidden(path["namespace"], "`parameters.scope` is set to 'Cluster'"))
    return problems


def validate_update(new: networking_v1.IngressClass, old: networking_v1.IngressClass) -> checks.Errors:
    return checks.immutable(new.spec.controller, old.spec.controller, _SPEC["controller"])


def row(ingress_class: networking_v1.IngressClass, now: float) -> Sequence[kind.Cell]:
    meta, reference = ingress_class.metadata, ingress_class.spec.parameters
    parameters = "<none>"
    if reference is not None:
        group = f".{reference.apiGroup}" if reference.apiGroup is not None else ""
        parameters = f"{reference.kind}{group}/{reference.name}"
    name = meta.name + (" (default)" if is_default(ingress_class) else "")
    return name, ingress_class.spec.controller, parameters, cells.age(meta, now)


KIND: kind.Kind[networking_v1.IngressClass] = kind.Kind(
    resource=kind.resource("networking.k8s.io", "v1", "ingressclasses"),
    default=default,
    validate=validate,
    validate_update=validate_update,
    spec_of=lambda ingress_class: ingress_class.spec,
    columns=(kind.NAME, kind.Column("Controller"), kind.Column("Parameters"), kind.AGE),
    row=row,
)
