"""An API server alone, durable (SQLite), without controllers: what the API rates are measured on.

Usage: python benchmarks/bare.py FOLDER PORT; bearer token `bench` is an administrator.
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
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import server, settings
from pybernetes.apiserver.http import listener
from pybernetes.cluster import pki
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.store.sqlite import SqliteStore


async def serve(folder: pathlib.Path, port: int) -> None:
    clock, chance = clocks.SystemClock(), chances.Chance()
    authority = pki.Pki(folder / "pki", clock)
    store = await SqliteStore.open(folder / "store.db")
    api = server.ApiServer(
        settings.Settings(
            service_account_key=authority.service_account_key(),
            tokens={"bench": requests.User("admin", groups=("system:masters", "system:authenticated"))},
        ),
        store,
        clock=clock,
        chance=chance,
    )
    await api.start()
    account = core_v1.ServiceAccount(metadata=meta_v1.ObjectMeta(name="default", namespace="default"))
    with contextlib.suppress(errors.StatusError):
        # It is there from the last time.
        await api.client(server.APISERVER, agent="bench").create(account)
    pair = authority.server("bench", {"127.0.0.1"})
    tls = listener.server_context(certificate=str(pair.certificate), key=str(pair.key), client_ca=(str(authority.ca),))
    await api.listen(socket.create_server(("127.0.0.1", port), backlog=1024), tls)
    print("listening", flush=True)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await stopping.wait()
    await api.close()
    await store.close()


if __name__ == "__main__":
    uvloop.run(serve(pathlib.Path(sys.argv[1]), int(sys.argv[2])))
