"""The controllers at work against any API server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cryptography.hazmat.primitives import serialization

from pybernetes import client as clients
from pybernetes import controllers
from pybernetes.apiserver.authn import serviceaccounts
from pybernetes.cluster import tools as toolboxes
from pybernetes.cluster.hyperkube import ports
from pybernetes.cluster.hyperkube.kube_controller_manager import accounts
from pybernetes.controllers.loadbalancer import pool as pools
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks

ISSUER = "kubernetes/serviceaccount"


def signer(key: bytes) -> Callable[[Mapping[str, Any]], str] | None:
    """Signs tokens with a private key (PEM); None without one. Raises ValueError."""
    if not key:
        return None
    private: Any = serialization.load_pem_private_key(key, password=None)
    made = serviceaccounts.Signer(
        private, issuers=(ISSUER,), audiences=(), clock=clocks.SystemClock(), chance=chances.Chance()
    )
    return lambda claims: made.sign(dict(claims))


def pool(ranges: Iterable[str]) -> tuple[str, ...]:
    """The ranges of addresses, looked at before anything starts. Raises ValueError."""
    found = tuple(ranges)
    pools.Pool(found)
    return found


async def run(
    client: clients.Client,
    *,
    only: str,
    settings: controllers.Settings,
    own_accounts: bool,
    connect: Callable[[str], clients.Client],
    shown: ports.Shown,
    clock: clocks.Clock,
    chance: chances.Chance,
) -> None:
    """Until cancelled."""
    async with toolboxes.tools(client, clock=clock, chance=chance) as tools:
        context = controllers.Context(
            client=client,
            informers=tools.informers,
            clock=clock,
            chance=chance,
            recorder=tools.recorder,
            settings=settings,
        )
        own = accounts.Accounts(client, connect, clock=clock) if own_accounts else None
        running = controllers.Controllers(context, only=only, client_of=None if own is None else own.client_of)
        shown.families["controllers"] = context.families
        shown.checks["/healthz"].update({name: lambda: None for name in running.names})
        try:
            await tools.informers.start()
            await running.run()
        finally:
            await running.close()
            if own is not None:
                await own.close()
