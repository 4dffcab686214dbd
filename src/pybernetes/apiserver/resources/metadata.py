"""Validation of `metadata`, the same for all kinds; only the grammar of the name differs."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

from pybernetes.api import fields, names, scheme
from pybernetes.api.types import meta_v1
from pybernetes.apiserver.resources import checks

_META = fields.Path("metadata")
_STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")


def validate_create(
    meta: meta_v1.ObjectMeta, resource: scheme.Resource, check_name: Callable[[str], Sequence[str]]
) -> checks.Errors:
    """A new object's metadata; the name has been generated where it was asked for."""
    problems: checks.Errors = []
    if meta.generateName:
        problems += checks.named(meta.generateName, names.prefix(_as_list(check_name)), _META["generateName"])
    if not meta.name:
        problems.append(fields.required(_META["name"], "name or generateName is required"))
    else:
        problems += checks.named(meta.name, check_name, _META["name"])
    if resource.namespaced:
        if not meta.namespace:
            problems.append(fields.required(_META["namespace"]))
        else:
            problems += checks.named(meta.namespace, names.dns_label, _META["namespace"])
    elif meta.namespace:
        problems.append(fields.forbidden(_META["namespace"], "not allowed on this type"))
    problems += checks.not_negative(meta.generation, _META["generation"])
    problems += checks.labels(meta.labels, _META["labels"])
    problems += checks.annotation_map(meta.annotations, _META["annotations"])
    problems += owner_references(meta.ownerReferences, _META["ownerReferences"])
    problems += _managed_fields(meta.managedFields, _META["managedFields"])
    problems += finalizers(meta.finalizers, _META["finalizers"])
    if not resource.group:
        problems += _core_finalizers(meta)
    return problems


_FIXED = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")
_fixed = operator.attrgetter(*_FIXED)


def validate_update(new: meta_v1.ObjectMeta, old: meta_v1.ObjectMeta) -> checks.Errors:
    """What may not change has not, and what did is well-formed."""
    problems: checks.Errors = []
    if old.deletionTimestamp is not None:
        extra = sorted(set(new.finalizers) - set(old.finalizers))
        if extra:
            listed = ", ".join(f'"{name}"' for name in extra)
            words = (
                "no new finalizers can be added if the object is being deleted, "
                f"found new finalizers []string{{{listed}}}"
            )
            problems.append(fields.forbidden(_META["finalizers"], words))
    if new.generation < old.generation:
        problems.append(fields.invalid(_META["generation"], new.generation, "must not be decremented"))
    if _fixed(new) != _fixed(old):
        for name in _FIXED:
            problems += checks.immutable(getattr(new, name), getattr(old, name), _META[name])
    # What was there before was checked when it came; most writes change none of it.
    if new.labels != old.labels:
        problems += checks.labels(new.labels, _META["labels"])
    if new.annotations != old.annotations:
        problems += checks.annotation_map(new.annotations, _META["annotations"])
    if new.ownerReferences != old.ownerReferences:
        problems += owner_references(new.ownerReferences, _META["ownerReferences"])
    if new.managedFields != old.managedFields:
        problems += _managed_fields(new.managedFields, _META["managedFields"])
    if new.finalizers != old.finalizers:
        problems += finalizers(new.finalizers, _META["finalizers"])
    return problems


def _as_list(check: Callable[[str], Sequence[str]]) -> names.Check:
    return lambda value: list(check(value))


def owner_references(references: Sequence[meta_v1.OwnerReference], path: fields.Path) -> checks.Errors:
    """Each complete, and at most one of them the controller."""
    problems: checks.Errors = []
    controller = ""
    for reference in references:
        version = reference.apiVersion.rpartition("/")[2]
        if not version:
            words = "version must not be empty"
            problems.append(fields.invalid(path["apiVersion"], reference.apiVersion, words))
        for name in ("kind", "name", "uid"):
            if not getattr(reference, name):
                problems.append(fields.invalid(path[name], getattr(reference, name), "must not be empty"))
        if (reference.apiVersion, reference.kind) == ("v1", "Event"):
            words = "/v1, Kind=Event is disallowed from being an owner"
            problems.append(fields.invalid(path, reference, words))
        if reference.controller:
            current = f"{reference.kind}/{reference.name}"
            if controller:
                words = (
                    'Only one reference can have Controller set to true. Found "true" in references for '
                    f"{controller} and {current}"
                )
                problems.append(fields.invalid(path, list(references), words))
            else:
                controller = current
    return problems


def finalizers(values: Sequence[str], path: fields.Path) -> checks.Errors:
    """Qualified names; orphaning and foreground deletion exclude each other."""
    problems: checks.Errors = []
    for value in values:
        problems += checks.named(value, names.qualified_name, path)
    if "orphan" in values and "foregroundDeletion" in values:
        words = "finalizer orphan and foregroundDeletion cannot be both set"
        problems.append(fields.invalid(path, list(values), words))
    return problems


def _core_finalizers(meta: meta_v1.ObjectMeta) -> checks.Errors:
    words = "name is neither a standard finalizer name nor is it fully qualified"
    return [
        fields.invalid(_META["finalizers"][index], name, words)
        for index, name in enumerate(meta.finalizers)
        if "/" not in name and name not in _STANDARD_FINALIZERS
    ]


def _managed_fields(entries: Sequence[meta_v1.ManagedFieldsEntry], path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    for index, entry in enumerate(entries):
        at = path[index]
        if entry.operation not in ("Apply", "Update"):
            problems.append(fields.invalid(at["operation"], entry.operation, "must be `Apply` or `Update`"))
        if entry.fieldsType and entry.fieldsType != "FieldsV1":
            problems.append(fields.invalid(at["fieldsType"], entry.fieldsType, "must be `FieldsV1`"))
        if len(entry.manager.encode()) > 128:
            problems.append(fields.too_long(at["manager"], 128))
        if not entry.manager.isprintable():
            words = "should only contain printable characters"
            problems.append(fields.invalid(at["manager"], entry.manager, words))
        if len(entry.subresource.encode()) > 256:
            problems.append(fields.too_long(at["subresource"], 256))
    return problems
