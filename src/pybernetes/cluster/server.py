"""The server process: API server, controllers and scheduler on one event loop; with `--runtime simulated` the node too.

The API server comes first and alone: it answers while the others are still being imported.
"""

from __future__ import annotations

import pathlib
import socket
from collections.abc import Callable
from typing import Any

from pybernetes import store as stores
from pybernetes.apiserver import settings as apiserver_settings
from pybernetes.apiserver.authn import frontproxy, tokenfile
from pybernetes.apiserver.authn import settings as authentication
from pybernetes.apiserver.http import listener
from pybernetes.apiserver.resources import runtime_config
from pybernetes.cluster import credentials, layout, pki, progress, waiting
from pybernetes.cluster import plane as planes
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks


class Server:
    """`await start()`, `await close()`; in between it serves."""

    def __init__(
        self, paths: layout.Layout, options: layout.Options, *, clock: clocks.Clock, chance: chances.Chance
    ) -> None:
        self._paths = paths
        self._options = options
        self._clock = clock
        self._chance = chance
        self._store: stores.Store | None = None
        self._plane: planes.ControlPlane | None = None
        self._closers: list[Callable[[], Any]] = []

    async def start(self) -> None:
        """Returns when all of it works."""
        options = self._options
        authority = pki.Pki(self._paths.pki, self._clock)
        identity = credentials.Credentials(self._paths, options, authority)
        self._store = await self._open_store()
        proxy = identity.proxy_client()
        plane = self._plane = planes.ControlPlane(
            self._store,
            apiserver_settings.Settings(
                service_account_key=authority.service_account_key(),
                advertise=(options.node_ip, options.api_port),
                hostname=socket.gethostname(),
                service_cidr=options.service_cidr,
                tokens=tokenfile.read(pathlib.Path(options.token_auth_file)) if options.token_auth_file else {},
                kubelet_tls=identity.kubelet_client_tls(),
                proxy_client=(str(proxy.certificate), str(proxy.key)),
                runtime_config=runtime_config.parse(options.runtime_config),
                authentication=authentication.Authentication(
                    client_ca=authority.ca.read_bytes(),
                    proxy=frontproxy.Settings(
                        ca=identity.front_proxy.ca.read_bytes(), allowed_names=(credentials.FRONT_PROXY,)
                    ),
                    bootstrap_tokens=True,
                ),
            ),
            ca=authority.ca.read_bytes(),
            ca_key=authority.ca_key.read_bytes(),
            cluster_cidr=options.cluster_cidr,
            controllers=options.controllers,
            scheduler=options.scheduler,
            legacy_tokens=options.legacy_tokens,
            load_balancer_pool=tuple(options.load_balancer_pool.split(",")) if options.load_balancer_pool else (),
            clock=self._clock,
            chance=self._chance,
        )
        api = plane.api
        await plane.start()
        serving = identity.server_tls()
        tls = listener.server_context(
            certificate=str(serving.certificate),
            key=str(serving.key),
            client_ca=(str(authority.ca), str(identity.front_proxy.ca)),
        )
        await api.listen(_socket(options), tls)
        progress.tell("apiserver", f"API server on https://{options.node_ip}:{options.api_port}")
        plane.run_components()
        if options.has_all_controllers:
            await waiting.default_account(api.client(planes.CONTROLLERS, agent="pybernetes"), self._clock)
            progress.tell("controllers", "controllers and scheduler" if options.scheduler else "controllers")
        if options.runtime == "containerd" and options.dns:
            from pybernetes.cluster import cluster_dns

            await cluster_dns.announce(api.client(planes.CONTROLLERS, agent="pybernetes"), options)
        if options.runtime == "simulated":
            from pybernetes.cluster import simulated

            nodes = simulated.SimulatedNodes(
                self._paths, options, api, identity, clock=self._clock, chance=self._chance
            )
            self._closers.append(nodes.close)
            await nodes.start()
            told = f"node {options.node_name} is" if options.nodes == 1 else f"{options.nodes} nodes are"
            progress.tell("node", f"{told} Ready")

    async def close(self) -> None:
        """Stop in the reverse order; what was acknowledged is on the disk."""
        for close in reversed(self._closers):
            await close()
        if self._plane is not None:
            await self._plane.close()
        if self._store is not None:
            await self._store.close()

    async def _open_store(self) -> stores.Store:
        options = self._options
        if options.store == "memory":
            from pybernetes.store.memory import MemoryStore

            return MemoryStore()
        if options.store == "etcd":
            from pybernetes.store import etcd

            where = etcd.Options(
                servers=tuple(options.etcd_servers.split(",")),
                cafile=options.etcd_cafile,
                certfile=options.etcd_certfile,
                keyfile=options.etcd_keyfile,
            )
            return await etcd.open(where, clock=self._clock, chance=self._chance)
        from pybernetes.store.sqlite import SqliteStore

        return await SqliteStore.open(self._paths.database)


def _socket(options: layout.Options) -> socket.socket:
    """Bound with SO_REUSEADDR; pods reach the node's address, a simulated cluster is for this machine alone."""
    host = "127.0.0.1" if options.runtime == "simulated" else "0.0.0.0"
    return socket.create_server((host, options.api_port), backlog=1024, reuse_port=False)
