"""Revisions of a DaemonSet's or StatefulSet's pod template, kept as ControllerRevisions so that a rollout can go back.

A revision's data is the patch that would put its template into place; its name carries the hash of that data.
"""

from __future__ import annotations

import json
from typing import Any

from pybernetes.api import codecs, errors, selectors
from pybernetes.api.types import apps_v1, core_v1, meta_v1
from pybernetes.client import Client
from pybernetes.controllers import owners
from pybernetes.informers import Informer
from pybernetes.kits import chance

HASH_LABEL = "controller-revision-hash"
NAME_LENGTH = 223
Revisions = list[apps_v1.ControllerRevision]


def data_of(template: core_v1.PodTemplateSpec) -> dict[str, Any]:
    """The patch that makes a set's template this one, byte for byte as upstream writes it, which compares bytes:
    keys in order, and `resources` shown where they are empty."""
    tree = {**codecs.to_tree(template), "$patch": "replace"}
    spec = tree["spec"]
    for word in ("initContainers", "containers", "ephemeralContainers"):
        if word in spec:
            spec[word] = [{"resources": {}, **container} for container in spec[word]]
    sorted_: dict[str, Any] = json.loads(json.dumps({"spec": {"template": tree}}, sort_keys=True))
    return sorted_


def _hash(data: Any, collisions: int | None) -> str:
    text = json.dumps(data, sort_keys=True).encode()
    value = 2166136261
    for byte in text + (b"" if collisions is None else str(collisions).encode()):
        value = ((value * 16777619) & 0xFFFFFFFF) ^ byte
    alphabet = chance.NAME_ALPHABET
    return "".join(alphabet[ord(digit) % len(alphabet)] for digit in str(value))


def same(one: apps_v1.ControllerRevision, other: apps_v1.ControllerRevision) -> bool:
    return json.dumps(one.data, sort_keys=True) == json.dumps(other.data, sort_keys=True)


def build(
    owner: Any, template: core_v1.PodTemplateSpec, number: int, collisions: int | None
) -> apps_v1.ControllerRevision:
    data = data_of(template)
    digest = _hash(data, collisions)
    labels = {**template.metadata.labels, HASH_LABEL: digest}
    return apps_v1.ControllerRevision(
        metadata=meta_v1.ObjectMeta(
            name=f"{owner.metadata.name[:NAME_LENGTH]}-{digest}",
            namespace=owner.metadata.namespace,
            labels=labels,
            annotations=dict(owner.metadata.annotations),
            ownerReferences=[owners.reference_to(owner)],
        ),
        data=data,
        revision=number,
    )


class History:
    """The revisions of one kind of owner."""

    def __init__(self, client: Client, revisions: Informer[apps_v1.ControllerRevision]) -> None:
        self._client, self._revisions = client, revisions
        owners.index(revisions)

    async def of(self, owner: Any, selector: selectors.LabelSelector) -> Revisions:
        """The owner's revisions, oldest first."""
        found = await owners.claim(self._client, owner, selector, owners.candidates(self._revisions, owner))
        return sorted(found, key=lambda one: (one.revision, one.metadata.creationTimestamp or "", one.metadata.name))

    async def current(
        self, owner: Any, template: core_v1.PodTemplateSpec, known: Revisions, collisions: int | None
    ) -> tuple[apps_v1.ControllerRevision, int | None]:
        """The revision of that template, made or brought to the front where needed, and the collision count."""
        following = known[-1].revision + 1 if known else 1
        while True:
            wanted = build(owner, template, following, collisions)
            equal = [one for one in known if same(one, wanted)]
            if equal:
                return await self._renumbered(equal[-1], following, is_last=equal[-1] is known[-1]), collisions
            try:
                return await self._client.create(wanted), collisions
            except errors.StatusError as error:
                if error.reason != "AlreadyExists":
                    raise
            there = await self._client.get(apps_v1.ControllerRevision, wanted.metadata.name, wanted.metadata.namespace)
            if same(there, wanted) and owners.is_controlled_by(there, owner):
                return there, collisions
            collisions = (collisions or 0) + 1

    async def _renumbered(
        self, one: apps_v1.ControllerRevision, following: int, *, is_last: bool
    ) -> apps_v1.ControllerRevision:
        """A revision that is returned to becomes the latest."""
        if is_last:
            return one
        copy = codecs.copy(one)
        copy.revision = following
        return await self._client.update(copy)

    async def prune(self, known: Revisions, used: set[str], limit: int) -> None:
        """Delete the oldest revisions beyond the limit; those whose hash is in use stay."""
        idle = [one for one in known if one.metadata.labels.get(HASH_LABEL) not in used]
        for one in idle[: max(len(idle) - limit, 0)]:
            try:
                await self._client.delete(apps_v1.ControllerRevision, one.metadata.name, one.metadata.namespace)
            except errors.StatusError as error:
                if error.reason != "NotFound":
                    raise
