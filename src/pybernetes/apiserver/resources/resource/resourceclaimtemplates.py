"""ResourceClaimTemplates: what the claims made for pods look like."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields
from pybernetes.api.types import resource_v1
from pybernetes.apiserver.resources import cells, checks, kind, metadata
from pybernetes.apiserver.resources.resource import claim_spec

_SPEC = fields.Path("spec")


def default(template: resource_v1.ResourceClaimTemplate) -> None:
    claim_spec.default(template.spec.spec)


def validate(template: resource_v1.ResourceClaimTemplate) -> checks.Errors:
    meta, path = template.spec.metadata, _SPEC["metadata"]
    problems = checks.annotation_map(meta.annotations, path["annotations"])
    problems += checks.labels(meta.labels, path["labels"])
    problems += metadata.finalizers(meta.finalizers, path["finalizers"])
    return problems + claim_spec.validate(template.spec.spec, _SPEC["spec"])


def validate_update(new: resource_v1.ResourceClaimTemplate, old: resource_v1.ResourceClaimTemplate) -> checks.Errors:
    return checks.immutable(new.spec, old.spec, _SPEC)


def row(template: resource_v1.ResourceClaimTemplate, now: float) -> Sequence[kind.Cell]:
    return template.metadata.name, cells.age(template.metadata, now)


KIND: kind.Kind[resource_v1.ResourceClaimTemplate] = kind.Kind(
    resource=kind.resource("resource.k8s.io", "v1", "resourceclaimtemplates"),
    default=default,
    validate=validate,
    validate_update=validate_update,
    # The spec cannot change, so that what was wrong at its creation may stay wrong.
    ratchets=True,
    columns=(kind.NAME, kind.AGE),
    row=row,
)
