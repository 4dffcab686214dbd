"""The kind of one version of a custom resource: what a definition says, as the endpoints ask for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pybernetes.api import codecs, custom, errors, fields, names, scheme
from pybernetes.api.types import apiextensions_v1
from pybernetes.apiserver.extensions import versions
from pybernetes.apiserver.extensions.custom import (
    columns,
    embedded,
    forms,
    jsonpath,
    listtypes,
    scaling,
    validation,
)
from pybernetes.apiserver.extensions.custom import schema as schemas
from pybernetes.apiserver.resources import kind as kinds

Errors = list[fields.FieldError]
Definition = apiextensions_v1.CustomResourceDefinition
Version = apiextensions_v1.CustomResourceDefinitionVersion

VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
TERMINATING_VERBS = ("delete", "deletecollection", "get", "list", "watch")
_STANDARD_FINALIZERS = ("orphan", "foregroundDeletion", "kubernetes")
# What keeps rules from being asked: they could not be sure of the types they work on.
_BLOCKING = (fields.REQUIRED, fields.NOT_SUPPORTED, fields.TOO_LONG, fields.TOO_MANY, fields.TYPE_INVALID)
UNCHECKED = (
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete "
    "validation"
)


def schema_of(version: Version) -> schemas.Tree:
    """The version's schema as a tree; `{}` where it has none."""
    declared = version.schema
    if declared is None or declared.openAPIV3Schema is None:
        return {}
    tree: schemas.Tree = codecs.to_tree(declared.openAPIV3Schema)
    return tree


def _form(carrier: type[custom.Object]) -> forms.SchemaForm:
    form: forms.SchemaForm = carrier.FORM  # type: ignore[assignment]
    return form


def types_of(definition: Definition) -> dict[str, type[custom.Object]]:
    """The types of all versions, by apiVersion: what is stored may be of any."""
    group, kind = definition.spec.group, definition.status.acceptedNames.kind or definition.spec.names.kind
    return {
        f"{group}/{version.name}": custom.define(f"{group}/{version.name}", kind, forms.SchemaForm(schema_of(version)))
        for version in definition.spec.versions
    }


def make(
    definition: Definition,
    version: Version,
    carrier: type[custom.Object],
    *,
    terminating: bool = False,
) -> kinds.Kind[custom.Object]:
    """The kind of one version; with `terminating`, nothing can be created any more."""
    accepted, spec = definition.status.acceptedNames, definition.spec
    resource = scheme.Resource(
        group=spec.group,
        version=version.name,
        name=accepted.plural,
        kind=accepted.kind,
        namespaced=spec.scope == "Namespaced",
        singular=accepted.singular,
        verbs=TERMINATING_VERBS if terminating else VERBS,
        short_names=tuple(accepted.shortNames),
        categories=tuple(accepted.categories),
        carrier=carrier,
    )
    subresources = version.subresources or apiextensions_v1.CustomResourceSubresources()
    checks = _Checks(resource, carrier, subresources.scale)
    has_status = subresources.status is not None
    labels = [field.jsonPath.removeprefix(".") for field in version.selectableFields]
    return kinds.Kind(
        resource=resource,
        prepare_create=_refuser(resource) if terminating else _nothing,
        prepare_status=_keep_metadata,
        validate=checks.create,
        validate_update=checks.update,
        validate_status=checks.status,
        ratchets=True,
        check_name=names.dns_subdomain,
        has_status=has_status,
        spec_of=_without_status if has_status else _content,
        columns=columns.of(version),
        row=columns.row(version),
        field_labels=labels,
        selectable=_selectable(labels) if labels else None,
        warnings=_warnings,
        scale=scaling.of(subresources.scale),
        schema=_form(carrier).tree,
        stored_version=next((one.name for one in spec.versions if one.storage and one.served), ""),
    )


def _nothing(_: Any) -> None:
    return None


def _refuser(resource: scheme.Resource) -> Callable[[custom.Object], None]:
    def refuse(obj: custom.Object) -> None:
        why = "create not allowed while custom resource definition is terminating"
        raise errors.forbidden(resource.group, resource.name, obj.metadata.name, why)

    return refuse


def _keep_metadata(new: custom.Object, old: custom.Object) -> None:
    """A write of the status changes nothing of the metadata but who owns which fields."""
    meta = codecs.copy(old.metadata)
    meta.managedFields = new.metadata.managedFields
    meta.resourceVersion = new.metadata.resourceVersion
    new.metadata = meta


def _content(obj: custom.Object) -> custom.Tree:
    return obj.content


def _without_status(obj: custom.Object) -> custom.Tree:
    return {name: value for name, value in obj.content.items() if name != "status"}


def _selectable(labels: Sequence[str]) -> Callable[[custom.Object], Mapping[str, str]]:
    finders = [(label, jsonpath.compiled(f".{label}")) for label in labels]

    def values(obj: custom.Object) -> Mapping[str, str]:
        found = {}
        for label, find in finders:
            value = next(iter(find(obj.content)), None)
            found[label] = "" if value is None else columns.text(value)
        return found

    return values


def _warnings(obj: custom.Object) -> Sequence[str]:
    texts = []
    for name in sorted(obj.metadata.finalizers):
        if "/" in name or name in _STANDARD_FINALIZERS:
            continue
        prefer = "including a path (/) " if "." in name else ""
        texts.append(
            f'metadata.finalizers: "{name}": prefer a domain-qualified finalizer name {prefer}to avoid accidental '
            "conflicts with other finalizer writers"
        )
    return texts


class _Checks:
    """The validation of objects of one version."""

    def __init__(
        self,
        resource: scheme.Resource,
        carrier: type[custom.Object],
        scale: apiextensions_v1.CustomResourceSubresourceScale | None,
    ) -> None:
        self._resource = resource
        self._carrier = carrier
        self._scale = scale

    @property
    def _schema(self) -> schemas.Schema:
        return _form(self._carrier).schema

    def create(self, obj: custom.Object) -> Errors:
        tree, schema = _tree(obj), self._schema
        problems = self._identity(obj)
        if problems:
            return problems
        problems = validation.validate(tree, schema)
        problems += scaling.validate(obj.content, self._scale, status_only=False)
        problems += embedded.validate(tree, schema, fields.Path())
        problems += listtypes.validate(tree, schema, fields.Path())
        return problems + self._by_rules(problems, tree, None)

    def update(self, new: custom.Object, old: custom.Object) -> Errors:
        problems = self._identity(new)
        if problems:
            return problems
        tree, before, schema = _tree(new), _tree(old), self._schema
        problems = validation.validate(tree, schema, old=validation.Old(before, schema))
        problems += scaling.validate(new.content, self._scale, status_only=False)
        problems += embedded.validate(tree, schema, fields.Path())
        problems += self._lists(tree, before)
        return problems + self._by_rules(problems, tree, before)

    def status(self, new: custom.Object, old: custom.Object) -> Errors:
        problems = self._identity(new)
        if problems:
            return problems
        tree, before, schema = _tree(new), _tree(old), self._schema
        of_status = schema.properties.get("status")
        if of_status is not None and "status" in tree:
            past = validation.Old(before["status"], of_status) if "status" in before else None
            problems += validation.validate(tree["status"], of_status, old=past, under="status")
        problems += scaling.validate(new.content, self._scale, status_only=True)
        problems += self._lists(tree, before)
        return problems + self._by_rules(problems, tree, before)

    def _identity(self, obj: custom.Object) -> Errors:
        problems = []
        for name, wanted in (("kind", self._resource.kind), ("apiVersion", self._resource.api_version)):
            stated = getattr(obj, name)
            if stated != wanted:
                problems.append(fields.invalid(fields.Path(name), stated, f"must be {wanted}"))
        return problems

    def _lists(self, new: schemas.Tree, old: schemas.Tree) -> Errors:
        problems = listtypes.validate(new, self._schema, fields.Path())
        return problems if problems and not listtypes.validate(old, self._schema, fields.Path()) else []

    def _by_rules(self, problems: Errors, new: schemas.Tree, old: schemas.Tree | None) -> Errors:
        if not self._schema.has_rules:
            return []
        if any(problem.reason in _BLOCKING for problem in problems):
            return [fields.invalid(fields.Path(validation.NOWHERE), None, UNCHECKED)]
        # The language is large, and most schemas do without it.
        from pybernetes.apiserver.extensions.custom import rules

        return rules.check(new, old, self._schema)


def _tree(obj: custom.Object) -> schemas.Tree:
    metadata = codecs.to_tree(obj.metadata)
    return {"apiVersion": obj.apiVersion, "kind": obj.kind, "metadata": metadata, **obj.content}


def deprecation(definition: Definition, version: Version) -> str:
    """The warning that every request of a deprecated version is given; "" for others."""
    if not version.deprecated:
        return ""
    if version.deprecationWarning is not None:
        return version.deprecationWarning
    group, kind = definition.spec.group, definition.spec.names.kind
    text = f"{group}/{version.name} {kind} is deprecated"
    newer = [
        other.name
        for other in definition.spec.versions
        if other.served and not other.deprecated and versions.priority(other.name) > versions.priority(version.name)
    ]
    return f"{text}; use {group}/{max(newer, key=versions.priority)} {kind}" if newer else text
