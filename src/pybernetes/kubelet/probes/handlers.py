"""What probes and lifecycle hooks can do: run a command, make an HTTP request, open a connection, ask gRPC health."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from typing import NamedTuple

from pybernetes.api.types import core_v1
from pybernetes.kits import clock as clocks
from pybernetes.kubelet.containers import labels
from pybernetes.runtime import protocol

# As much of an answer as upstream keeps for the event.
MAX_BODY = 10 * 1024
MAX_REDIRECTS = 10


class Outcome(NamedTuple):
    """`warning` marks a success that deserves a ProbeWarning event."""

    success: bool
    output: str = ""
    warning: bool = False


def port_number(port: int | str, container: labels.AnyContainer) -> int:
    """A number, or the container port of that name. Raises ValueError."""
    if isinstance(port, int):
        return port
    if port.isdigit():
        return int(port)
    for known in container.ports:
        if known.name == port:
            return known.containerPort
    raise ValueError(f"couldn't find port: {port!r} in container {container.name!r}")


async def run_command(
    runtime: protocol.Runtime, container_id: str, command: Sequence[str], *, timeout: float
) -> Outcome:
    try:
        done = await runtime.exec_sync(container_id, command, timeout=timeout)
    except TimeoutError as error:
        return Outcome(False, f'command timed out: "{" ".join(command)}" timed out after {timeout:g}s: {error}')
    text = (done.stdout + done.stderr)[:MAX_BODY].decode(errors="replace")
    return Outcome(done.exit_code == 0, text)


async def open_tcp(host: str, port: int, *, timeout: float, clock: clocks.Clock) -> Outcome:
    try:
        async with clock.timeout(timeout):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return Outcome(False, f"dial tcp {_address(host, port)}: i/o timeout")
    except OSError as error:
        return Outcome(False, f"dial tcp {_address(host, port)}: connect: {_reason(error)}")
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return Outcome(True)


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _insecure() -> ssl.SSLContext:
    """Probes do not verify: the kubelet asks for a pod's health, not for its identity."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def get_http(action: core_v1.HTTPGetAction, host: str, port: int, *, timeout: float, agent: str) -> Outcome:
    """A GET; 200 to 399 is a success, a redirect to another host a success with a warning."""
    import aiohttp
    import yarl

    scheme = (action.scheme or "HTTP").lower()
    path = action.path or "/"
    url = yarl.URL(f"{scheme}://{_address(action.host or host, port)}{path if path.startswith('/') else '/' + path}")
    headers = {"User-Agent": agent, "Accept": "*/*", "Connection": "close"}
    headers |= {header.name: header.value for header in action.httpHeaders}
    tls = _insecure() if scheme == "https" else None
    shown = f'Get "{url}"'
    try:
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=timeout), connector=aiohttp.TCPConnector(force_close=True)
        ) as session:
            for _ in range(MAX_REDIRECTS):
                async with session.get(url, headers=headers, ssl=tls or False, allow_redirects=False) as answer:
                    body = (await answer.content.read(MAX_BODY)).decode(errors="replace")
                    location = answer.headers.get("Location", "")
                if answer.status in (301, 302, 303, 307, 308) and location:
                    target = url.join(yarl.URL(location))
                    if target.host != url.host:
                        return Outcome(True, f"Probe terminated redirects, Response body: {body}", warning=True)
                    url = target
                    continue
                if 200 <= answer.status < 400:
                    return Outcome(True, body)
                return Outcome(False, f"HTTP probe failed with statuscode: {answer.status}")
            return Outcome(False, f"{shown}: stopped after {MAX_REDIRECTS} redirects")
    except TimeoutError:
        return Outcome(False, f"{shown}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)")
    except aiohttp.ClientConnectorError as error:
        return Outcome(False, f"{shown}: dial tcp {_address(action.host or host, port)}: connect: {_reason(error)}")
    except aiohttp.ClientError as error:
        return Outcome(False, f"{shown}: {error}")


async def check_grpc(host: str, port: int, service: str, *, timeout: float) -> Outcome:
    """The gRPC health protocol: `grpc.health.v1.Health/Check` must answer SERVING."""
    import grpc
    import grpc.aio

    # Pods are reached directly, whatever proxy the machine asks others by.
    options = (("grpc.enable_http_proxy", 0),)
    async with grpc.aio.insecure_channel(_address(host, port), options=options) as channel:
        # HealthCheckRequest{service = 1}, HealthCheckResponse{status = 1}; SERVING is 1: two messages of one field.
        name = service.encode()
        request = b"\x0a" + _varint(len(name)) + name if name else b""
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            answer = await check(request, timeout=timeout)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.UNIMPLEMENTED:
                return Outcome(False, "this server does not implement the grpc health protocol (grpc.health.v1.Health)")
            if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
                return Outcome(False, f"timeout: health rpc did not complete within {timeout:g}s")
            return Outcome(False, f"error: health rpc probe failed: {error.details()}")
    if answer == b"\x08\x01":
        return Outcome(True, "service healthy")
    return Outcome(False, "service unhealthy (responded with another status than SERVING)")


def _varint(number: int) -> bytes:
    """A length as protobuf writes it: seven bits at a time, the lowest first."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*written, number))
