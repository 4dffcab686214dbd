"""Service-account tokens for pods: bound to the pod, asked for once, renewed before they expire."""

from __future__ import annotations

from typing import NamedTuple

from pybernetes.api import times
from pybernetes.api.types import authentication_v1, core_v1
from pybernetes.client import Client
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks

DEFAULT_SECONDS = 3600
MAX_AGE = 24 * 3600.0
JITTER = 10.0


class _Token(NamedTuple):
    token: str
    renew_at: float


class Tokens:
    """Tokens by pod, audience and lifetime. As upstream: renewed at 80 % of their life, at the latest after a day."""

    def __init__(self, client: Client, *, clock: clocks.Clock, chance: chances.Chance) -> None:
        self._client, self._clock, self._chance = client, clock, chance
        self._tokens: dict[tuple[str, str, int], _Token] = {}

    async def get(self, pod: core_v1.Pod, projection: core_v1.ServiceAccountTokenProjection) -> str:
        """A valid token. Raises StatusError and ConnectionError."""
        seconds = projection.expirationSeconds or DEFAULT_SECONDS
        key = (pod.metadata.uid, projection.audience, seconds)
        known = self._tokens.get(key)
        if known is not None and self._clock.time() < known.renew_at:
            return known.token
        request = authentication_v1.TokenRequest(
            spec=authentication_v1.TokenRequestSpec(
                audiences=[projection.audience] if projection.audience else [],
                expirationSeconds=seconds,
                boundObjectRef=authentication_v1.BoundObjectReference(
                    apiVersion="v1", kind="Pod", name=pod.metadata.name, uid=pod.metadata.uid
                ),
            )
        )
        account = pod.spec.serviceAccountName or "default"
        answer = await self._client.post(core_v1.ServiceAccount, account, pod.metadata.namespace, "token", request)
        now = self._clock.time()
        expires = times.parse(answer.status.expirationTimestamp) if answer.status.expirationTimestamp else now + seconds
        life = expires - now
        renew_at = now + min(0.8 * life, MAX_AGE) - self._chance.uniform(0, min(JITTER, life / 10))
        self._tokens[key] = _Token(answer.status.token, renew_at)
        return answer.status.token

    def next_renewal(self, uid: str) -> float | None:
        """When (epoch seconds) the pod's volumes should be looked at again."""
        return min((token.renew_at for (owner, _, _), token in self._tokens.items() if owner == uid), default=None)

    def forget(self, uid: str) -> None:
        for key in [key for key in self._tokens if key[0] == uid]:
            del self._tokens[key]
