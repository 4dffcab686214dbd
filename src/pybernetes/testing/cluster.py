"""A whole cluster in this process: API server, controllers, scheduler and simulated nodes on the running event loop.

With `virtual=True` time passes only by `advance`, so that a day takes seconds; with a `seed` names, uids and the order
of events are those of the last run. Clients of this process use `client`; any other client uses `kubeconfig`.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import pathlib
import re
import socket
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric import rsa

from pybernetes import client as clients
from pybernetes.api import errors, scheme
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import settings as apiserver_settings
from pybernetes.apiserver.authn import signing
from pybernetes.apiserver.http import listener
from pybernetes.apiserver.resources import table as resources
from pybernetes.cluster import credentials, keeping, layout, pki, simulated, waiting
from pybernetes.cluster import plane as planes
from pybernetes.cluster import tools as toolboxes
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.kits import garbage, tasks
from pybernetes.kubelet import fleet
from pybernetes.kubelet.fleet import nodes as fleet_nodes
from pybernetes.runtime.simulated import scripts
from pybernetes.scheduler import scheduler as scheduling
from pybernetes.store import memory
from pybernetes.testing import calls, faults, private, snapshots, why

ADMIN = requests.User("kubernetes-admin", groups=("system:masters", "system:authenticated"))
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@functools.cache
def _signing_key() -> signing.PrivateKey:
    """One for all clusters of a test run: making one takes longer than starting a cluster."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def seconds(duration: float | str) -> float:
    """Of `90`, `"90s"`, `"1h30m"`, `"24h"`, `"7d"`; raises ValueError."""
    if not isinstance(duration, str):
        return float(duration)
    parts = _DURATION.findall(duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        raise ValueError(f"{duration!r} is not a duration such as '90s', '1h30m' or '24h'")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


class Cluster:
    """`async with Cluster() as c:`, or `await c.start()` and `await c.close()`.

    - `nodes`: how many simulated nodes; `zones`, `capacity` and `labels` say what they are like, `images` what the
      containers of which images do (see `runtime.simulated.scripts`).
    - `virtual`: time stands still but for `advance`. `seed`: chance repeats itself.
    - `controllers` is what `--controllers` takes; "" for none, as with `scheduler=False`.
    - `load_balancer_pool`: ranges of addresses that Services of type LoadBalancer get theirs from.
    - `runtime_config` is what `--runtime-config` takes: versions of the API that are off by default, as in
      `"storagemigration.k8s.io/v1beta1=true"`.
    - `state`: begin with a snapshot's objects, at its time.
    """

    def __init__(
        self,
        *,
        nodes: int = 1,
        zones: Iterable[str] = (),
        capacity: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        images: Mapping[str, Mapping[str, str]] | scripts.Images | None = None,
        virtual: bool = False,
        seed: int | None = None,
        controllers: str = "*",
        scheduler: bool = True,
        load_balancer_pool: Iterable[str] = (),
        runtime_config: str = "",
        state: snapshots.Snapshot | None = None,
    ) -> None:
        self._start_options: dict[str, Any] = {
            "nodes": nodes, "zones": tuple(zones), "capacity": capacity, "labels": labels, "images": images,
            "virtual": virtual, "seed": seed, "controllers": controllers, "scheduler": scheduler,
            "load_balancer_pool": tuple(load_balancer_pool), "runtime_config": runtime_config,
        }  # fmt: skip
        self._specs = list(
            fleet_nodes.specs(
                [f"node-{number}" for number in range(1, nodes + 1)],
                zones=tuple(zones),
                labels=labels,
                capacity=capacity,
            )
        )
        self._images = images if isinstance(images, scripts.Images) else scripts.Images((images or {}).items())
        self._state = state
        self.chance = chances.Chance(seed)
        self.clock: clocks.Clock = clocks.SystemClock()
        if virtual:
            self.clock = clocks.VirtualClock() if state is None else clocks.VirtualClock(state.time)
        self.calls = calls.Calls(self.clock)
        self.faults = faults.Faults(clock=self.clock, chance=self.chance)
        self._store = memory.MemoryStore()
        self._controllers, self._scheduler = controllers, scheduler
        self._load_balancer_pool = tuple(load_balancer_pool)
        self._runtime_config = resources.parse_runtime_config(runtime_config)
        # Raises ValueError for what is not there.
        resources.kinds(self._runtime_config)
        self._plane: planes.ControlPlane | None = None
        self._tasks = tasks.Tasks()
        self._alive = contextlib.ExitStack()
        self._lending = toolboxes.Lending(
            lambda component: self.api.client(simulated.FLEET, agent=component), clock=self.clock, chance=self.chance
        )
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._kubeconfig: pathlib.Path | None = None

    # Life

    async def start(self) -> Cluster:
        """Returns when the nodes are Ready and pods can be created."""
        self._alive.enter_context(garbage.seldom())
        if self._scheduler:
            # Loaded by a thread otherwise, which may take its time now and not in the next run.
            importlib.import_module(scheduling.ASSEMBLY)
        if self._state is not None:
            await snapshots.put_back(self._store, self._state)
        plane = self._plane = planes.ControlPlane(
            self._store,
            apiserver_settings.Settings(
                service_account_key=_signing_key(), compaction_interval=0, runtime_config=self._runtime_config
            ),
            ca=b"",
            cluster_cidr="10.128.0.0/9",
            controllers=self._controllers,
            scheduler=self._scheduler,
            load_balancer_pool=self._load_balancer_pool,
            around=lambda handler: self.calls.around(self.faults.around(handler)),
            clock=self.clock,
            chance=self.chance,
        )
        await plane.start()
        await self._run()
        return self

    async def _run(self) -> None:
        """Everything that works on objects, until all of it rests."""
        plane = self._started()
        plane.run_components()
        ready = asyncio.Event()
        self._tasks.spawn(
            keeping.Kept("simulated nodes", lambda: self._run_fleet(ready), self.clock).run(), name="simulated nodes"
        )
        await _unless_failed(self._ready(ready), plane.kept)
        await self.settled()

    async def _ready(self, nodes: asyncio.Event) -> None:
        admin = self.client("pybernetes-testing")
        await nodes.wait()
        await self._started().wait_scheduling()
        if "*" in self._controllers:
            await waiting.default_account(admin, self.clock)
            await waiting.nodes_ready(admin, len(self._specs), self.clock)

    async def close(self) -> None:
        await self._tasks.close()
        await self._lending.close()
        if self._plane is not None:
            await self._plane.close()
        await self._store.close()
        self._alive.close()
        if self._folder is not None:
            self._folder.cleanup()

    async def __aenter__(self) -> Cluster:
        try:
            return await self.start()
        except BaseException:
            await self.close()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _run_fleet(self, ready: asyncio.Event) -> None:
        client = self.api.client(simulated.FLEET, agent="kubelet")
        lent = self._lending.to("kubelet")
        async with toolboxes.tools(client, lent=lent, clock=self.clock, chance=self.chance) as tools:
            running = fleet.Fleet(
                client,
                tools.informers,
                specs=self._specs,
                images=self._images,
                clock=self.clock,
                chance=self.chance,
            )
            watching = asyncio.ensure_future(running.ready.wait())
            watching.add_done_callback(lambda _: ready.set())
            try:
                await tools.informers.start()
                await running.run()
            finally:
                watching.cancel()
                await running.close()

    # Clients

    @property
    def api(self) -> Any:
        return self._started().api

    def _started(self) -> planes.ControlPlane:
        if self._plane is None:
            raise RuntimeError("the cluster is not started: use `async with Cluster() as c`")
        return self._plane

    def client(self, agent: str = "test", *, user: str = "", groups: Iterable[str] = ()) -> clients.Client:
        """An in-process client; the administrator's unless a user is given. What it reads may be changed freely."""
        who = ADMIN if not user else requests.User(user, groups=(*groups, "system:authenticated"))
        shared: clients.Client = self.api.client(who, agent=agent)
        return clients.Client(private.PrivateTransport(shared.transport), manager=shared.manager)

    async def kubeconfig(self) -> pathlib.Path:
        """A file that kubectl and every other client connect with; the server listens from the first call on."""
        if self._kubeconfig is None:
            self._kubeconfig = await self._listen()
        return self._kubeconfig

    async def _listen(self) -> pathlib.Path:
        self._folder = tempfile.TemporaryDirectory(prefix="pybernetes-")
        sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
        options = layout.Options(api_port=sock.getsockname()[1], node_ip="127.0.0.1", node_name="node-1")
        paths = layout.Layout(pathlib.Path(self._folder.name))
        # Certificates are checked against the machine's time, whatever the cluster's is.
        authority = pki.Pki(paths.pki, clocks.SystemClock())
        identity = credentials.Credentials(paths, options, authority)
        serving = identity.server_tls()
        identity.write_kubeconfigs()
        tls = listener.server_context(
            certificate=str(serving.certificate), key=str(serving.key), client_ca=(str(authority.ca),)
        )
        await self.api.listen(sock, tls)
        return paths.kubeconfig

    async def apply(self, manifest: str | Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> list[Any]:
        """Server-side apply of YAML text (any number of documents) or trees, as the field manager `test`."""
        if isinstance(manifest, str):
            trees = [tree for tree in yaml.safe_load_all(manifest) if tree]
        else:
            trees = [manifest] if isinstance(manifest, Mapping) else list(manifest)
        client = self.client("test")
        applied: list[Any] = []
        for tree in trees:
            kind = await self._settled_kind(tree.get("apiVersion", ""), tree.get("kind", ""))
            meta = tree.get("metadata", {})
            namespace = (meta.get("namespace") or "default") if kind.namespaced else ""
            applied.append(
                await client.patch(kind, meta["name"], namespace, tree, kind=clients.transport.APPLY_PATCH, force=True)  # type: ignore[arg-type]
            )
        return applied

    async def _settled_kind(self, version: str, kind: str) -> scheme.Resource:
        """A custom kind is served a moment after its definition came."""
        found = self._kind(version, kind)
        if found is None:
            await self.settled()
            found = self._kind(version, kind)
        if found is None:
            raise errors.error(404, "NotFound", f'no matches for kind "{kind}" in version "{version}"')
        return found

    def _kind(self, version: str, kind: str) -> scheme.Resource | None:
        listed: Iterator[scheme.Resource] = (entry.resource for entry in self.api.registry.kinds.values())
        return next((found for found in listed if (found.api_version, found.kind) == (version, kind)), None)

    # Time

    async def settled(self) -> None:
        """Return when nothing in this process has anything left to do now; no time passes, nothing is polled.

        Raises RuntimeError when that never comes, because some reconcilers set each other in motion for ever.
        """
        await clocks.settle()

    async def advance(self, duration: float | str) -> None:
        """Let virtual time pass (`"90s"`, `"24h"`, seconds); everything due on the way happens, in order."""
        if not isinstance(self.clock, clocks.VirtualClock):
            raise RuntimeError("time passes by itself here; start the cluster with `Cluster(virtual=True)`")
        await self.clock.advance(seconds(duration))

    # State

    async def snapshot(self) -> snapshots.Snapshot:
        """All objects as they are now."""
        await self.settled()
        return await snapshots.take(self._store, time=self.clock.time())

    async def restore(self, snapshot: snapshots.Snapshot) -> None:
        """Have the objects of a snapshot again. Everybody who watches sees them change; time goes on.

        Controllers, scheduler and nodes start anew, for what they remember has not happened any more.
        """
        await self._tasks.close()
        await self._started().stop_components()
        await snapshots.put_back(self._store, snapshot)
        self._tasks = tasks.Tasks()
        await self._run()

    @contextlib.asynccontextmanager
    async def fork(self, **options: Any) -> AsyncIterator[Cluster]:
        """Another cluster that begins as this one is now, and goes its own way. Options are those of `Cluster`."""
        made = Cluster(**(self._start_options | {"state": await self.snapshot()} | options))
        async with made:
            yield made

    # Faults and accounts

    @contextlib.contextmanager
    def fault(self, **what: Any) -> Iterator[faults.Fault]:
        """While the body runs, have requests fail: `with c.fault(agent="my-operator*", verb="update", code=409):`"""
        made = faults.Fault(**what)
        self.faults.active.append(made)
        try:
            yield made
        finally:
            self.faults.active.remove(made)

    @contextlib.contextmanager
    def budget(self, limit: int, *, agent: str = "*", writes: bool = False) -> Iterator[None]:
        """AssertionError when clients with that User-Agent (a pattern) make more calls in the body than allowed."""
        seen = self.calls.seen
        yield
        made = [call for call in self._made(seen, agent) if call.is_write or not writes]
        if len(made) > limit:
            shown = "\n".join(f"  {call}" for call in made[: limit + 20])
            raise AssertionError(f"{len(made)} calls, {limit} allowed:\n{shown}")

    @contextlib.contextmanager
    def no_hot_loops(self, *, agent: str = "*") -> Iterator[None]:
        """AssertionError when a client wrote the same object again and again in the body."""
        seen = self.calls.seen
        yield
        found = calls.hot_loops(self._made(seen, agent))
        if found:
            raise AssertionError("\n".join(found))

    def _made(self, seen: int, agent: str) -> list[calls.Call]:
        return [call for call in self.calls.since(seen) if faults.matches(call.agent, agent)]

    def why(self, target: str, *, namespace: str = "default") -> list[why.Why]:
        """The writes of an object (`pod/web`, `deploy/web`), oldest first, each with what led to it; print them."""
        word, _, name = target.partition("/")
        listed: Iterator[scheme.Resource] = (entry.resource for entry in self.api.registry.kinds.values())
        for kind in listed:
            if word in (kind.name, kind.singular or kind.kind.lower(), *kind.short_names):
                where = namespace if kind.namespaced else ""
                return why.explain(self.calls, group=kind.group, resource=kind.name, namespace=where, name=name)
        raise ValueError(f"there is no resource {word!r}")


async def _unless_failed(wanted: Coroutine[Any, Any, None], components: Sequence[keeping.Kept]) -> None:
    """Wait for that, but not for ever where a component, or a plugin of it, cannot be made. Raises RuntimeError."""
    awaited = asyncio.ensure_future(wanted)
    failing = [asyncio.ensure_future(kept.failed.wait()) for kept in components]
    try:
        done, _ = await asyncio.wait([awaited, *failing], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (awaited, *failing):
            task.cancel()
    if awaited in done:
        awaited.result()
        return
    kept = next(one for one in components if one.failed.is_set())
    raise RuntimeError(f"{kept.name} does not come up: {kept.problem}; the log says more")
