"""Deletes bootstrap tokens whose time is over."""

from __future__ import annotations

from pybernetes.api import errors
from pybernetes.api.types import core_v1
from pybernetes.controllers.bootstrap import tokens
from pybernetes.controllers.context import Context
from pybernetes.informers import key_of, split_key

NAME = "token-cleaner-controller"


class TokenCleaner:
    """The controller. Work items are Secrets."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._queue = context.queue(NAME)
        self._secrets = context.informers.of(core_v1.Secret, namespace=tokens.NAMESPACE, fields=f"type={tokens.TYPE}")
        self._secrets.on_change(self._changed)

    async def run(self) -> None:
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=(self._secrets,), workers=1)

    def _changed(self, old: core_v1.Secret | None, new: core_v1.Secret | None) -> None:
        if new is not None:
            self._queue.add(key_of(new), "Secret changed")

    async def reconcile(self, key: str) -> float | None:
        namespace, name = split_key(key)
        secret = self._secrets.cache.get(name, namespace)
        left = tokens.expires_in(secret, self._context.clock.time()) if secret is not None else None
        if secret is None or left is None:
            return None
        if left > 0:
            return left
        try:
            await self._client.delete(core_v1.Secret, name, namespace, uid=secret.metadata.uid)
        except errors.StatusError as error:
            if error.reason not in ("NotFound", "Conflict"):
                raise
        return None
