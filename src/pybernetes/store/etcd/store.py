"""The `Store` protocol over a real etcd."""

from __future__ import annotations

from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.store import protocol
from pybernetes.store.etcd import options as options_


class EtcdStore:
    """Made by `open`."""


async def open(options: options_.Options, *, clock: clocks.Clock, chance: chances.Chance) -> protocol.Store:  # noqa: A001
    """Connect and follow the cluster from now on. Raises Unavailable if no member answers."""
    raise protocol.Unavailable("not connected")
