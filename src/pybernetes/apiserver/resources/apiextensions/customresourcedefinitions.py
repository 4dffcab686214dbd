"""CustomResourceDefinitions. What they bring about is `extensions/custom`; here is what they may say."""

from __future__ import annotations

from typing import Any

from pybernetes.api import codecs, errors, fields, wording
from pybernetes.api.types import apiextensions_v1
from pybernetes.apiserver.resources import kind as kinds

Definition = apiextensions_v1.CustomResourceDefinition
FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
HTTPS = 443


def default(definition: Definition) -> None:
    spec = definition.spec
    names = spec.names
    names.singular = names.singular or names.kind.lower()
    if not names.listKind and names.kind:
        names.listKind = f"{names.kind}List"
    if spec.conversion is None:
        spec.conversion = apiextensions_v1.CustomResourceConversion(strategy="None")
    hook = spec.conversion.webhook
    if hook is not None and hook.clientConfig is not None and hook.clientConfig.service is not None:
        service = hook.clientConfig.service
        service.port = HTTPS if service.port is None else service.port
    try:
        for version in spec.versions:
            if version.schema is not None and version.schema.openAPIV3Schema is not None:
                settle(version.schema.openAPIV3Schema)
    except codecs.DecodeError as error:
        why = wording.unmarshal(apiextensions_v1.JSONSchemaProps, str(error))
        raise errors.bad_request(
            'CustomResourceDefinition in version "v1" cannot be handled as a CustomResourceDefinition: ' + why
        ) from None


def settle(schema: apiextensions_v1.JSONSchemaProps) -> None:
    """Read what may be a schema or something else (`items`, `additionalProperties`) as what it is."""
    schema.items = _settled(schema.items)
    schema.additionalProperties = _settled(schema.additionalProperties)
    schema.additionalItems = _settled(schema.additionalItems)
    for listed in (schema.allOf, schema.anyOf, schema.oneOf):
        for inner in listed:
            settle(inner)
    for held in (schema.properties, schema.patternProperties, schema.definitions):
        for inner in held.values():
            settle(inner)
    if schema.not_ is not None:
        settle(schema.not_)


def _settled(value: Any) -> Any:
    if isinstance(value, dict):
        value = codecs.from_tree(apiextensions_v1.JSONSchemaProps, value)
    if isinstance(value, apiextensions_v1.JSONSchemaProps):
        settle(value)
    elif isinstance(value, list):
        return [_settled(item) for item in value]
    return value


def _keep_stored(definition: Definition) -> None:
    for version in definition.spec.versions:
        if version.storage:
            if version.name not in definition.status.storedVersions:
                definition.status.storedVersions = [*definition.status.storedVersions, version.name]
            return


def prepare_update(new: Definition, old: Definition) -> None:
    new.status = codecs.copy(old).status
    _keep_stored(new)


def prepare_delete(definition: Definition, time: str) -> None:
    """Instances go first; only then does the definition."""
    if FINALIZER not in definition.metadata.finalizers:
        definition.metadata.finalizers = [*definition.metadata.finalizers, FINALIZER]
    from pybernetes.apiserver.extensions.custom import names

    words = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
    pending = names.condition(names.TERMINATING, True, "InstanceDeletionPending", words)
    names.set_condition(definition, pending, time)


def validate(definition: Definition) -> list[fields.FieldError]:
    # Checking schemas takes a good part of `extensions/custom`, which a server without definitions does not need.
    from pybernetes.apiserver.resources.apiextensions import definition_validation

    return definition_validation.create(definition)


def validate_update(new: Definition, old: Definition) -> list[fields.FieldError]:
    from pybernetes.apiserver.resources.apiextensions import definition_validation

    return definition_validation.update(new, old)


def validate_status(new: Definition, old: Definition) -> list[fields.FieldError]:
    from pybernetes.apiserver.resources.apiextensions import naming

    return naming.validate(new.status.acceptedNames, fields.Path("status")["acceptedNames"])


def warnings(definition: Definition) -> list[str]:
    """Formats that mean nothing."""
    from pybernetes.apiserver.resources.apiextensions import definition_validation

    return [f'unrecognized format "{name}"' for name in definition_validation.unrecognised_formats(definition)]


KIND: kinds.Kind[Definition] = kinds.Kind(
    resource=kinds.resource("apiextensions.k8s.io", "v1", "customresourcedefinitions"),
    default=default,
    prepare_create=_keep_stored,
    prepare_update=prepare_update,
    prepare_delete=prepare_delete,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    ratchets=True,
    has_status=True,
    spec_of=lambda definition: definition.spec,
    columns=(kinds.NAME, kinds.Column("Created At", type="date")),
    row=lambda definition, _: (definition.metadata.name, definition.metadata.creationTimestamp or ""),
    warnings=warnings,
)
