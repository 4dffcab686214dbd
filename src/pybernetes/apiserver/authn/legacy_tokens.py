"""Notes on the Secrets of long-lived service-account tokens when each was last used, and refuses those marked invalid.

`legacy-serviceaccount-token-cleaner-controller` marks, and later deletes, what has long not been used.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from pybernetes import client as clients
from pybernetes.api import errors, times
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver.authn import serviceaccounts
from pybernetes.apiserver.storage import collection as collections
from pybernetes.kits import clock as clocks
from pybernetes.kits import tasks

log = logging.getLogger(__name__)

LAST_USED = "kubernetes.io/legacy-token-last-used"
INVALID_SINCE = "kubernetes.io/legacy-token-invalid-since"
TRACKING = "kube-apiserver-legacy-service-account-token-tracking"
DAY = 86400.0


def date(seconds: float) -> str:
    """A day, as the labels have it."""
    return times.to_time(seconds).partition("T")[0]


def tracking(now: float) -> core_v1.ConfigMap:
    """Says since when uses are noted."""
    return core_v1.ConfigMap(
        metadata=meta_v1.ObjectMeta(name=TRACKING, namespace="kube-system"), data={"since": date(now)}
    )


class LegacyTokens:
    """`client` is made when the first use is noted."""

    def __init__(
        self, secrets: collections.Collection, client: Callable[[], clients.Client], *, clock: clocks.Clock
    ) -> None:
        self._secrets, self._client, self._clock = secrets, client, clock
        self._made: clients.Client | None = None
        self._noted: dict[str, str] = {}
        self._tasks = tasks.Tasks()

    def used(self, namespace: str, account: str, name: str) -> None:
        """A Secret's token was sent. Raises InvalidToken where the Secret is gone, or marked invalid."""
        item = self._secrets.get(namespace, name)
        secret = item.peek(core_v1.Secret) if item is not None else None
        if secret is None or secret.metadata.deletionTimestamp is not None:
            raise serviceaccounts.InvalidToken("service account token has been invalidated")
        self._note(secret)
        if secret.metadata.labels.get(INVALID_SINCE):
            raise serviceaccounts.InvalidToken(
                f"the token in secret {namespace}/{name} for service account {namespace}/{account} has been marked "
                "invalid. Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the "
                f"'{INVALID_SINCE}' label from the secret to temporarily allow use of this token"
            )

    async def close(self) -> None:
        await self._tasks.close()

    def _note(self, secret: core_v1.Secret) -> None:
        now, uid = self._clock.time(), secret.metadata.uid
        today = date(now)
        # Another server's clock may be ahead.
        if secret.metadata.labels.get(LAST_USED) in (today, date(now + DAY)) or self._noted.get(uid) == today:
            return
        if today not in self._noted.values():
            self._noted.clear()
        self._noted[uid] = today
        self._tasks.spawn(self._write(secret, today), name="last use of a token")

    async def _write(self, secret: core_v1.Secret, today: str) -> None:
        self._made = self._made or self._client()
        meta = secret.metadata
        patch = {"metadata": {"uid": meta.uid, "labels": {LAST_USED: today}}}
        try:
            await self._made.patch(core_v1.Secret, meta.name, meta.namespace, patch)
        except errors.StatusError as error:
            # Noted with the next use.
            self._noted.pop(meta.uid, None)
            log.warning("last use of the token in secret %s/%s not noted: %s", meta.namespace, meta.name, error)
