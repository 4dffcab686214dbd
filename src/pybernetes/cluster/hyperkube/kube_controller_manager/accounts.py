"""Clients that act as service accounts of kube-system: the account is made, its token asked for and renewed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from pybernetes import client as clients
from pybernetes.api.errors import StatusError
from pybernetes.api.types import authentication_v1, core_v1, meta_v1
from pybernetes.kits import clock as clocks

NAMESPACE = "kube-system"
TOKEN_SECONDS = 3600
# Renewed when this part of its time is over.
RENEW_AT = 0.8


class Accounts:
    """`root` may make accounts and tokens; `connect(agent)` makes connections."""

    def __init__(self, root: clients.Client, connect: Callable[[str], clients.Client], *, clock: clocks.Clock) -> None:
        self._root, self._connect, self._clock = root, connect, clock
        self._made: dict[str, clients.Client] = {}

    def client_of(self, account: str) -> clients.Client:
        if account not in self._made:
            transport = _Transport(self._root, self._connect(account).transport, account, clock=self._clock)
            self._made[account] = clients.Client(transport, manager=account)
        return self._made[account]

    async def close(self) -> None:
        for client in self._made.values():
            await client.close()


class _Transport:
    """Sends with the account's token, which it has before the first call and renews in time."""

    def __init__(self, root: clients.Client, inner: clients.Transport, account: str, *, clock: clocks.Clock) -> None:
        self._root, self._inner, self._account, self._clock = root, inner, account, clock
        self.in_process = inner.in_process
        self._renew = 0.0
        self._asking = asyncio.Lock()

    async def send(self, call: clients.Call) -> Any:
        await self._fresh()
        return await self._inner.send(call)

    async def list(self, call: clients.Call) -> Any:
        await self._fresh()
        return await self._inner.list(call)

    def watch(self, call: clients.Call) -> AbstractAsyncContextManager[clients.WatchStream]:
        return self._inner.watch(call)

    async def close(self) -> None:
        await self._inner.close()

    async def _fresh(self) -> None:
        if self._clock.monotonic() < self._renew:
            return
        async with self._asking:
            if self._clock.monotonic() < self._renew:
                return
            token = await self._token()
            self._inner.bear(token)  # type: ignore[attr-defined]
            self._renew = self._clock.monotonic() + TOKEN_SECONDS * RENEW_AT

    async def _token(self) -> str:
        wanted = authentication_v1.TokenRequest(
            spec=authentication_v1.TokenRequestSpec(expirationSeconds=TOKEN_SECONDS)
        )
        try:
            made = await self._root.post(core_v1.ServiceAccount, self._account, NAMESPACE, "token", wanted)
        except StatusError as error:
            if error.reason != "NotFound":
                raise
            account = core_v1.ServiceAccount(metadata=meta_v1.ObjectMeta(name=self._account, namespace=NAMESPACE))
            await self._root.create(account)
            made = await self._root.post(core_v1.ServiceAccount, self._account, NAMESPACE, "token", wanted)
        return made.status.token
