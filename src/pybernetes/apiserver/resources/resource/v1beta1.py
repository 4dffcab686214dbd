"""resource.k8s.io/v1beta1: requests had no `exactly` around what they ask, devices a `basic` around all they are."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from pybernetes.api import codecs
from pybernetes.api.types import resource_v1, resource_v1beta1
from pybernetes.apiserver.resources import kind, views
from pybernetes.apiserver.resources.resource import resourceclaims, resourceclaimtemplates, resourceslices

_EXACT = ("adminAccess", "allocationMode", "capacity", "count", "deviceClassName", "selectors", "tolerations")
_BASIC = tuple(resource_v1beta1.BasicDevice.__struct_fields__)

Reshape = Callable[[dict[str, Any]], None]


def _convert(to: Any, reshape: Reshape, obj: Any) -> Any:
    tree = codecs.to_tree(obj)
    tree["apiVersion"] = to().apiVersion
    reshape(tree.get("spec", {}))
    return codecs.from_tree(to, tree)


def _new_requests(spec: dict[str, Any]) -> None:
    for request in spec.get("devices", {}).get("requests", ()):
        exact = {name: request.pop(name) for name in _EXACT if name in request}
        # With alternatives, the class is written all the same, and empty.
        if exact != {"deviceClassName": ""} or not request.get("firstAvailable"):
            request["exactly"] = exact


def _old_requests(spec: dict[str, Any]) -> None:
    for request in spec.get("devices", {}).get("requests", ()):
        request.update(request.pop("exactly", {}))


def _in_template(reshape: Reshape) -> Reshape:
    return lambda spec: reshape(spec.get("spec", {}))


def _new_devices(spec: dict[str, Any]) -> None:
    for device in spec.get("devices", ()):
        device.update(device.pop("basic", {}))


def _old_devices(spec: dict[str, Any]) -> None:
    for device in spec.get("devices", ()):
        device["basic"] = {name: device.pop(name) for name in _BASIC if name in device}


def _view(base: kind.Kind[Any], now: Any, then: Any, new: Reshape, old: Reshape) -> kind.Kind[Any]:
    return views.converted(
        base,
        "resource.k8s.io",
        "v1beta1",
        to_stored=functools.partial(_convert, now, new),
        from_stored=functools.partial(_convert, then, old),
    )


CLAIMS = _view(
    resourceclaims.KIND,
    resource_v1.ResourceClaim,
    resource_v1beta1.ResourceClaim,
    _new_requests,
    _old_requests,
)
TEMPLATES = _view(
    resourceclaimtemplates.KIND,
    resource_v1.ResourceClaimTemplate,
    resource_v1beta1.ResourceClaimTemplate,
    _in_template(_new_requests),
    _in_template(_old_requests),
)
SLICES = _view(
    resourceslices.KIND,
    resource_v1.ResourceSlice,
    resource_v1beta1.ResourceSlice,
    _new_devices,
    _old_devices,
)
