"""Keeps the graph in step with what is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from pybernetes.api.types import core_v1
from pybernetes.apiserver.authz.node import graph, references
from pybernetes.apiserver.storage import changes, selection, watchers
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import item as items

# (group, resource) whose objects belong to a node, as their `spec.nodeName` says.
OWNED = (
    ("storage.k8s.io", "volumeattachments"),
    ("resource.k8s.io", "resourceslices"),
    ("certificates.k8s.io", "podcertificaterequests"),
)
Find = Callable[[str, str], collections.Collection | None]
# (item, whether it is gone)
Tell = Callable[[items.Item, bool], None]


def start(known: graph.Graph, find: Find) -> None:
    """Tell the graph what there is, and from now on what changes. `find` finds collections that have been opened."""
    known.own(resource for _, resource in OWNED)
    for collection, tell in _sources(known, find):
        for item in collection.select(selection.EVERYTHING).items:
            tell(item, False)
        collection.watchers.add(watchers.GroupKey(selection.EVERYTHING, _not_encoded), _Receiver(tell), ())


def _sources(known: graph.Graph, find: Find) -> Iterator[tuple[collections.Collection, Tell]]:
    telling: Mapping[tuple[str, str], Callable[[graph.Graph, collections.Collection], Tell]] = {
        ("", "pods"): _pods,
        ("", "persistentvolumes"): _volumes,
        **{key: _owned(key[1]) for key in OWNED},
    }
    for key, make in telling.items():
        collection = find(*key)
        if collection is not None:
            yield collection, make(known, collection)


def _pods(known: graph.Graph, pods: collections.Collection) -> Tell:
    def tell(item: items.Item, gone: bool) -> None:
        if gone:
            known.pod_gone(_name(item, pods))
        else:
            known.pod(item.peek(references.Pod))

    return tell


def _volumes(known: graph.Graph, volumes: collections.Collection) -> Tell:
    def tell(item: items.Item, gone: bool) -> None:
        if gone:
            known.volume_gone(item.name)
        else:
            known.volume(item.peek(core_v1.PersistentVolume))

    return tell


def _owned(resource: str) -> Callable[[graph.Graph, collections.Collection], Tell]:
    def make(known: graph.Graph, collection: collections.Collection) -> Tell:
        def tell(item: items.Item, gone: bool) -> None:
            node = "" if gone else item.peek(references.OfNode).spec.nodeName or ""
            known.owned(resource, _name(item, collection), node)

        return tell

    return make


def _name(item: items.Item, collection: collections.Collection) -> graph.Name:
    namespace, _, name = item.key.removeprefix(collection.prefix).rpartition("/")
    return namespace, name


def _not_encoded(event: str, item: items.Item) -> bytes:
    """Having an encoder says that the cache need not keep whole objects."""
    return b""


class _Receiver:
    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def events(self, events: Sequence[tuple[str, items.Item]], frames: Sequence[bytes]) -> None:
        for event, item in events:
            self._tell(item, event == changes.DELETED)

    def initial_events_end(self, revision: int) -> None:
        """Not asked for."""

    def bookmark(self, revision: int) -> None:
        """Nothing has changed."""

    def end(self) -> None:
        """These are always stored."""
