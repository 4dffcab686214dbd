"""Reviews by a server of one's own, which a kubeconfig file names: its cluster is that server, its user this one.

As upstream's generic webhook: asked again, a little later, while the server cannot answer.
"""

from __future__ import annotations

import pathlib
from typing import Any

from pybernetes import client as clients
from pybernetes.api import errors
from pybernetes.client import kubeconfig
from pybernetes.client import transport as transports
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks

ATTEMPTS, FACTOR, JITTER = 5, 1.5, 0.2
BACKOFF_SECONDS = 0.5


class ReviewError(Exception):
    """Why there is no answer."""


class Reviewer:
    """`seconds` is what one attempt may take, `backoff` how long after the first the second is made."""

    def __init__(
        self,
        path: pathlib.Path,
        *,
        clock: clocks.Clock,
        chance: chances.Chance | None = None,
        seconds: float = 30.0,
        backoff: float = BACKOFF_SECONDS,
    ) -> None:
        self._path, self._clock, self._chance = path, clock, chance
        self._seconds, self._backoff = seconds, backoff
        self._client: clients.Client | None = None

    def open(self) -> None:
        """Read the file now, so that what is wrong with it is known at the start. Raises ValueError."""
        try:
            self._client = kubeconfig.client(self._path, user_agent="kube-apiserver")
        except kubeconfig.KubeconfigError as error:
            raise ValueError(str(error)) from None

    async def close(self) -> None:
        if self._client is not None:
            await self._client.transport.close()

    async def ask(self, review: dict[str, Any]) -> dict[str, Any]:
        """The `status` of the answered review. Raises ReviewError."""
        try:
            answer = await self._send(review)
        except (OSError, ValueError, kubeconfig.KubeconfigError, errors.StatusError) as error:
            raise ReviewError(str(error)) from None
        status = answer.get("status") if isinstance(answer, dict) else None
        if not isinstance(status, dict):
            raise ReviewError("the answer has no status")
        return status

    async def _send(self, review: dict[str, Any]) -> Any:
        if self._client is None:
            self._client = kubeconfig.client(self._path, user_agent="kube-apiserver")
        call = transports.Call(method="POST", path="", body=review, returns=dict)
        delay = self._backoff
        for attempt in range(ATTEMPTS):
            try:
                async with self._clock.timeout(self._seconds):
                    return await self._client.transport.send(call)
            except TimeoutError:
                # Who is too slow once is not asked again: somebody waits for this.
                raise OSError("context deadline exceeded") from None
            except (ConnectionError, errors.StatusError) as error:
                is_final = isinstance(error, errors.StatusError) and error.code < 500 and error.code != 429
                if is_final or attempt == ATTEMPTS - 1:
                    raise
            await self._clock.sleep(delay if self._chance is None else self._chance.jitter(delay, JITTER))
            delay *= FACTOR
        raise AssertionError("the last attempt returns or raises")
