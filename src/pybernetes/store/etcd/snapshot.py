"""etcd's own snapshot of a running cluster, as `etcdctl snapshot save` takes it: all its data, then their SHA-256."""

from __future__ import annotations

import hashlib
import os
import pathlib
from typing import NamedTuple

from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.store import protocol
from pybernetes.store.etcd import client as clients
from pybernetes.store.etcd import options as options_
from pybernetes.store.etcd.v3 import etcd_pb2 as pb

DIGEST = hashlib.sha256().digest_size


class Summary(NamedTuple):
    """How many bytes were saved, from the state at or after which revision."""

    revision: int
    size: int


async def save(
    options: options_.Options, file: pathlib.Path, *, clock: clocks.Clock, chance: chances.Chance
) -> Summary:
    """Write a snapshot that only its owner can read; whole or not at all. Raises Unavailable."""
    client = clients.Client(options, clock=clock, chance=chance)
    partial = file.with_name(file.name + ".partial")
    try:
        # Finds a member that answers; and etcd knows of nothing older afterwards.
        status = await client.call(clients.STATUS, pb.StatusRequest())
        size = await _write(client, partial)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
        await client.close()
    return Summary(status.header.revision, size)


async def _write(client: clients.Client, partial: pathlib.Path) -> int:
    digest, tail, size = hashlib.sha256(), b"", 0
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        async for blob in client.snapshot():
            out.write(blob)
            size += len(blob)
            tail += blob
            digest.update(tail[:-DIGEST])
            tail = tail[-DIGEST:]
        out.flush()
        os.fsync(out.fileno())
    if digest.digest() != tail:
        raise protocol.Unavailable("the snapshot did not arrive whole")
    return size
