"""Who controls an object: controller references, and the adoption and release that keep them true to selectors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

from pybernetes.api import codecs, errors, selectors
from pybernetes.api.types import meta_v1
from pybernetes.client import Client, resource_of, transport
from pybernetes.informers import Informer


class Object(Protocol):
    """What all kinds have."""

    metadata: meta_v1.ObjectMeta


T = TypeVar("T", bound=Object)

# The index of objects by their controller's uid; what nobody controls is filed under `orphans/<namespace>`.
INDEX = "controller"


def controller_of(obj: Object) -> meta_v1.OwnerReference | None:
    for reference in obj.metadata.ownerReferences:
        if reference.controller:
            return reference
    return None


def is_controlled_by(obj: Any, owner: Any) -> bool:
    reference = controller_of(obj)
    return reference is not None and reference.uid == owner.metadata.uid


def reference_to(owner: Any) -> meta_v1.OwnerReference:
    """The controller reference that marks what an owner made."""
    resource = resource_of(owner.__class__)
    return meta_v1.OwnerReference(
        apiVersion=resource.api_version,
        kind=resource.kind,
        name=owner.metadata.name,
        uid=owner.metadata.uid,
        controller=True,
        blockOwnerDeletion=True,
    )


def index(informer: Informer[Any]) -> None:
    """Declare INDEX; harmless where it is there already."""
    informer.add_index(INDEX, _filed_under)


def _filed_under(obj: Any) -> Iterable[str]:
    reference = controller_of(obj)
    return (reference.uid if reference is not None else f"orphans/{obj.metadata.namespace}",)


def candidates(informer: Informer[T], owner: Any) -> list[T]:
    """What the owner controls, and what nobody in its namespace does."""
    owned = informer.cache.index(INDEX, owner.metadata.uid)
    return owned + informer.cache.index(INDEX, f"orphans/{owner.metadata.namespace}")


async def claim(
    client: Client, owner: Any, selector: selectors.LabelSelector, objects: Iterable[T], *, finalizer: str = ""
) -> list[T]:
    """Those of the objects that belong to the owner: its own that still match, and orphans that it adopts.

    Its own that match no longer are released. Adoption is preceded, once, by a live look at the owner, because an
    owner that is going, or a new one of the same name, must not adopt. What is adopted gets the finalizer, what is
    released loses it. Raises StatusError.
    """
    claimed: list[T] = []
    checked = False
    for obj in objects:
        meta = obj.metadata
        reference = controller_of(obj)
        matches = selector.matches(meta.labels)
        if reference is not None:
            if reference.uid != owner.metadata.uid:
                continue
            if matches:
                claimed.append(obj)
            elif owner.metadata.deletionTimestamp is None:
                await _release(client, obj, owner, finalizer)
            continue
        if not matches or owner.metadata.deletionTimestamp is not None or meta.deletionTimestamp is not None:
            continue
        if not checked:
            await _check_alive(client, owner)
            checked = True
        adopted = await _adopt(client, obj, owner, finalizer)
        if adopted is not None:
            claimed.append(adopted)
    return claimed


async def _check_alive(client: Client, owner: Any) -> None:
    fresh = await client.get(owner.__class__, owner.metadata.name, owner.metadata.namespace)
    if fresh.metadata.uid != owner.metadata.uid or fresh.metadata.deletionTimestamp is not None:
        resource = resource_of(owner.__class__)
        raise errors.conflict(resource.group, resource.name, owner.metadata.name, "it is gone, or going")


async def _adopt(client: Client, obj: T, owner: Any, finalizer: str) -> T | None:
    meta = obj.metadata
    missing = [finalizer] if finalizer and finalizer not in meta.finalizers else []
    adopted: T | None = await _set_owners(
        client, obj, [*meta.ownerReferences, reference_to(owner)], [*meta.finalizers, *missing]
    )
    return adopted


async def _release(client: Client, obj: Any, owner: Any, finalizer: str) -> None:
    meta = obj.metadata
    references = [reference for reference in meta.ownerReferences if reference.uid != owner.metadata.uid]
    await _set_owners(client, obj, references, [known for known in meta.finalizers if known != finalizer])


async def _set_owners(client: Client, obj: Any, references: list[meta_v1.OwnerReference], finalizers: list[str]) -> Any:
    meta = obj.metadata
    wanted: dict[str, Any] = {
        "uid": meta.uid,
        "resourceVersion": meta.resourceVersion,
        "ownerReferences": [codecs.to_tree(reference) for reference in references],
    }
    if finalizers != meta.finalizers:
        wanted["finalizers"] = finalizers
    try:
        return await client.patch(
            obj.__class__, meta.name, meta.namespace, {"metadata": wanted}, kind=transport.MERGE_PATCH
        )
    except errors.StatusError as error:
        if error.reason in ("NotFound", "Invalid"):
            # Gone, or replaced by another of the same name: nothing to own.
            return None
        raise
