"""One identity provider's tokens: is the signature right, are they for us, do they hold, and whom do they name."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import wording
from pybernetes.apiserver.authn import jwt, keysets, remote, signing
from pybernetes.apiserver.authn.oidc import keys, mapping
from pybernetes.apiserver.authn.oidc import settings as settings_
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks

# How long what a token came to is kept.
KEPT_SECONDS = 10.0
LEEWAY_SECONDS = 300.0
VERIFYING = "oidc: verify token: "


class Provider:
    """`algorithms` are the `alg`s that are taken; `audiences` those of this server, which its users have access to."""

    def __init__(
        self,
        settings: settings_.Provider,
        *,
        algorithms: Sequence[str],
        audiences: tuple[str, ...],
        clock: clocks.Clock,
        chance: chances.Chance,
    ) -> None:
        self._settings = settings
        self._algorithms = frozenset(algorithms)
        self._audiences = audiences
        self._clock = clock
        self.keys = keys.Keys(settings.issuer, clock=clock, chance=chance)

    async def ask(self, token: str, audiences: tuple[str, ...]) -> remote.Answer:
        """Raises InvalidToken."""
        parsed = jwt.parse(token)
        issuer = self._settings.issuer
        if parsed.issuer != issuer.url:
            raise jwt.NotOurs("the token is from another issuer")
        if not self.keys.ready.is_set():
            raise jwt.InvalidToken("oidc: authenticator not initialized")
        self._check_claims(parsed)
        if parsed.algorithm not in self._algorithms:
            raise jwt.InvalidToken(
                f'{VERIFYING}oidc: malformed jwt: unexpected signature algorithm "{parsed.algorithm}"; '
                f"expected {wording.quoted(sorted(self._algorithms))}"
            )
        if not self._is_signed(parsed) and not (await self.keys.renew() and self._is_signed(parsed)):
            raise jwt.InvalidToken(f"{VERIFYING}failed to verify signature: failed to verify id token signature")
        good_for = tuple(one for one in audiences or self._audiences if one in self._audiences)
        if not good_for:
            raise jwt.InvalidToken("the audiences wanted are not those of this server")
        expires = jwt.seconds(parsed.claims, "exp") or 0.0
        ttl = min(KEPT_SECONDS, expires - self._clock.time())
        return remote.Answer(mapping.user(self._settings, parsed.claims), good_for, ttl)

    def open(self) -> None:
        self.keys.start()

    async def close(self) -> None:
        await self.keys.close()

    def _check_claims(self, parsed: jwt.Parsed) -> None:
        wanted, found = self._settings.issuer.audiences, jwt.audiences(parsed.claims)
        if not set(wanted) & set(found):
            raise jwt.InvalidToken(
                f"{VERIFYING}oidc: expected audience in {wording.quoted(sorted(wanted))} got {wording.quoted(found)}"
            )
        now = self._clock.time()
        expires, begins = jwt.seconds(parsed.claims, "exp"), jwt.seconds(parsed.claims, "nbf")
        if expires is None or now >= expires:
            raise jwt.InvalidToken(f"{VERIFYING}oidc: token is expired")
        if begins is not None and now + LEEWAY_SECONDS < begins:
            raise jwt.InvalidToken(f"{VERIFYING}oidc: current time is before the nbf (not before) time")

    def _is_signed(self, parsed: jwt.Parsed) -> bool:
        return any(_fits(key, parsed) for key in self.keys.fitting(parsed.key_id))


def _fits(key: keysets.Key, parsed: jwt.Parsed) -> bool:
    name = parsed.algorithm
    if key.algorithm not in ("", name) or not signing.fits(key.key, name):
        return False
    return signing.verifies(key.key, parsed.signature, parsed.signed, name)
