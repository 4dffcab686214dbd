"""Compaction by one of several API servers at a time, upstream's way, so that ours and upstream's can take turns.

The version of one key counts the compactions. Who finds it at what he last knew, takes the turn by writing it; who
does not, learns that another one has, and waits for the next.
"""

from __future__ import annotations

from pybernetes.store import protocol
from pybernetes.store.etcd import client as clients
from pybernetes.store.etcd import names
from pybernetes.store.etcd.v3 import etcd_pb2 as pb


class Compaction:
    """The turns of one API server."""

    def __init__(self, client: clients.Client) -> None:
        self._client = client
        self._turn = 0

    async def start(self) -> None:
        """Learn whose turn it is. Raises Unavailable."""
        found = await self._read()
        self._turn = found.version if found is not None else 0

    async def compact(self, revision: int) -> None:
        """Compact to the revision, unless another API server has done so since the last time. Raises Unavailable."""
        compare = pb.Compare(target=pb.Compare.VERSION, key=names.COMPACTED, version=self._turn)
        take = pb.RequestOp(put=pb.PutRequest(key=names.COMPACTED, value=str(revision).encode()))
        look = pb.RequestOp(range=pb.RangeRequest(key=names.COMPACTED))
        request = pb.TxnRequest(compare=[compare], success=[take], failure=[look])
        answer = await self._client.call(clients.TXN, request)
        if not answer.succeeded:
            kvs = answer.responses[0].range.kvs
            self._turn = kvs[0].version if kvs else 0
            return
        self._turn += 1
        try:
            await self._client.call(clients.COMPACT, pb.CompactionRequest(revision=revision))
        except clients.Compacted:
            # To there or farther, already.
            return
        except clients.Future:
            raise protocol.Unavailable(clients.FUTURE) from None

    async def oldest(self) -> int:
        """The revision that was last compacted to; 0 if none is known."""
        found = await self._read()
        return int(found.value) if found is not None and found.value.isdigit() else 0

    async def _read(self) -> pb.KeyValue | None:
        page = await self._client.call(clients.RANGE, pb.RangeRequest(key=names.COMPACTED))
        return page.kvs[0] if page.kvs else None
