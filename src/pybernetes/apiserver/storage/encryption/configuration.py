"""The file of `--encryption-provider-config`: which resources are sealed, by which providers and keys."""

from __future__ import annotations

import base64
import binascii
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from pybernetes.api import codecs, fields, wording
from pybernetes.apiserver.storage.encryption import providers
from pybernetes.kits import chance as chances

VERSIONS = ("apiserver.config.k8s.io/v1", "apiserver.k8s.io/v1")
KIND = "EncryptionConfiguration"
AES_SIZES, BOX_SIZES = (16, 24, 32), (32,)
_RANGES = ("apiserveripinfo", "serviceipallocations", "servicenodeportallocations")
_ROOT = fields.Path("resources")


class ConfigurationError(ValueError):
    """A file that cannot be used, in upstream's words."""


class Key(msgspec.Struct):
    name: str = ""
    secret: str = ""


class Keys(msgspec.Struct):
    keys: list[Key] = []


class Provider(msgspec.Struct):
    """Exactly one is there."""

    aesgcm: Keys | None = None
    aescbc: Keys | None = None
    secretbox: Keys | None = None
    identity: dict[str, Any] | None = None
    kms: dict[str, Any] | None = None


class Resources(msgspec.Struct):
    resources: list[str] = []
    providers: list[Provider] = []


class Configuration(msgspec.Struct, forbid_unknown_fields=True):
    apiVersion: str = ""
    kind: str = ""
    resources: list[Resources] = []

    def providers_of(self, group: str, resource: str, chance: chances.Chance) -> providers.Providers | None:
        """None for a resource that is not sealed."""
        for entry in self.resources:
            if any(_covers(text, group, resource) for text in entry.resources):
                made = [one for provider in entry.providers for one in _made(provider, chance)]
                return providers.Providers(made)
        return None


def read(path: pathlib.Path) -> Configuration:
    """Raises ConfigurationError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f'error opening encryption provider configuration file "{path}": {error}') from None
    try:
        return parse(data)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def parse(data: bytes) -> Configuration:
    """YAML or JSON. Raises ConfigurationError."""
    try:
        found = msgspec.convert(codecs.decode_yaml(data), Configuration)
    except (codecs.DecodeError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"error decoding encryption provider configuration file: {error}") from None
    if found.apiVersion not in VERSIONS or found.kind != KIND:
        raise ConfigurationError(f"got unexpected config type: {found.apiVersion}, Kind={found.kind}")
    problems = list(_problems(found))
    if problems:
        raise ConfigurationError(wording.aggregate(map(str, problems)))
    return found


def _covers(text: str, group: str, resource: str) -> bool:
    name, _, of = text.partition(".")
    return of in ("*", group) and name in ("*", resource)


def _made(provider: Provider, chance: chances.Chance) -> Iterator[providers.Provider]:
    if provider.identity is not None:
        yield providers.Identity()
    for kind, keys in (
        (providers.AesGcm, provider.aesgcm),
        (providers.AesCbc, provider.aescbc),
        (providers.Secretbox, provider.secretbox),
    ):
        for key in keys.keys if keys is not None else ():
            yield kind(key.name, base64.b64decode(key.secret), chance)


def _problems(found: Configuration) -> Iterator[fields.FieldError]:
    if not found.resources:
        yield fields.required(_ROOT, f"at least one {_ROOT} is required")
    for index, entry in enumerate(found.resources):
        listed, given = _ROOT[index]["resources"], _ROOT[index]["providers"]
        if not entry.resources:
            yield fields.required(listed, f"at least one {listed} is required")
        yield from _overlaps(entry.resources, listed)
        yield from _names(entry.resources, listed)
        if not entry.providers:
            yield fields.required(given, f"at least one {given} is required")
        for at, provider in enumerate(entry.providers):
            yield from _provider(provider, given[at])


def _overlaps(names: Sequence[str], path: fields.Path) -> Iterator[fields.FieldError]:
    if len(set(names)) < len(names):
        yield fields.invalid(path, list(names), "the same resource cannot be specified multiple times")
    split = [name.partition(".")[::2] for name in dict.fromkeys(names)]
    groups = [group for _, group in split]
    masked = any(pair == ("*", "*") for pair in split) and len(split) > 1
    if masked or any(name == "*" and groups.count(group) > 1 for name, group in split):
        words = (
            "using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as they "
            "will be masked"
        )
        yield fields.invalid(path, list(names), words)


def _names(names: Sequence[str], path: fields.Path) -> Iterator[fields.FieldError]:
    for index, text in enumerate(names):
        name, _, group = text.partition(".")
        words = ""
        if text != text.lower():
            words = "resource name should not contain capital letters"
        elif text == "*":
            words = "use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources"
        elif text in _RANGES:
            words = "resources which do not have REST API/s cannot be encrypted"
        elif group == "events.k8s.io":
            words = (
                "'*.events.k8s.io' objects are stored using the 'events' API group in etcd. Use 'events' instead in "
                "the config file"
            )
        elif group == "extensions":
            words = "'extensions' group has been removed and cannot be used for encryption"
        elif group == "*" and name != "*":
            words = "encrypting the same resource across groups is not supported"
        if words:
            yield fields.invalid(path[index], text, words)


def _provider(provider: Provider, path: fields.Path) -> Iterator[fields.FieldError]:
    named = [name for name in Provider.__struct_fields__ if getattr(provider, name) is not None]
    if not named:
        words = "provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity"
        yield fields.invalid(path, {}, words)
    elif len(named) > 1:
        words = "more than one provider specified in a single element, should split into different list elements"
        # Without the keys that they hold.
        yield fields.invalid(path, named, words)
    elif named == ["kms"]:
        yield fields.forbidden(path["kms"], "key management services are not supported")
    elif named != ["identity"]:
        sizes = BOX_SIZES if named == ["secretbox"] else AES_SIZES
        yield from _keys(getattr(provider, named[0]).keys, path[named[0]]["keys"], sizes)


def _keys(keys: Sequence[Key], path: fields.Path, sizes: Sequence[int]) -> Iterator[fields.FieldError]:
    if not keys:
        yield fields.required(path, "at least one keys is required")
    for index, key in enumerate(keys):
        at = path[index]
        if not key.name:
            yield fields.required(at["name"], "name is a mandatory field for a key")
        if not key.secret:
            yield fields.required(at["secret"], "secret is a mandatory field for a key")
            continue
        try:
            size = len(base64.b64decode(key.secret, validate=True))
        except (binascii.Error, ValueError):
            yield fields.invalid(at["secret"], "REDACTED", "secrets must be base64 encoded")
            continue
        if size not in sizes:
            words = f"secret is not of the expected length, got {size}, expected one of [{' '.join(map(str, sizes))}]"
            yield fields.invalid(at["secret"], "REDACTED", words)
