"""Requests to an etcd cluster: one member after the other until one answers, or the deadline has passed.

    request -> member -> answer
                  |---> lost (no connection, no leader, no answer in time) -> wait a little -> the next member
                  +---> refused (compacted, no space, no permission) -> StoreError

A lost request may have been carried out. So only requests that do no harm when repeated go through `call`, and it says
when it has repeated one.
"""

from __future__ import annotations

import logging
import pathlib
import urllib.parse
from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, NamedTuple, TypeVar

import grpc
import grpc.aio

from pybernetes.kits import backoff as backoffs
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.store import protocol
from pybernetes.store.etcd import options as options_
from pybernetes.store.etcd.v3 import etcd_pb2 as pb

log = logging.getLogger(__name__)
Request = TypeVar("Request")
Response = TypeVar("Response")

# A member that has no leader says so itself after 7 s.
ATTEMPT_SECONDS = 5.0
TIMED_OUT = "request timed out"
# Upstream's: a member that has lost its cluster ends the watch instead of keeping silent.
REQUIRE_LEADER = (("hasleader", "true"),)
COMPACTED = "etcdserver: mvcc: required revision has been compacted"
FUTURE = "etcdserver: mvcc: required revision is a future revision"
LOST = {
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.UNKNOWN,
}
CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Members of one process's several clients do not share a broken connection.
    ("grpc.use_local_subchannel_pool", 1),
    # etcd takes pings every 5 s and no oftener.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # It is the limit of a connection attempt.
    ("grpc.min_reconnect_backoff_ms", 2_000),
]


class Lost(Exception):
    """The member did not answer, or cannot serve; whether the request was carried out is not known."""


class Compacted(Exception):
    """etcd no longer has that revision; `oldest` is 0 where it did not say which it has."""

    def __init__(self, oldest: int = 0) -> None:
        super().__init__(COMPACTED)
        self.oldest = oldest


class Future(Exception):
    """etcd does not have that revision yet."""


class Method(NamedTuple, Generic[Request, Response]):
    """A method by its path, the type of its request, and of its response."""

    path: str
    request: type[Request]
    response: type[Response]


RANGE = Method("/etcdserverpb.KV/Range", pb.RangeRequest, pb.RangeResponse)
PUT = Method("/etcdserverpb.KV/Put", pb.PutRequest, pb.PutResponse)
TXN = Method("/etcdserverpb.KV/Txn", pb.TxnRequest, pb.TxnResponse)
COMPACT = Method("/etcdserverpb.KV/Compact", pb.CompactionRequest, pb.CompactionResponse)
STATUS = Method("/etcdserverpb.Maintenance/Status", pb.StatusRequest, pb.StatusResponse)
WATCH = Method("/etcdserverpb.Watch/Watch", pb.WatchRequest, pb.WatchResponse)
SNAPSHOT = Method("/etcdserverpb.Maintenance/Snapshot", pb.SnapshotRequest, pb.SnapshotResponse)


class Stream:
    """A watch stream at one member. Whatever ends it raises Lost."""

    def __init__(self, call: Any, *, moved: Callable[[], None]) -> None:
        self._call = call
        self._moved = moved

    async def send(self, request: pb.WatchRequest) -> None:
        try:
            await self._call.write(request)
        except (grpc.RpcError, grpc.aio.UsageError) as error:
            raise self._lost(error) from None

    async def receive(self) -> pb.WatchResponse:
        try:
            response = await self._call.read()
        except (grpc.RpcError, grpc.aio.UsageError) as error:
            raise self._lost(error) from None
        if response is grpc.aio.EOF:
            raise self._lost(None)
        found: pb.WatchResponse = response
        return found

    def close(self) -> None:
        self._call.cancel()

    def _lost(self, error: Exception | None) -> Lost:
        self._moved()
        return Lost(str(error.details()) if isinstance(error, grpc.aio.AioRpcError) else "the watch has ended")


class Client:
    """Made on a running event loop. Raises Unavailable for options that cannot be."""

    def __init__(self, options: options_.Options, *, clock: clocks.Clock, chance: chances.Chance) -> None:
        self._clock = clock
        self._chance = chance
        self._deadline = options.deadline
        self._members = _channels(options)
        self._at = 0
        self._closed = False
        # Why the last request was lost.
        self.trouble = ""

    @property
    def deadline(self) -> float:
        """Seconds after which a request is given up."""
        return self._deadline

    async def call(
        self, method: Method[Request, Response], request: Request, *, doubt: Callable[[], None] | None = None
    ) -> Response:
        """The answer of the first member that has one; `doubt` is called when a request was lost on the way to it.

        Raises Unavailable, Compacted, Future.
        """
        until = self._clock.monotonic() + self._deadline
        backoff = backoffs.Backoff(first=0.02, cap=1.0, jitter=0.5, chance=self._chance)
        while True:
            if self._closed:
                raise protocol.Unavailable("the store is closed")
            left = until - self._clock.monotonic()
            if left <= 0:
                log.warning("etcd did not answer %s in %g s: %s", method.path, self._deadline, self.trouble)
                raise protocol.Unavailable(TIMED_OUT)
            at = self._at
            try:
                return await self._attempt(at, method, request, min(left, ATTEMPT_SECONDS))
            except Lost as lost:
                if doubt is not None:
                    doubt()
                self.trouble = str(lost)
            self._move(at)
            await self._clock.sleep(min(backoff.next(), max(until - self._clock.monotonic(), 0.0)))

    async def once(self, method: Method[Request, Response], request: Request) -> Response:
        """As `call`, but asks one member once. Raises Lost, too."""
        at = self._at
        try:
            return await self._attempt(at, method, request, ATTEMPT_SECONDS)
        except Lost:
            self._move(at)
            raise

    def watch(self) -> Stream:
        """A watch stream at the member that is asked at present."""
        at = self._at
        open_stream = self._members[at].stream_stream(
            WATCH.path, request_serializer=_serialized, response_deserializer=WATCH.response.FromString
        )
        return Stream(open_stream(metadata=REQUIRE_LEADER), moved=lambda: self._move(at))

    async def snapshot(self) -> AsyncIterator[bytes]:
        """etcd's own snapshot of all its data, in pieces. Raises Unavailable."""
        start = self._members[self._at].unary_stream(
            SNAPSHOT.path, request_serializer=_serialized, response_deserializer=SNAPSHOT.response.FromString
        )
        try:
            async for piece in start(pb.SnapshotRequest()):
                yield piece.blob
        except grpc.aio.AioRpcError as error:
            raise protocol.Unavailable(_words(error)) from None

    async def close(self) -> None:
        self._closed = True
        for member in self._members:
            await member.close()

    async def _attempt(self, at: int, method: Method[Request, Response], request: Request, seconds: float) -> Response:
        ask = self._members[at].unary_unary(
            method.path,
            request_serializer=_serialized,
            response_deserializer=method.response.FromString,  # type: ignore[attr-defined]
        )
        try:
            answer: Response = await ask(request, timeout=seconds)
        except grpc.aio.AioRpcError as error:
            raise _error(error) from None
        except grpc.aio.UsageError as error:
            # The channel has been closed meanwhile.
            raise Lost(str(error)) from None
        return answer

    def _move(self, at: int) -> None:
        """Whoever finds a member wanting goes on to the next, unless somebody else has already."""
        if self._at == at:
            self._at = (at + 1) % len(self._members)


def _error(error: grpc.aio.AioRpcError) -> Exception:
    if error.details() == COMPACTED:
        return Compacted()
    if error.details() == FUTURE:
        return Future()
    if error.code() in LOST:
        return Lost(f"{error.code().name}: {error.details()}")
    return protocol.Unavailable(_words(error))


def _words(error: grpc.aio.AioRpcError) -> str:
    """etcd's, without the name that whoever passes them on puts in front again."""
    return str(error.details() or error.code().name).removeprefix("etcdserver: ")


def _serialized(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data


def _channels(options: options_.Options) -> list[grpc.aio.Channel]:
    credentials = None
    made = []
    for server in options.servers:
        url = urllib.parse.urlsplit(server)
        try:
            target = f"{url.hostname}:{url.port or 2379}"
        except ValueError:
            raise protocol.Unavailable(f"{server!r} is not the URL of an etcd server") from None
        if url.scheme not in ("http", "https") or not url.hostname:
            raise protocol.Unavailable(f"{server!r} is not the URL of an etcd server")
        if ":" in url.hostname:
            target = f"[{url.hostname}]:{url.port or 2379}"
        if url.scheme == "http":
            made.append(grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS))
            continue
        credentials = credentials or _credentials(options)
        made.append(grpc.aio.secure_channel(target, credentials, options=CHANNEL_OPTIONS))
    if not made:
        raise protocol.Unavailable("no etcd server is named")
    return made


def _credentials(options: options_.Options) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        root_certificates=_read(options.cafile),
        private_key=_read(options.keyfile),
        certificate_chain=_read(options.certfile),
    )


def _read(file: str) -> bytes | None:
    if not file:
        return None
    try:
        return pathlib.Path(file).read_bytes()
    except OSError as error:
        raise protocol.Unavailable(f"{file}: {error.strerror}") from None
