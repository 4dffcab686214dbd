"""AlwaysPullImages: whoever runs an image has to be able to pull it, also where the node has it already."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pybernetes.api import errors, fields, wording
from pybernetes.api.types import core_v1
from pybernetes.apiserver.admission import plugin

_SPEC = fields.Path("spec")
_LISTS = ("initContainers", "containers", "ephemeralContainers")


class AlwaysPullImages(plugin.Plugin):
    name = "AlwaysPullImages"
    operations = (plugin.CREATE, plugin.UPDATE)
    resources = ("pods",)

    async def admit(self, attributes: plugin.Attributes) -> None:
        if _is_known(attributes):
            return
        for _, holder, name in _policies(attributes.obj.spec):
            setattr(holder, name, "Always")

    async def validate(self, attributes: plugin.Attributes) -> None:
        if _is_known(attributes):
            return
        problems = [
            str(attributes.forbidden(str(fields.not_supported(path, value, ("Always",)))))
            for path, holder, name in _policies(attributes.obj.spec)
            if (value := getattr(holder, name)) != "Always"
        ]
        if problems:
            raise errors.internal(wording.aggregate(problems))


def _policies(spec: core_v1.PodSpec) -> Iterator[tuple[fields.Path, Any, str]]:
    """Where pull policies are: path, holder and field."""
    for listed in _LISTS:
        for index, container in enumerate(getattr(spec, listed)):
            yield _SPEC[listed][index]["imagePullPolicy"], container, "imagePullPolicy"
    for index, volume in enumerate(spec.volumes):
        if volume.image is not None:
            yield _SPEC["volumes"][index]["image"]["pullPolicy"], volume.image, "pullPolicy"


def _is_known(attributes: plugin.Attributes) -> bool:
    """Whether an update runs nothing new."""
    return attributes.old is not None and _images(attributes.obj) <= _images(attributes.old)


def _images(pod: core_v1.Pod) -> set[str]:
    return {container.image for listed in _LISTS for container in getattr(pod.spec, listed)}
