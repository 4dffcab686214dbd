"""The `proxy` subresource of pods, services and nodes: whatever is asked for behind it, their servers answer.

Without a path, readers are sent to `proxy/`: relative links of what they get would lead elsewhere. Answers pass as
they come; redirects, and links in HTML, are changed to lead through the proxy again. Upgraded connections are carried
byte for byte, as those of `exec` are.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator

from pybernetes.api import errors
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.endpoints import kubelets, parts
from pybernetes.apiserver.endpoints import scope as scopes
from pybernetes.apiserver.forwarding import backend as backends
from pybernetes.apiserver.forwarding import failures, headers, html, links, locations
from pybernetes.apiserver.storage import collection as collections

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
CHUNK = 64 * 1024
# Pages are read by this much at a time: looking for their links takes the event loop's time.
PAGE_CHUNK = 16 * 1024
# Encodings of pages that can be looked into, as zlib knows them.
ENCODINGS = {"gzip": 31, "deflate": -15}
BODILESS = (204, 304)
LARGEST_REFUSAL = 1 << 20


class Proxies:
    """The endpoints. `endpoints` and `pods` are where those are stored."""

    def __init__(
        self,
        backend: backends.Backend,
        nodes: kubelets.Kubelets,
        *,
        endpoints: collections.Collection,
        pods: collections.Collection,
        scheme: str,
    ) -> None:
        self._backend = backend
        self._kubelets = nodes
        self._endpoints = endpoints
        self._pods = pods
        self._kubelet_scheme = scheme

    async def pod(self, scope: scopes.Scope, request: requests.Request) -> results.Result:
        await _check(scope, request)
        named = locations.parse("pod", request.attributes.name)
        pod: core_v1.Pod = scope.find(request.attributes.namespace, named.name).decoded(core_v1.Pod)
        return await self._forward(request, locations.of_pod(named, pod))

    async def service(self, scope: scopes.Scope, request: requests.Request) -> results.Result:
        await _check(scope, request)
        at = request.attributes
        named = locations.parse("service", at.name)
        port = named.port
        if port.isascii() and port.isdigit():
            service: core_v1.Service = scope.find(at.namespace, named.name).decoded(core_v1.Service)
            port = locations.port_name(named, service)
        item = self._endpoints.get(at.namespace, named.name)
        if item is None:
            raise errors.not_found("", "endpoints", named.name)
        endpoints: core_v1.Endpoints = item.decoded(core_v1.Endpoints)
        if not endpoints.subsets:
            raise errors.unavailable(f'no endpoints available for service "{named.name}"')
        location = locations.of_endpoints(named, port, endpoints, find=self._pod, start=scope.chance.below)
        if location is None:
            raise errors.unavailable(f'no endpoints available for service "{at.name}"')
        return await self._forward(request, location)

    async def node(self, scope: scopes.Scope, request: requests.Request) -> results.Result:
        await _check(scope, request)
        named = locations.parse("node", request.attributes.name)
        host, number = self._kubelets.address(named.name)
        await _check_host(host)
        if named.port in ("", str(number)):
            location = locations.Location(self._kubelet_scheme, host, str(number), is_kubelet=True)
        else:
            location = locations.Location(named.scheme or "http", host, named.port)
        return await self._forward(request, location)

    def _pod(self, namespace: str, name: str) -> core_v1.Pod | None:
        item = self._pods.get(namespace, name)
        if item is None:
            return None
        pod: core_v1.Pod = item.decoded(core_v1.Pod)
        return pod

    async def _forward(self, request: requests.Request, location: locations.Location) -> results.Result:
        prefix, path = links.target(request.path, namespaced=bool(request.attributes.namespace))
        query = f"?{request.raw_query}" if request.raw_query else ""
        if "upgrade" in request.header("connection").lower() and request.header("upgrade"):
            pairs = headers.of_upgrade(request.headers, peer=request.peer)
            return await upgraded(self._backend, request, location, (path or "/") + query, pairs=pairs)
        if not path and request.method in ("GET", "HEAD"):
            there = (("Location", f"{request.path}/{query}"),)
            return results.Document(b"", "text/plain", code=301, headers=there)
        pairs = headers.of_request(request.headers, peer=request.peer, forwarded_uri=prefix + path)
        answer = await self._backend.ask(
            request.method, location, (path or "/") + query, pairs=pairs, body=request.body
        )
        try:
            return _passed_on(request, answer, links.Links(prefix, location.authority, request.header("host")))
        except BaseException:
            answer.close()
            raise


async def upgraded(
    backend: backends.Backend,
    request: requests.Request,
    location: locations.Location,
    target: str,
    *,
    pairs: headers.Pairs,
) -> results.Result:
    """The upgraded connection, or the server's refusal. Raises StatusError 500."""
    try:
        answer = await backend.upgrade(request.method, location, target, pairs=pairs)
    except (OSError, EOFError) as error:
        raise _failed(f"error dialing backend: {failures.text(error, location)}") from None
    if answer.code == 101:
        return results.Tunnel(_Opened(answer).open)
    if answer.code < 400:
        answer.writer.close()
        raise _failed(f"invalid upgrade response: status code {answer.code}")
    return await _refusal(answer)


class _Opened:
    def __init__(self, answer: kubelets.Answer) -> None:
        self._answer = answer

    async def open(self) -> kubelets.Answer:
        return self._answer


async def _check(scope: scopes.Scope, request: requests.Request) -> None:
    if request.method not in METHODS:
        raise errors.method_not_allowed()
    if "dryRun" in request.raw_query and "dryRun" in request.query:
        raise errors.bad_request("dryRun is not supported")
    await parts.connected(scope, request, [])


async def _check_host(host: str) -> None:
    """A node's address may be a name. Raises StatusError 400 if it leads to where requests may not go."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None)
    except OSError:
        raise errors.bad_request(f"lookup {host}: no such host") from None
    if not all(locations.is_allowed(str(address[0])) for *_, address in found):
        raise errors.bad_request("address not allowed")


def _failed(message: str) -> errors.StatusError:
    """What upstream's server makes of errors that it has no reason for."""
    return errors.StatusError(meta_v1.Status(status="Failure", message=message, code=500))


async def _refusal(answer: kubelets.Answer) -> results.Document:
    """The answer of a server that refused the upgrade."""
    body = b""
    async for part in kubelets.body(answer):
        body += part
        if len(body) > LARGEST_REFUSAL:
            answer.writer.close()
            break
    given = [
        (name.strip(), value.strip())
        for name, _, value in (line.decode("latin-1").partition(":") for line in answer.head.split(b"\r\n")[1:] if line)
    ]
    media = kubelets.header(answer.head, "content-type") or "text/plain"
    pairs = headers.of_answer(given, without=("content-length", "content-type"))
    return results.Document(body, media, code=answer.code, headers=tuple(pairs))


def forwarded(request: requests.Request, answer: backends.Answer) -> results.Forwarded:
    """The answer, passed on as it comes."""
    length = _given(answer, "content-length")
    return results.Forwarded(
        code=answer.code,
        headers=headers.of_answer(answer.headers, without=("content-length",)),
        chunks=answer.chunks(CHUNK),
        close=answer.close,
        length=int(length) if length.isascii() and length.isdigit() else None,
        bodiless=request.method == "HEAD" or answer.code in BODILESS,
    )


def _given(answer: backends.Answer, header: str) -> str:
    return next((value for name, value in reversed(answer.headers) if name.lower() == header), "")


def _passed_on(request: requests.Request, answer: backends.Answer, leading: links.Links) -> results.Forwarded:
    """The answer as the client gets it, whose links lead through the proxy again."""
    passed = forwarded(request, answer)
    redirect = _given(answer, "location")
    if redirect:
        try:
            changed = leading.rewrite(redirect)
        except ValueError as error:
            raise errors.internal(f"error trying to parse Location header: {error}") from None
        passed.headers = [(name, changed if name.lower() == "location" else value) for name, value in passed.headers]
    encoding = _given(answer, "content-encoding")
    is_page = _given(answer, "content-type").split(";")[0].strip() == "text/html"
    if redirect or passed.bodiless or not is_page or (encoding and encoding not in ENCODINGS):
        return passed
    # Links get longer.
    passed.length = None
    passed.chunks = _page(answer, leading, ENCODINGS.get(encoding))
    return passed


async def _page(answer: backends.Answer, leading: links.Links, bits: int | None) -> AsyncIterator[bytes]:
    """The page with its links changed; `bits` say how it is compressed. Raises ConnectionError where it ends early."""
    rewriter = html.Rewriter(leading.rewrite)
    if bits is None:
        async for part in answer.chunks(PAGE_CHUNK):
            yield rewriter.feed(part)
        yield rewriter.end()
        return
    unpack, pack = zlib.decompressobj(bits), zlib.compressobj(wbits=bits)
    try:
        async for part in answer.chunks(PAGE_CHUNK):
            left = part
            while left:
                yield pack.compress(rewriter.feed(unpack.decompress(left, PAGE_CHUNK)))
                left = unpack.unconsumed_tail
                # Little can be unpacked to very much.
                await asyncio.sleep(0)
            # Who waits for a part of a page sees it when it comes.
            yield pack.flush(zlib.Z_SYNC_FLUSH)
    except zlib.error as error:
        raise ConnectionError(str(error)) from None
    yield pack.compress(rewriter.feed(unpack.flush()) + rewriter.end()) + pack.flush()
