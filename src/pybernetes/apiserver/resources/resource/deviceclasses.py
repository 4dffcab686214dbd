"""DeviceClasses: what kinds of devices there are to ask for."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields
from pybernetes.api.types import resource_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.core import resource_validation
from pybernetes.apiserver.resources.resource import devices

_SPEC = fields.Path("spec")


def validate(device_class: resource_v1.DeviceClass) -> checks.Errors:
    return _problems(device_class, None)


def validate_update(new: resource_v1.DeviceClass, old: resource_v1.DeviceClass) -> checks.Errors:
    return _problems(new, old)


def _problems(device_class: resource_v1.DeviceClass, old: resource_v1.DeviceClass | None) -> checks.Errors:
    spec = device_class.spec
    problems = devices.listed(spec.selectors, devices.MAX_SELECTORS, devices.selector, _SPEC["selectors"])
    stored = old is not None and checks.same(spec.config, old.spec.config)

    def configuration(value: resource_v1.DeviceClassConfiguration, path: fields.Path) -> checks.Errors:
        return devices.configuration(value.opaque, path, stored=stored)

    problems += devices.listed(spec.config, devices.MAX_CONFIGURATIONS, configuration, _SPEC["config"])
    name = spec.extendedResourceName
    if name is not None and not resource_validation.is_extended(name):
        words = "must be a valid extended resource name"
        problems.append(fields.invalid(_SPEC["extendedResourceName"], name, words))
    return problems


def row(device_class: resource_v1.DeviceClass, now: float) -> Sequence[kind.Cell]:
    return device_class.metadata.name, cells.age(device_class.metadata, now)


KIND: kind.Kind[resource_v1.DeviceClass] = kind.Kind(
    resource=kind.resource("resource.k8s.io", "v1", "deviceclasses"),
    validate=validate,
    validate_update=validate_update,
    ratchets=True,
    spec_of=lambda device_class: device_class.spec,
    columns=(kind.NAME, kind.AGE),
    row=row,
)
