"""Secrets."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence

from pybernetes.api import fields, names
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.core import base64s, configmaps

_DATA = fields.Path("data")
_ACCOUNT = "kubernetes.io/service-account.name"
_REQUIRED = {
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
_JSON = {
    "kubernetes.io/dockercfg": ".dockercfg",
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
}


def default(secret: core_v1.Secret) -> None:
    secret.type = secret.type or "Opaque"
    base64s.check(secret.data, secret)
    # stringData is for writing only: it is merged into data and never read back.
    for key, text in secret.stringData.items():
        secret.data[key] = base64.b64encode(text.encode()).decode()
    secret.stringData = {}


def validate(secret: core_v1.Secret) -> checks.Errors:
    problems: checks.Errors = []
    for key in secret.data:
        problems += checks.named(key, names.config_map_key, _DATA.key(key))
    if base64s.size(secret.data) > configmaps.MAX_SIZE:
        problems.append(fields.too_long(_DATA, configmaps.MAX_SIZE))
    if secret.type == "kubernetes.io/service-account-token" and not secret.metadata.annotations.get(_ACCOUNT):
        problems.append(fields.required(fields.Path("metadata")["annotations"].key(_ACCOUNT)))
    if secret.type == "kubernetes.io/basic-auth" and not secret.data.keys() & {"username", "password"}:
        problems += [fields.required(_DATA.key(key)) for key in ("username", "password")]
    problems += [fields.required(_DATA.key(key)) for key in _REQUIRED.get(secret.type, ()) if key not in secret.data]
    if secret.type in _JSON:
        problems += _json(secret, _JSON[secret.type])
    return problems


def _json(secret: core_v1.Secret, key: str) -> checks.Errors:
    path = _DATA.key(key)
    if key not in secret.data:
        return [fields.required(path)]
    try:
        parsed = json.loads(base64s.decode(secret.data[key]))
    except ValueError as error:
        return [fields.invalid(path, "<secret contents redacted>", str(error))]
    if not isinstance(parsed, dict):
        words = "json: cannot unmarshal into Go value of type map[string]interface {}"
        return [fields.invalid(path, "<secret contents redacted>", words)]
    return []


def validate_update(new: core_v1.Secret, old: core_v1.Secret) -> checks.Errors:
    problems = checks.immutable(new.type, old.type, fields.Path("type"))
    if old.immutable:
        if not new.immutable:
            problems.append(fields.forbidden(fields.Path("immutable"), configmaps.FROZEN))
        if new.data != old.data:
            problems.append(fields.forbidden(_DATA, configmaps.FROZEN))
    return problems


def prepare_update(new: core_v1.Secret, old: core_v1.Secret) -> None:
    new.type = new.type or old.type


def row(secret: core_v1.Secret, now: float) -> Sequence[kind.Cell]:
    return secret.metadata.name, secret.type, len(secret.data), cells.age(secret.metadata, now)


def selectable(secret: core_v1.Secret) -> Mapping[str, str]:
    return {"type": secret.type}


KIND: kind.Kind[core_v1.Secret] = kind.Kind(
    resource=kind.resource("", "v1", "secrets"),
    default=default,
    prepare_update=prepare_update,
    validate=validate,
    validate_update=validate_update,
    columns=(kind.NAME, kind.Column("Type"), kind.Column("Data"), kind.AGE),
    row=row,
    field_labels=("type",),
    selectable=selectable,
)
