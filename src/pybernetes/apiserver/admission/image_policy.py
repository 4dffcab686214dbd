"""ImagePolicyWebhook: a server of one's own says which images may run. It is named by a kubeconfig file.

Its configuration, as upstream's: `imagePolicy` with `kubeConfigFile`, `allowTTL` and `denyTTL` in seconds,
`retryBackoff` in milliseconds, `defaultAllow` for when it does not answer. 0 is the default, -1 is none.
"""

from __future__ import annotations

import pathlib
from collections import OrderedDict
from typing import Any

from pybernetes.api import codecs
from pybernetes.api.types import core_v1
from pybernetes.apiserver.admission import hosts, plugin
from pybernetes.apiserver.forwarding import reviewers

_FAILED_OPEN = "alpha.image-policy.k8s.io/failed-open"
_AUDIT = "imagepolicywebhook.image-policy.k8s.io/"
_MOST_ANSWERS = 1024


class ImagePolicyWebhook(plugin.Plugin):
    name = "ImagePolicyWebhook"
    operations = (plugin.CREATE, plugin.UPDATE)
    resources = ("pods", "pods/ephemeralcontainers")

    def __init__(self, host: hosts.Host) -> None:
        given = (host.configuration.get(self.name) or {}).get("imagePolicy")
        if not given:
            raise ValueError("ImagePolicyWebhook: no config specified")
        self._seconds = {
            True: duration("allow cache", given.get("allowTTL") or 0, 1.0, 300.0),
            False: duration("deny cache", given.get("denyTTL") or 0, 1.0, 30.0),
        }
        self._reviewer = reviewers.Reviewer(
            pathlib.Path(given.get("kubeConfigFile") or ""),
            clock=host.clock,
            backoff=duration("backoff", given.get("retryBackoff") or 0, 1e-3, reviewers.BACKOFF_SECONDS),
        )
        self._allows = bool(given.get("defaultAllow"))
        self._clock = host.clock
        # What was asked -> what was answered, and until when that holds.
        self._answers: OrderedDict[bytes, tuple[dict[str, Any], float]] = OrderedDict()

    async def close(self) -> None:
        await self._reviewer.close()

    async def validate(self, attributes: plugin.Attributes) -> None:
        pod: core_v1.Pod = attributes.obj
        asked = _spec(pod, attributes)
        try:
            status = await self._answer(asked)
        except reviewers.ReviewError as error:
            if not self._allows:
                raise attributes.forbidden(str(error)) from None
            attributes.note({f"{_AUDIT}failed-open": "true"})
            pod.metadata.annotations[_FAILED_OPEN] = "true"
            return
        noted = status.get("auditAnnotations") or {}
        attributes.note({_AUDIT + key: str(value) for key, value in noted.items()})
        if status.get("allowed") is True:
            return
        reason = status.get("reason")
        if reason:
            raise attributes.forbidden(f"image policy webhook backend denied one or more images: {reason}")
        raise attributes.forbidden("one or more images rejected by webhook backend")

    async def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        key, now = codecs.encode(asked), self._clock.monotonic()
        known = self._answers.get(key)
        if known is not None and known[1] > now:
            return known[0]
        review = {"apiVersion": "imagepolicy.k8s.io/v1alpha1", "kind": "ImageReview", "spec": asked}
        status = await self._reviewer.ask(review)
        self._answers[key] = (status, now + self._seconds[status.get("allowed") is True])
        self._answers.move_to_end(key)
        if len(self._answers) > _MOST_ANSWERS:
            self._answers.popitem(last=False)
        return status


def duration(name: str, value: float, unit: float, usual: float) -> float:
    """In seconds. Raises ValueError."""
    if value == -1:
        return 0.0
    if value == 0:
        return usual
    most = 300.0 if name == "backoff" else 1800.0
    if not 0 < value * unit <= most:
        raise ValueError(f"ImagePolicyWebhook: {name}: valid value is between {unit:g}s and {most:g}s, got {value}")
    return value * unit


def _spec(pod: core_v1.Pod, attributes: plugin.Attributes) -> dict[str, Any]:
    images = [container.image for container in (*pod.spec.containers, *pod.spec.initContainers)]
    if attributes.subresource:
        images = [container.image for container in pod.spec.ephemeralContainers]
    annotations = {key: value for key, value in pod.metadata.annotations.items() if ".image-policy.k8s.io/" in key}
    spec: dict[str, Any] = {"containers": [{"image": image} for image in images], "namespace": attributes.namespace}
    return spec | ({"annotations": annotations} if annotations else {})
