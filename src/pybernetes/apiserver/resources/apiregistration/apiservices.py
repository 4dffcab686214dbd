"""APIServices: who serves a group and version, this server or a Service behind it."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields, names
from pybernetes.api.types import apiregistration_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.core import base64s

_SPEC = fields.Path("spec")


def default(service: apiregistration_v1.APIService) -> None:
    base64s.check({"caBundle": service.spec.caBundle}, service)
    reference = service.spec.service
    if reference is not None and reference.port is None:
        reference.port = 443


def stamp(
    new: apiregistration_v1.APIService,
    old: apiregistration_v1.APIService | None,
    _: str,
    writing: kind.Writing,
) -> None:
    """What this server serves itself is available at once."""
    if old is None and new.spec.service is None:
        new.status.conditions = [
            apiregistration_v1.APIServiceCondition(
                type="Available",
                status="True",
                lastTransitionTime=writing.time,
                reason="Local",
                message="Local APIServices are always available",
            )
        ]


def validate(service: apiregistration_v1.APIService) -> checks.Errors:
    spec = service.spec
    problems = _name(service)
    if not spec.group and spec.version != "v1":
        words = "only v1 may have an empty group and it better be legacy kube"
        problems.append(fields.required(_SPEC["group"], words))
    if spec.group:
        problems += checks.named(spec.group, names.dns_subdomain, _SPEC["group"])
    problems += checks.named(spec.version, names.dns1035_label, _SPEC["version"])
    for name, most in (("groupPriorityMinimum", 20000), ("versionPriority", 1000)):
        value = getattr(spec, name)
        if not 0 < value <= most:
            problems.append(fields.invalid(_SPEC[name], value, f"must be positive and less than {most}"))
    return problems + (_local(spec) if spec.service is None else _remote(spec, spec.service))


def _name(service: apiregistration_v1.APIService) -> checks.Errors:
    name, path = service.metadata.name, fields.Path("metadata")["name"]
    problems = checks.named(name, names.path_segment, path)
    wanted = f"{service.spec.version}.{service.spec.group}"
    if not problems and name != wanted:
        problems.append(fields.invalid(path, name, f'must be `spec.version+"."+spec.group`: "{wanted}"'))
    return problems


def _local(spec: apiregistration_v1.APIServiceSpec) -> checks.Errors:
    problems: checks.Errors = []
    if spec.caBundle:
        shown = f"{base64s.size({'': spec.caBundle})} bytes"
        problems.append(fields.invalid(_SPEC["caBundle"], shown, "local APIServices may not have a caBundle"))
    if spec.insecureSkipTLSVerify:
        words = "local APIServices may not have insecureSkipTLSVerify"
        problems.append(fields.invalid(_SPEC["insecureSkipTLSVerify"], True, words))
    return problems


def _remote(spec: apiregistration_v1.APIServiceSpec, reference: apiregistration_v1.ServiceReference) -> checks.Errors:
    path = _SPEC["service"]
    problems = [fields.required(path[name]) for name in ("namespace", "name") if not getattr(reference, name)]
    port = reference.port or 0
    wrong = names.port_number(port)
    if wrong:
        problems.append(fields.invalid(path["port"], port, "port is not valid: " + ", ".join(wrong)))
    if spec.insecureSkipTLSVerify and spec.caBundle:
        words = "may not be true if caBundle is present"
        problems.append(fields.invalid(_SPEC["insecureSkipTLSVerify"], True, words))
    return problems


def validate_status(new: apiregistration_v1.APIService, _: apiregistration_v1.APIService) -> checks.Errors:
    problems: checks.Errors = []
    for index, condition in enumerate(new.status.conditions):
        path = fields.Path("status")["conditions"][index]["status"]
        problems += checks.one_of(condition.status, ("True", "False", "Unknown"), path)
    return problems


def row(service: apiregistration_v1.APIService, now: float) -> Sequence[kind.Cell]:
    reference = service.spec.service
    where = "Local" if reference is None else f"{reference.namespace}/{reference.name}"
    available = next((c for c in service.status.conditions if c.type == "Available"), None)
    state = "Unknown" if available is None else available.status
    if available is not None and state != "True" and available.reason:
        state += f" ({available.reason})"
    return service.metadata.name, where, state, cells.age(service.metadata, now)


KIND: kind.Kind[apiregistration_v1.APIService] = kind.Kind(
    resource=kind.resource("apiregistration.k8s.io", "v1", "apiservices"),
    default=default,
    stamp=stamp,
    validate=validate,
    validate_status=validate_status,
    check_name=lambda _: (),
    allow_unconditional_update=False,
    has_status=True,
    columns=(kind.NAME, kind.Column("Service"), kind.Column("Available"), kind.AGE),
    row=row,
)
