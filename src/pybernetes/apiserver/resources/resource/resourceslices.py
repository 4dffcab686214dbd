"""ResourceSlices: which devices a driver has, part by part of its pools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pybernetes.api import fields
from pybernetes.api.types import resource_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.resource import devices, slice_devices

_SPEC = fields.Path("spec")
_MAX_DEVICES = 128
_MAX_COSTLY_DEVICES = 64
_MAX_COUNTER_SETS = 8


def stamp(new: resource_v1.ResourceSlice, _: resource_v1.ResourceSlice | None, __: str, writing: kind.Writing) -> None:
    for device in new.spec.devices:
        for taint in device.taints:
            taint.timeAdded = taint.timeAdded or writing.time


def prepare(new: resource_v1.ResourceSlice, *_: resource_v1.ResourceSlice) -> None:
    """Drop what is behind feature gates that are off: lists as attributes, mappings to a node's own resources."""
    for device in new.spec.devices:
        device.nodeAllocatableResourceMappings = {}
        for attribute in device.attributes.values():
            attribute.bools, attribute.ints, attribute.strings, attribute.versions = [], [], [], []


def validate(resource_slice: resource_v1.ResourceSlice) -> checks.Errors:
    return _problems(resource_slice, None)


def validate_update(new: resource_v1.ResourceSlice, old: resource_v1.ResourceSlice) -> checks.Errors:
    problems = _problems(new, old)
    spec, was = new.spec, old.spec
    problems += checks.immutable(spec.pool.name, was.pool.name, _SPEC["pool"]["name"])
    for name in ("driver", "nodeName"):
        problems += checks.immutable(getattr(spec, name), getattr(was, name), _SPEC[name])
    return problems


def _problems(resource_slice: resource_v1.ResourceSlice, old: resource_v1.ResourceSlice | None) -> checks.Errors:
    spec = resource_slice.spec
    before = {device.name: device for device in old.spec.devices} if old is not None else {}

    def device(value: resource_v1.Device, path: fields.Path) -> checks.Errors:
        return slice_devices.validate(value, before.get(value.name), bool(spec.perDeviceNodeSelection), path)

    problems = devices.driver(spec.driver, _SPEC["driver"]) + _pool(spec.pool, _SPEC["pool"]) + _nodes(spec)
    if spec.sharedCounters and spec.devices:
        problems.append(fields.invalid(_SPEC, "", "only one of `sharedCounters` or `devices` is allowed"))
    costly = any(value.taints or value.consumesCounters for value in spec.devices)
    limit = _MAX_COSTLY_DEVICES if costly else _MAX_DEVICES
    problems += devices.distinct(spec.devices, limit, device, lambda value: value.name, _SPEC["devices"])
    at = _SPEC["sharedCounters"]
    return problems + devices.distinct(
        spec.sharedCounters, _MAX_COUNTER_SETS, slice_devices.counter_set, lambda value: value.name, at
    )


def _pool(pool: resource_v1.ResourcePool, path: fields.Path) -> checks.Errors:
    problems = devices.pool(pool.name, path["name"])
    if pool.resourceSliceCount <= 0:
        at = path["resourceSliceCount"]
        problems.append(fields.invalid(at, pool.resourceSliceCount, "must be greater than zero"))
    if pool.generation < 0:
        words = "must be greater than or equal to zero"
        problems.append(fields.invalid(path["generation"], pool.generation, words))
    return problems


def _nodes(spec: resource_v1.ResourceSliceSpec) -> checks.Errors:
    empty = "must be either unset or set to a non-empty string"
    given, problems = slice_devices.node_choices(spec, _SPEC, empty=empty)
    if spec.nodeSelector is not None and len(spec.nodeSelector.nodeSelectorTerms) != 1:
        path, terms = _SPEC["nodeSelector"]["nodeSelectorTerms"], spec.nodeSelector.nodeSelectorTerms
        problems.append(fields.invalid(path, terms, "must have exactly one node selector term"))
    if spec.perDeviceNodeSelection:
        given.append("`perDeviceNodeSelection`")
    elif spec.perDeviceNodeSelection is not None:
        words = "must be either unset or set to true"
        problems.append(fields.invalid(_SPEC["perDeviceNodeSelection"], False, words))
    words = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
    if not given:
        problems.append(fields.required(_SPEC, words))
    elif len(given) > 1:
        words += ", but multiple fields are set"
        problems.append(fields.invalid(_SPEC, f"{{{', '.join(given)}}}", words))
    return problems


def row(resource_slice: resource_v1.ResourceSlice, now: float) -> Sequence[kind.Cell]:
    spec, meta = resource_slice.spec, resource_slice.metadata
    return meta.name, spec.nodeName or "<unset>", spec.driver, spec.pool.name, cells.age(meta, now)


def selectable(resource_slice: resource_v1.ResourceSlice) -> Mapping[str, str]:
    return {"spec.nodeName": resource_slice.spec.nodeName or "", "spec.driver": resource_slice.spec.driver}


KIND: kind.Kind[resource_v1.ResourceSlice] = kind.Kind(
    resource=kind.resource("resource.k8s.io", "v1", "resourceslices"),
    prepare_create=prepare,
    prepare_update=prepare,
    stamp=stamp,
    validate=validate,
    validate_update=validate_update,
    ratchets=True,
    spec_of=lambda resource_slice: resource_slice.spec,
    columns=(kind.NAME, kind.Column("Node"), kind.Column("Driver"), kind.Column("Pool"), kind.AGE),
    row=row,
    field_labels=("spec.nodeName", "spec.driver"),
    selectable=selectable,
)
