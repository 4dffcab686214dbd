"""The kubelet's own API (port 10250): logs, exec, attach, port-forward, pods, stats.

The API server carries its clients' connections here byte for byte, so WebSocket and SPDY end in this process.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import web

from pybernetes.api import codecs, times
from pybernetes.api.types import core_v1
from pybernetes.client import Client
from pybernetes.kits import channels, spdy_session
from pybernetes.kits import clock as clocks
from pybernetes.kubelet import kubelet as kubelets
from pybernetes.kubelet.pods import worker as workers
from pybernetes.kubelet.server import access, forwarding, log_lines, logs, summary, terminals
from pybernetes.runtime import protocol

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _TakenOver(web.StreamResponse):
    """What a handler returns after the connection was used for another protocol: nothing more is to be sent."""

    async def prepare(self, request: web.BaseRequest) -> None:
        self.force_close()

    async def write_eof(self, data: bytes = b"") -> None:
        return


class Server:
    """`await start()` to listen; `close()` ends what is open."""

    def __init__(self, kubelet: kubelets.Kubelet, client: Client, *, clock: clocks.Clock) -> None:
        self._kubelet, self._runtime, self._clock = kubelet, kubelet.runtime, clock
        self._settings = kubelet.settings
        self._access = access.Access(client, self._settings, clock=clock)
        self._runners: list[web.AppRunner] = []

    async def start(self) -> None:
        """Raises OSError where a port is taken, ValueError without a certificate."""
        settings = self._settings
        app = web.Application(middlewares=[self._checked])
        for method in ("GET", "POST"):
            for middle in ("", "/{uid}"):
                app.router.add_route(method, f"/exec/{{namespace}}/{{pod}}{middle}/{{container}}", self._exec)
                app.router.add_route(method, f"/attach/{{namespace}}/{{pod}}{middle}/{{container}}", self._attach)
                app.router.add_route(method, f"/portForward/{{namespace}}/{{pod}}{middle}", self._port_forward)
        app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._logs)
        app.router.add_get("/pods", self._pods)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/stats/summary", self._summary)
        app.router.add_get("/metrics", self._metrics)
        await self._listen(app, settings.address, settings.port, self._tls())
        if settings.health_port:
            plain = web.Application()
            plain.router.add_get("/healthz", self._healthz)
            await self._listen(plain, settings.health_address, settings.health_port, None)

    async def close(self) -> None:
        for runner in self._runners:
            await runner.cleanup()

    async def _listen(self, app: web.Application, address: str, port: int, tls: ssl.SSLContext | None) -> None:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handle_signals=False)
        self._runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, address, port, ssl_context=tls, reuse_address=True).start()

    def _tls(self) -> ssl.SSLContext:
        settings = self._settings
        if settings.certificate is None or settings.key is None:
            raise ValueError("the kubelet serves with a certificate and its key, or not at all")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(settings.certificate, settings.key)
        if settings.client_ca is not None:
            context.load_verify_locations(settings.client_ca)
            context.verify_mode = ssl.CERT_OPTIONAL
        context.set_alpn_protocols(["http/1.1"])
        return context

    @web.middleware
    async def _checked(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        transport = request.transport
        certificate: dict[str, Any] | None = None if transport is None else transport.get_extra_info("peercert")
        try:
            await self._access.check(
                method=request.method,
                path=request.path,
                certificate=certificate,
                authorization=request.headers.get("Authorization", ""),
            )
        except access.Refused as refused:
            return web.Response(status=refused.code, text=str(refused))
        return await handler(request)

    def _worker(self, request: web.Request) -> workers.Worker:
        found = request.match_info
        worker: workers.Worker | None = self._kubelet.find(found["namespace"], found["pod"], found.get("uid", ""))
        if worker is None:
            raise web.HTTPNotFound(text=f'pod "{found["pod"]}" not found')
        return worker

    def _running(self, request: web.Request) -> protocol.ContainerStatus:
        worker, name = self._worker(request), request.match_info["container"]
        found = worker.seen.latest(name)
        if found is None or found.state is not protocol.ContainerState.RUNNING:
            raise web.HTTPNotFound(text=f'container not found ("{name}")')
        return found

    # Logs

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        worker, container = self._worker(request), request.match_info["container"]
        options = log_options(request.query, now=self._clock.time())
        try:
            found = logs.choose(worker, container, previous=options.previous)
        except logs.NoLog as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        response.enable_chunked_encoding()
        try:
            async with contextlib.aclosing(logs.read(worker, self._runtime, found, options)) as pieces:
                await response.prepare(request)
                async for piece in pieces:
                    await response.write(piece)
            await response.write_eof()
        except logs.NoLog as error:
            await response.write(str(error).encode())
            await response.write_eof()
        except ConnectionError:
            # The reader has seen enough.
            return response
        return response

    # Exec and attach

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        found, wanted = self._running(request), streams_of(request.query)
        command = request.query.getall("command", [])

        async def start() -> protocol.Process:
            return await self._runtime.exec(found.id, command, **wanted._asdict())

        return await self._interact(request, wanted, start)

    async def _attach(self, request: web.Request) -> web.StreamResponse:
        found, wanted = self._running(request), streams_of(request.query)

        async def start() -> protocol.Process:
            return await self._runtime.attach(found.id, **wanted._asdict())

        return await self._interact(request, wanted, start)

    async def _interact(
        self, request: web.Request, wanted: terminals.Wanted, start: Callable[[], Awaitable[protocol.Process]]
    ) -> web.StreamResponse:
        if not (wanted.stdin or wanted.stdout or wanted.stderr):
            raise web.HTTPBadRequest(text="you must specify at least 1 of stdin, stdout, stderr")
        if _is_websocket(request):
            socket = web.WebSocketResponse(protocols=channels.PROTOCOLS, max_msg_size=0, compress=False)
            await socket.prepare(request)
            terminal = terminals.WebSocketTerminal(socket, socket.ws_protocol or channels.V1)
            await terminal.stand(wanted)
            with contextlib.suppress(ConnectionError):
                await terminals.bridge(terminal, start, stdin=wanted.stdin)
            return socket
        async with self._spdy(request, terminals.SPDY_PROTOCOLS) as (carrier, subprotocol):
            with contextlib.suppress(ConnectionError, TimeoutError):
                opened = await terminals.SpdyTerminal.open(carrier, subprotocol, wanted, self._clock)
                await terminals.bridge(opened, start, stdin=wanted.stdin)
        return _TakenOver()

    # Port-forward

    async def _port_forward(self, request: web.Request) -> web.StreamResponse:
        worker = self._worker(request)
        sandbox = next((box for box in worker.seen.sandboxes if box.ready), None)
        if sandbox is None:
            raise web.HTTPNotFound(text=f"pod not found ({worker.pod.metadata.name!r})")

        async def dial(port: int) -> protocol.Connection:
            return await self._runtime.port_forward(sandbox.id, port)

        if _is_websocket(request):
            protocols = (forwarding.TUNNEL, channels.V4, channels.V4_BASE64)
            socket = web.WebSocketResponse(protocols=protocols, max_msg_size=0, compress=False)
            await socket.prepare(request)
            if socket.ws_protocol == forwarding.TUNNEL:
                await forwarding.serve_tunnel(socket, dial)
            else:
                ports = [int(port) for text in request.query.getall("port", []) for port in text.split(",")]
                await forwarding.serve_channels(socket, socket.ws_protocol or channels.V4, ports, dial)
            return socket
        async with self._spdy(request, (forwarding.PROTOCOL,)) as (carrier, _):
            await forwarding.serve_session(carrier.session, dial)
        return _TakenOver()

    @contextlib.asynccontextmanager
    async def _spdy(
        self, request: web.Request, known: tuple[str, ...]
    ) -> AsyncIterator[tuple[spdy_session.Socket, str]]:
        """Take the connection over from HTTP. The client waits for our 101, so that nothing of SPDY is read yet."""
        if "spdy/3.1" not in request.headers.get("Upgrade", "").lower():
            raise web.HTTPBadRequest(text="Upgrade request required")
        offered = [
            name.strip()
            for value in request.headers.getall("X-Stream-Protocol-Version", [])
            for name in value.split(",")
        ]
        chosen = next((name for name in known if name in offered), "" if offered else known[0])
        if not chosen:
            raise web.HTTPForbidden(text=f"unable to negotiate protocol: client supports {offered}, server {known}")
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client went away")
        head = (
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
            f"X-Stream-Protocol-Version: {chosen}\r\n\r\n"
        )
        carrier = spdy_session.Socket(client=False)
        transport.set_protocol(carrier)
        carrier.connection_made(transport)
        transport.write(head.encode())
        try:
            yield carrier, chosen
        finally:
            carrier.close()

    # What it knows

    async def _pods(self, request: web.Request) -> web.Response:
        pods = core_v1.PodList()
        for pod in self._kubelet.pods():
            shown = codecs.copy(pod)
            shown.status = self._kubelet.shown(pod)
            pods.items.append(shown)
        return web.Response(body=codecs.encode(pods), content_type="application/json")

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _summary(self, request: web.Request) -> web.Response:
        found = summary.of(
            await self._runtime.stats(), node_name=self._settings.node_name, now=times.to_time(self._clock.time())
        )
        return web.json_response(found)

    async def _metrics(self, request: web.Request) -> web.Response:
        running = sum(len(worker.seen.running()) for worker in self._kubelet.all_workers())
        lines = [
            "# HELP kubelet_running_pods Number of pods that have a running pod sandbox",
            "# TYPE kubelet_running_pods gauge",
            f"kubelet_running_pods {sum(1 for worker in self._kubelet.all_workers() if worker.seen.sandboxes)}",
            "# HELP kubelet_running_containers Number of containers currently running",
            "# TYPE kubelet_running_containers gauge",
            f'kubelet_running_containers{{container_state="running"}} {running}',
        ]
        return web.Response(text="\n".join(lines) + "\n")


def _is_websocket(request: web.Request) -> bool:
    return request.headers.get("Upgrade", "").lower() == "websocket"


def _flag(query: Any, *names: str) -> bool:
    return any(query.get(name, "").lower() in ("1", "true", "t") for name in names)


def streams_of(query: Any) -> terminals.Wanted:
    """From the kubelet's own words (`input=1`) or the API's (`stdin=true`)."""
    tty = _flag(query, "tty")
    return terminals.Wanted(
        stdin=_flag(query, "input", "stdin"),
        stdout=_flag(query, "output", "stdout"),
        stderr=_flag(query, "error", "stderr") and not tty,
        tty=tty,
    )


def log_options(query: Any, *, now: float) -> log_lines.Options:
    """Raises HTTPBadRequest for values that make no sense."""
    try:
        tail, limit = query.get("tailLines"), query.get("limitBytes")
        since = 0.0
        if "sinceSeconds" in query:
            since = now - int(query["sinceSeconds"])
        elif "sinceTime" in query:
            since = times.parse(query["sinceTime"])
        return log_lines.Options(
            follow=_flag(query, "follow"),
            previous=_flag(query, "previous"),
            timestamps=_flag(query, "timestamps"),
            since=since,
            tail=None if tail is None else int(tail),
            limit_bytes=None if limit is None else int(limit),
            stream={"Stdout": "stdout", "Stderr": "stderr"}.get(query.get("stream", ""), ""),
        )
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"unable to decode query: {error}") from None
