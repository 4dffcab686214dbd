"""The kubelet as a program of its own."""

from __future__ import annotations

import logging
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from pybernetes import client as clients
from pybernetes import kubelet
from pybernetes.client import kubeconfig
from pybernetes.cluster import keeping, machine, node, node_marks, pki, processes
from pybernetes.cluster.hyperkube import connection, files
from pybernetes.cluster.hyperkube.kubelet import bootstrap
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.kits import tasks

log = logging.getLogger(__name__)

NAME = "kubelet"


class Process:
    """`await start()`, `await close()`. Pods go on running when it ends."""

    def __init__(
        self, given: Mapping[str, Any], unheeded: Sequence[str], *, clock: clocks.Clock, chance: chances.Chance
    ) -> None:
        self._given, self._unheeded = given, unheeded
        self._clock, self._chance = clock, chance
        self._tasks = tasks.Tasks()
        self._node = machine.node_name(given["hostname-override"])

    async def start(self) -> None:
        """Returns at once: an API server or runtime that does not answer yet is waited for. Raises CannotStart."""
        given = self._given
        if os.geteuid() != 0:
            raise processes.CannotStart("the kubelet mounts volumes, which takes root")
        if not given["bootstrap-kubeconfig"]:
            await self._connect().close()
        files.tell_unheeded(given["config"], self._unheeded)
        if given["anonymous-auth"] and given["authorization-mode"] == "AlwaysAllow":
            log.warning(
                "everybody who reaches %s:%d may do everything there; --anonymous-auth=false, --client-ca-file and "
                "--authorization-mode=Webhook keep others out",
                given["address"],
                given["port"],
            )
        # gRPC would log a line at every process that the node starts; none of them uses gRPC.
        os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
        self._tasks.spawn(keeping.Kept(NAME, self._run, self._clock).run(), name=NAME)

    async def close(self) -> None:
        await self._tasks.close()

    def _connect(self) -> clients.Client:
        path = self._given["kubeconfig"]
        # Who has a kubeconfig has its server, too.
        master = "" if path else self._given["api-servers"][0]
        return connection.client_of({"kubeconfig": path, "master": master}, None, NAME)

    async def _run(self) -> None:
        from pybernetes.runtime import cri

        given = self._given
        if self._is_nobody():
            await self._bootstrap()
        runtime = cri.CRI(given["container-runtime-endpoint"].removeprefix("unix://"), clock=self._clock)
        try:
            await node.run_kubelet(self._settings(), self._connect(), runtime, clock=self._clock, chance=self._chance)
        finally:
            await runtime.close()

    def _is_nobody(self) -> bool:
        """There is no kubeconfig yet, but the means to come by one."""
        return bool(self._given["bootstrap-kubeconfig"]) and not pathlib.Path(self._given["kubeconfig"]).is_file()

    async def _bootstrap(self) -> None:
        given = self._given
        try:
            await bootstrap.run(
                ask_with=pathlib.Path(given["bootstrap-kubeconfig"]),
                write_to=pathlib.Path(given["kubeconfig"]),
                folder=pathlib.Path(given["cert-dir"]),
                node=self._node,
                agent=NAME,
                clock=self._clock,
            )
        except (bootstrap.Refused, kubeconfig.KubeconfigError) as error:
            raise processes.CannotStart(str(error)) from error

    def _settings(self) -> kubelet.Settings:
        given = self._given
        address = given["node-ip"] or machine.address()
        certificate, key = given["tls-cert-file"], given["tls-private-key-file"]
        if not certificate:
            certificate, key = pki.Pki(pathlib.Path(given["cert-dir"]), self._clock).server(NAME, {self._node, address})
        return kubelet.Settings(
            node_name=self._node,
            node_ip=address,
            register=given["register-node"],
            provider_id=given["provider-id"],
            labels=node_marks.labels(",".join(given["node-labels"])),
            taints=node_marks.taints(",".join(given["register-with-taints"])),
            max_pods=given["max-pods"],
            status_frequency=given["node-status-update-frequency"],
            root=pathlib.Path(given["root-dir"]),
            logs=pathlib.Path(given["pod-logs-dir"]),
            cgroup_root=given["cgroup-root"].rstrip("/"),
            cluster_dns=given["cluster-dns"],
            cluster_domain=given["cluster-domain"],
            resolv_conf=pathlib.Path(given["resolv-conf"]),
            serve=given["enable-server"],
            address=given["address"],
            port=given["port"],
            certificate=pathlib.Path(certificate),
            key=pathlib.Path(key),
            client_ca=pathlib.Path(given["client-ca-file"]) if given["client-ca-file"] else None,
            anonymous=given["anonymous-auth"],
            tokens=given["authentication-token-webhook"],
            authorizes=given["authorization-mode"] == "Webhook",
            health_address=given["healthz-bind-address"],
            health_port=given["healthz-port"],
        )
