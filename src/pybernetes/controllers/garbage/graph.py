"""Who owns whom: the graph the garbage collector decides by. Pure: changes in, objects to look at out.

Nodes are objects, by uid. An owner that something refers to before it has been seen itself is a *virtual* node: it
is looked up on the server, and where it does not exist, what it owns is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pybernetes.api import scheme
from pybernetes.api.types import meta_v1

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"


@dataclass(slots=True, eq=False)
class Node:
    """One object. A virtual one has `resource` None and knows its kind from the reference alone."""

    uid: str
    namespace: str
    name: str
    api_version: str
    kind: str
    resource: scheme.Resource | None = None
    owners: list[meta_v1.OwnerReference] = field(default_factory=list)
    dependents: dict[str, Node] = field(default_factory=dict)
    being_deleted: bool = False
    deleting_dependents: bool = False
    orphaning: bool = False

    @property
    def virtual(self) -> bool:
        return self.resource is None

    def blocking_dependents(self) -> list[Node]:
        """Those that must go before it may, where it is deleted in the foreground."""
        return [
            dependent
            for dependent in self.dependents.values()
            if any(ref.uid == self.uid and ref.blockOwnerDeletion for ref in dependent.owners)
        ]


@dataclass(slots=True)
class Looks:
    """What to do next, by uid."""

    delete: list[str] = field(default_factory=list)
    orphan: list[str] = field(default_factory=list)


class Graph:
    """See above."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}

    def put(self, resource: scheme.Resource, obj: Any) -> Looks:
        """An object was added or changed."""
        looks = Looks()
        meta = obj.metadata
        node = self.nodes.get(meta.uid)
        if node is None:
            node = self.nodes[meta.uid] = Node(meta.uid, meta.namespace, meta.name, resource.api_version, resource.kind)
        # A reference may have named it wrongly; what the server says counts.
        node.namespace, node.name = meta.namespace, meta.name
        node.api_version, node.kind, node.resource = resource.api_version, resource.kind, resource
        if node.owners != meta.ownerReferences:
            self._set_owners(node, meta.ownerReferences, looks)
        node.being_deleted = meta.deletionTimestamp is not None
        orphaning = node.being_deleted and ORPHAN in meta.finalizers
        if orphaning and not node.orphaning:
            looks.orphan.append(node.uid)
        node.orphaning = orphaning
        deleting = node.being_deleted and FOREGROUND in meta.finalizers
        if deleting and not node.deleting_dependents:
            looks.delete += [*node.dependents, node.uid]
        node.deleting_dependents = deleting
        return looks

    def remove(self, uid: str) -> Looks:
        """An object is gone."""
        looks = Looks()
        node = self.nodes.pop(uid, None)
        if node is None:
            return looks
        for reference in node.owners:
            owner = self.nodes.get(reference.uid)
            if owner is not None:
                owner.dependents.pop(uid, None)
                if owner.deleting_dependents:
                    looks.delete.append(owner.uid)
                elif owner.virtual and not owner.dependents:
                    del self.nodes[owner.uid]
        looks.delete += node.dependents
        return looks

    def _set_owners(self, node: Node, references: list[meta_v1.OwnerReference], looks: Looks) -> None:
        before = {reference.uid: reference for reference in node.owners}
        after = {reference.uid: reference for reference in references}
        node.owners = references
        for uid, reference in before.items():
            owner = self.nodes.get(uid)
            if owner is None:
                continue
            if uid not in after:
                owner.dependents.pop(node.uid, None)
            no_longer_blocks = reference.blockOwnerDeletion and not (uid in after and after[uid].blockOwnerDeletion)
            if no_longer_blocks and owner.deleting_dependents:
                looks.delete.append(uid)
        for uid, reference in after.items():
            owner = self.nodes.get(uid)
            if owner is None:
                owner = self.nodes[uid] = Node(
                    uid, node.namespace, reference.name, reference.apiVersion, reference.kind
                )
                looks.delete.append(uid)
            elif uid not in before and owner.deleting_dependents:
                # It came to be owned after the owner's dependents were looked at.
                looks.delete.append(node.uid)
            owner.dependents[node.uid] = node
