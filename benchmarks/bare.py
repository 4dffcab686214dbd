"""An API server alone, durable (SQLite), without controllers: what the API rates are measured on.

Usage: python benchmarks/bare.py FOLDER PORT [gated]; bearer token `bench` is an administrator, and with `gated` a user
whom RBAC lets do things with pods, whose requests have to share a priority level, and of whom the audit is told
(FOLDER/audit.log, level Metadata).
"""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import signal
import socket
import sys

import uvloop

from pybernetes.api import errors
from pybernetes.api.types import core_v1, meta_v1, rbac_v1
from pybernetes.apiserver import audit, server, settings
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.http import listener
from pybernetes.cluster import pki
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.store.sqlite import SqliteStore

ADMINISTRATOR = requests.User("admin", groups=("system:masters", "system:authenticated"))
TENANT = requests.User("tenant", groups=("system:authenticated",))
RBAC = "rbac.authorization.k8s.io"


async def serve(folder: pathlib.Path, port: int, gated: bool) -> None:
    clock, chance = clocks.SystemClock(), chances.Chance()
    authority = pki.Pki(folder / "pki", clock)
    store = await SqliteStore.open(folder / "store.db")
    api = server.ApiServer(
        settings.Settings(
            service_account_key=authority.service_account_key(),
            tokens={"bench": TENANT if gated else ADMINISTRATOR},
        ),
        store,
        clock=clock,
        chance=chance,
        auditor=auditor(folder, clock, chance) if gated else None,
    )
    await api.start()
    client = api.client(server.APISERVER, agent="bench")
    account = core_v1.ServiceAccount(metadata=meta_v1.ObjectMeta(name="default", namespace="default"))
    with contextlib.suppress(errors.StatusError):
        # It is there from the last time.
        await client.create(account)
        await client.create(
            rbac_v1.ClusterRole(
                metadata=meta_v1.ObjectMeta(name="bench"),
                rules=[rbac_v1.PolicyRule(apiGroups=[""], resources=["pods"], verbs=["get", "list", "create"])],
            )
        )
        await client.create(
            rbac_v1.ClusterRoleBinding(
                metadata=meta_v1.ObjectMeta(name="bench"),
                roleRef=rbac_v1.RoleRef(apiGroup=RBAC, kind="ClusterRole", name="bench"),
                subjects=[rbac_v1.Subject(apiGroup=RBAC, kind="User", name=TENANT.name)],
            )
        )
    pair = authority.server("bench", {"127.0.0.1"})
    tls = listener.server_context(certificate=str(pair.certificate), key=str(pair.key), client_ca=(str(authority.ca),))
    await api.listen(socket.create_server(("127.0.0.1", port), backlog=1024), tls)
    print("listening", flush=True)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await stopping.wait()
    await api.close()
    await store.close()


def auditor(folder: pathlib.Path, clock: clocks.Clock, chance: chances.Chance) -> audit.Auditor:
    rules = audit.Policy(rules=[audit.policy.Rule(level=audit.policy.METADATA)])
    return audit.Auditor(rules, [audit.LogFile(str(folder / "audit.log"), clock=clock)], clock=clock, chance=chance)


if __name__ == "__main__":
    uvloop.run(serve(pathlib.Path(sys.argv[1]), int(sys.argv[2]), "gated" in sys.argv[3:]))
