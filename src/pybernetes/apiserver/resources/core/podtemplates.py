"""PodTemplates."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.core import pod_spec, pod_validation, pod_warnings


def default(template: core_v1.PodTemplate) -> None:
    pod_spec.default(template.template.spec)


def validate(template: core_v1.PodTemplate) -> checks.Errors:
    return pod_validation.template(template.template, fields.Path("template"))


def warnings(template: core_v1.PodTemplate) -> Sequence[str]:
    return pod_warnings.spec_warnings(template.template.spec, "template.spec")


def row(template: core_v1.PodTemplate, _: float) -> Sequence[kind.Cell]:
    containers = cells.containers(template.template.spec.containers)
    return (template.metadata.name, *containers, cells.labels(template.template.metadata.labels))


KIND: kind.Kind[core_v1.PodTemplate] = kind.Kind(
    resource=kind.resource("", "v1", "podtemplates"),
    default=default,
    validate=validate,
    warnings=warnings,
    spec_of=lambda template: template.template,
    columns=(kind.NAME, kind.Column("Containers"), kind.Column("Images"), kind.Column("Pod Labels")),
    row=row,
)
