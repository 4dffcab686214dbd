"""From a definition to what the registry serves: a kind and a collection for each version that is served."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

from pybernetes import store as stores
from pybernetes.api.types import apiextensions_v1
from pybernetes.apiserver import registry as registries
from pybernetes.apiserver.extensions.custom import collections as versions
from pybernetes.apiserver.extensions.custom import conversion, kinds
from pybernetes.apiserver.forwarding import webhooks as webhooks_
from pybernetes.apiserver.storage import keys, selection
from pybernetes.kits import chance as chances
from pybernetes.kits import tasks as tasks_

Definition = apiextensions_v1.CustomResourceDefinition
CONVERSION_SECONDS = 30.0


@dataclass(slots=True)
class Served:
    """What is served for a definition, and what that was made from. `stored` is there also where it is not served."""

    made_from: bytes
    stored: versions.Version
    terminating: bool = False
    collections: dict[registries.Key, versions.Version] = field(default_factory=dict)
    warnings: dict[registries.Key, str] = field(default_factory=dict)


def served(
    definition: Definition,
    store: stores.Store,
    converter: conversion.Converter,
    tasks: tasks_.Tasks,
    *,
    made_from: bytes,
) -> Served:
    """The collections of the versions; none is loaded before it is asked for."""
    types = kinds.types_of(definition)
    group, plural = definition.spec.group, definition.status.acceptedNames.plural
    storage = next(version for version in definition.spec.versions if version.storage)

    def collect(version: apiextensions_v1.CustomResourceDefinitionVersion) -> versions.Version:
        carrier = types[f"{group}/{version.name}"]
        kind = kinds.make(definition, version, carrier)
        return versions.Version(
            store,
            prefix=keys.prefix(kind.resource),
            selectable=selection.Selectable(carrier, kind.selectable, kind.resource.namespaced),
            carrier=carrier,
            stored=types[f"{group}/{storage.name}"],
            types=types,
            converter=converter,
            tasks=tasks,
        )

    stored = collect(storage)
    result = Served(made_from, stored)
    for version in definition.spec.versions:
        if version.served:
            key = (group, version.name, plural)
            result.collections[key] = stored if version is storage else collect(version)
            result.warnings[key] = kinds.deprecation(definition, version)
    return result


def add_kinds(
    registry: registries.Registry,
    definition: Definition,
    served: Served,
    *,
    terminating: bool,
) -> None:
    """Put the kinds of all served versions into the registry, in the place of what was there."""
    served.terminating = terminating
    for version in definition.spec.versions:
        collection = served.collections.get(
            (definition.spec.group, version.name, definition.status.acceptedNames.plural)
        )
        if collection is not None:
            kind = kinds.make(definition, version, collection.carrier, terminating=terminating)
            registry.add(kind, collection)


def converter(definition: Definition, webhooks: webhooks_.Webhooks, chance: chances.Chance) -> conversion.Converter:
    """How objects get from one version to another."""
    declared = definition.spec.conversion
    if declared is None or declared.strategy != "Webhook" or declared.webhook is None:
        return conversion.Renaming()
    config = declared.webhook.clientConfig or apiextensions_v1.WebhookClientConfig()
    return conversion.Asking(definition, functools.partial(webhooks.call, config, seconds=CONVERSION_SECONDS), chance)
