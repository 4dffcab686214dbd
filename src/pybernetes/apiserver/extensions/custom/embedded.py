"""Resources within resources (`x-kubernetes-embedded-resource`): what says what they are, and their metadata."""

from __future__ import annotations

from typing import Any

from pybernetes.api import codecs, fields, names, scheme, wording
from pybernetes.api.types import meta_v1
from pybernetes.apiserver.extensions.custom import schema as schemas
from pybernetes.apiserver.resources import metadata

Errors = list[fields.FieldError]


def validate(value: Any, schema: schemas.Schema | None, path: fields.Path) -> Errors:
    """Errors of all embedded resources at and below a value."""
    if schema is None:
        return []
    problems: Errors = []
    if isinstance(value, dict):
        if schema.embedded:
            problems += _resource(value, path)
        for name, held in value.items():
            if name in schema.properties:
                problems += validate(held, schema.properties[name], path[name])
            elif schema.additional is not None:
                problems += validate(held, schema.additional, path.key(name))
    elif isinstance(value, list):
        for at, held in enumerate(value):
            problems += validate(held, schema.items, path[at])
    return problems


def _resource(value: dict[str, Any], path: fields.Path) -> Errors:
    problems = [fields.required(path[name]) for name in ("apiVersion", "kind") if name not in value]
    for name in ("apiVersion", "kind"):
        stated = value.get(name, "unstated")
        if not isinstance(stated, str):
            problems.append(fields.invalid(path[name], stated, "must be a string"))
        elif not stated:
            problems.append(fields.invalid(path[name], stated, "must not be empty"))
        elif name == "apiVersion" and stated.count("/") > 1:
            problems.append(fields.invalid(path[name], stated, f"unexpected GroupVersion string: {stated}"))
        elif name == "kind" and (wrong := names.dns1035_label(stated.lower())):
            words = f"may have mixed case, but should otherwise match: {','.join(wrong)}"
            problems.append(fields.invalid(path[name], stated, words))
    if "metadata" in value:
        problems += _metadata(value["metadata"], path)
    return problems


def _metadata(tree: Any, path: fields.Path) -> Errors:
    try:
        meta = codecs.from_tree(meta_v1.ObjectMeta, tree or {})
    except codecs.DecodeError as error:
        return [fields.invalid(path["metadata"], tree, wording.unmarshal(meta_v1.ObjectMeta, str(error)))]
    # A name is not asked for, but what is given has to be one.
    meta.name = meta.name or "fakename"
    resource = scheme.Resource(group="-", version="", name="", kind="", namespaced=bool(meta.namespace))
    problems = metadata.validate_create(meta, resource, names.path_segment)
    return [
        problem._replace(field=f"{path.text}.{problem.field}" if path.text else problem.field) for problem in problems
    ]
