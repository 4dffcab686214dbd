"""What a CustomResourceDefinition may say, in upstream's words; what an old one got away with, an update may keep."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from pybernetes.api import fields, names
from pybernetes.api.types import apiextensions_v1
from pybernetes.apiserver.extensions.custom import approval, formats, kinds
from pybernetes.apiserver.extensions.custom import names as conditions
from pybernetes.apiserver.resources import checks
from pybernetes.apiserver.resources.apiextensions import naming, schema_validation, selectable, webhooks

Errors = list[fields.FieldError]
Definition = apiextensions_v1.CustomResourceDefinition
Version = apiextensions_v1.CustomResourceDefinitionVersion

_SPEC, _STATUS = fields.Path("spec"), fields.Path("status")
SCOPES = ("Cluster", "Namespaced")
COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
COLUMN_FORMATS = (
    "binary",
    "byte",
    "date",
    "date-time",
    "double",
    "float",
    "int32",
    "int64",
    "password",
)


def create(definition: Definition) -> Errors:
    problems: Errors = []
    wanted = f"{definition.spec.names.plural}.{definition.spec.group}"
    if definition.metadata.name and definition.metadata.name != wanted:
        words = 'must be spec.names.plural+"."+spec.group'
        problems.append(fields.invalid(fields.Path("metadata")["name"], definition.metadata.name, words))
    problems += _spec(definition.spec, schema_validation.Leniency(), any_bundle=True)
    return problems + _rest(definition, None)


def update(new: Definition, old: Definition) -> Errors:
    lenient = schema_validation.Leniency.of([kinds.schema_of(version) for version in old.spec.versions])
    established = conditions.is_true(old, conditions.ESTABLISHED)
    any_bundle = not established or webhooks.has_bad_bundle(old.spec.conversion)
    problems = _spec(new.spec, lenient, any_bundle=any_bundle, old=old.spec)
    if established:
        problems += checks.immutable(new.spec.scope, old.spec.scope, _SPEC["scope"])
        problems += checks.immutable(new.spec.names.kind, old.spec.names.kind, _SPEC["names"]["kind"])
    problems += checks.immutable(new.spec.group, old.spec.group, _SPEC["group"])
    problems += checks.immutable(new.spec.names.plural, old.spec.names.plural, _SPEC["names"]["plural"])
    return problems + _rest(new, old)


def _rest(definition: Definition, old: Definition | None) -> Errors:
    problems = naming.validate(definition.status.acceptedNames, _STATUS["acceptedNames"])
    problems += _stored_versions(definition)
    problems += _approval(definition, old)
    if definition.spec.preserveUnknownFields and not (old is not None and old.spec.preserveUnknownFields):
        words = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        )
        problems.append(fields.invalid(_SPEC["preserveUnknownFields"], True, words))
    return problems


def _stored_versions(definition: Definition) -> Errors:
    path, stored = _STATUS["storedVersions"], definition.status.storedVersions
    if not stored:
        return [fields.invalid(path, stored, "must have at least one stored version")]
    problems = [
        fields.invalid(path, stored, f"must have the storage version {version.name}")
        for version in definition.spec.versions
        if version.storage and version.name not in stored
    ]
    known = {version.name for version in definition.spec.versions}
    for at, name in enumerate(stored):
        if name not in known:
            words = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in "
                f"spec.versions until a storage migration ensures no data remains persisted in {name} and removes "
                f"{name} from status.storedVersions"
            )
            problems.append(fields.invalid(path[at], name, words))
    return problems


def _approval(definition: Definition, old: Definition | None) -> Errors:
    if not approval.is_protected(definition.spec.group):
        return []
    state, words = approval.state(definition)
    if old is not None and approval.state(old)[0] == state:
        return []
    path = fields.Path("metadata")["annotations"].key(approval.ANNOTATION)
    if state == approval.MISSING:
        return [fields.required(path, words)]
    if state == approval.INVALID:
        return [fields.invalid(path, definition.metadata.annotations[approval.ANNOTATION], words)]
    return []


# -- spec


def _spec(
    spec: apiextensions_v1.CustomResourceDefinitionSpec,
    lenient: schema_validation.Leniency,
    *,
    any_bundle: bool,
    old: apiextensions_v1.CustomResourceDefinitionSpec | None = None,
) -> Errors:
    problems = _group(spec.group)
    problems += checks.required_one_of(spec.scope, SCOPES, _SPEC["scope"])
    path = _SPEC["versions"]
    if lenient.schemas_required:
        for at, version in enumerate(spec.versions):
            if version.schema is None or version.schema.openAPIV3Schema is None:
                problems.append(fields.required(path[at]["schema"]["openAPIV3Schema"]))
    before = {version.name: version for version in old.versions} if old is not None else {}
    for at, version in enumerate(spec.versions):
        problems += naming.label(version.name, path[at]["name"])
        problems += _version(version, path[at], lenient, before.get(version.name))
    listed = [version.name for version in spec.versions]
    if len(set(listed)) != len(listed):
        problems.append(fields.invalid(path, spec.versions, "must contain unique version names"))
    if sum(version.storage for version in spec.versions) != 1:
        words = "must have exactly one version marked as storage version"
        problems.append(fields.invalid(path, spec.versions, words))
    problems += naming.required(spec.names, _SPEC["names"])
    problems += naming.validate(spec.names, _SPEC["names"])
    return problems + webhooks.conversion(spec.conversion, _SPEC["conversion"], any_bundle=any_bundle)


def _group(group: str) -> Errors:
    path = _SPEC["group"]
    if not group:
        return [fields.required(path)]
    if wrong := names.dns_subdomain(group):
        return [fields.invalid(path, group, ",".join(wrong))]
    if "." not in group:
        return [fields.invalid(path, group, "should be a domain with at least one dot")]
    return []


def _version(version: Version, path: fields.Path, lenient: schema_validation.Leniency, old: Version | None) -> Errors:
    problems = [
        fields.invalid(path["deprecationWarning"], version.deprecationWarning, words) for words in _deprecation(version)
    ]
    has_status = version.subresources is not None and version.subresources.status is not None
    tree = kinds.schema_of(version)
    if version.schema is not None and version.schema.openAPIV3Schema is not None:
        at = path["schema"]["openAPIV3Schema"]
        problems += schema_validation.validate(tree, at, has_status=has_status, lenient=lenient)
    problems += _subresources(version.subresources, path["subresources"])
    for at_column, column in enumerate(version.additionalPrinterColumns):
        problems += _column(column, path["additionalPrinterColumns"][at_column])
    if version.selectableFields:
        known = old.selectableFields if old is not None else []
        problems += selectable.validate(version, tree, path, known=known)
    return problems


def _deprecation(version: Version) -> Iterator[str]:
    text = version.deprecationWarning
    if text is None:
        return
    if not version.deprecated:
        yield "can only be set for deprecated versions"
        return
    if len(text.encode()) > 256:
        yield "must be <= 256 characters long"
    if not text:
        yield "must not be an empty string"
    for at, char in enumerate(text):
        if unicodedata.category(char)[0] in "CZ" and char != " ":
            words = "must only contain printable UTF-8 characters; non-printable character found at index"
            yield f"{words} {len(text[:at].encode())}"
            return


def _subresources(value: apiextensions_v1.CustomResourceSubresources | None, path: fields.Path) -> Errors:
    if value is None or value.scale is None:
        return []
    problems: Errors = []
    for name, roots in (("specReplicasPath", (".spec.",)), ("statusReplicasPath", (".status.",))):
        stated, at = getattr(value.scale, name), path[f"scale.{name}"]
        problems += _simple_path(stated, at, roots) if stated else [fields.required(at)]
    if value.scale.labelSelectorPath:
        at = path["scale.labelSelectorPath"]
        problems += _simple_path(value.scale.labelSelectorPath, at, (".spec.", ".status."))
    return problems


def _simple_path(value: str, path: fields.Path, roots: tuple[str, ...] = ()) -> Errors:
    if not value.startswith("."):
        return [fields.invalid(path, value, "must be a simple json path starting with .")]
    if roots and not value.startswith(roots):
        under = " or ".join(root.rstrip(".") for root in roots)
        return [
            fields.invalid(path, value, f"should be a json path under {'either ' if len(roots) > 1 else ''}{under}")
        ]
    return []


def _column(column: apiextensions_v1.CustomResourceColumnDefinition, path: fields.Path) -> Errors:
    problems = [] if column.name else [fields.required(path["name"])]
    one_of = f"must be one of {','.join(COLUMN_TYPES)}"
    if not column.type:
        problems.append(fields.required(path["type"], one_of))
    elif column.type not in COLUMN_TYPES:
        problems.append(fields.invalid(path["type"], column.type, one_of))
    if column.format and column.format not in COLUMN_FORMATS:
        words = f"must be one of {','.join(COLUMN_FORMATS)}"
        problems.append(fields.invalid(path["format"], column.format, words))
    if not column.jsonPath:
        problems.append(fields.required(path["JSONPath"]))
    else:
        problems += _simple_path(column.jsonPath, path["JSONPath"])
    return problems


def unrecognised_formats(definition: Definition) -> list[str]:
    """Formats in the schemas that nothing checks."""
    return [name for version in definition.spec.versions for name in _formats(kinds.schema_of(version))]


def _formats(tree: Mapping[str, Any]) -> Iterator[str]:
    for node in schema_validation.nodes(tree):
        name, kind = node.get("format"), node.get("type", "")
        if name and not formats.recognised(name, kind):
            yield name
