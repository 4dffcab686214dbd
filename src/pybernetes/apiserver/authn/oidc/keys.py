"""The keys of a provider: found by its discovery document, kept, and fetched again when a token has another.

unknown --start--> fetching --(fails, again later)--> fetching --> known --(a token has another)--> fetching
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import Any

import msgspec

from pybernetes.apiserver.authn import jwt, keysets
from pybernetes.apiserver.authn.oidc import settings as settings_
from pybernetes.kits import backoff, tasks
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks

log = logging.getLogger(__name__)

WELL_KNOWN = "/.well-known/openid-configuration"
FETCH_SECONDS = 30.0
MOST_BYTES = 4 * 1024 * 1024
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 10.0
# So often at most keys are fetched because a token has one that is not known.
LEAST_SECONDS = 10.0


class FetchError(Exception):
    """Why a provider could not be read."""


class Keys:
    """`start` begins to fetch; `ready` is set when that has worked once."""

    def __init__(self, issuer: settings_.Issuer, *, clock: clocks.Clock, chance: chances.Chance) -> None:
        self._issuer = issuer
        self._clock, self._chance = clock, chance
        self._tasks = tasks.Tasks()
        self._session: Any = None
        self._tls: ssl.SSLContext | None = None
        self._set_url = ""
        self._keys: list[keysets.Key] = []
        self._fetched = -LEAST_SECONDS
        self._fetching = asyncio.Lock()
        self.ready = asyncio.Event()

    def start(self) -> None:
        self._tasks.spawn(self._begin(), name=f"keys of {self._issuer.url}")

    async def close(self) -> None:
        await self._tasks.close()
        if self._session is not None:
            await self._session.close()

    def fitting(self, key_id: str) -> list[keysets.Key]:
        """Those that a token with that `kid` may be signed with."""
        return [key for key in self._keys if not key_id or key.key_id in ("", key_id)]

    async def renew(self) -> bool:
        """Fetch them again; whether that was done, as it is not when it has just been. Raises InvalidToken."""
        seen = self._fetched
        async with self._fetching:
            if self._fetched != seen:
                return True
            if self._clock.monotonic() - self._fetched < LEAST_SECONDS:
                return False
            try:
                await self._fetch_set()
            except FetchError as error:
                raise jwt.InvalidToken(f"oidc: verify token: failed to verify signature: {error}") from None
        return True

    async def _begin(self) -> None:
        pauses = backoff.Backoff(first=FIRST_PAUSE, cap=LONGEST_PAUSE, jitter=0.1, chance=self._chance)
        while True:
            try:
                await self._discover()
                async with self._fetching:
                    await self._fetch_set()
            except FetchError as error:
                log.error("oidc authenticator: initializing plugin: %s", error)
            else:
                self.ready.set()
                return
            await self._clock.sleep(pauses.next())

    async def _discover(self) -> None:
        url = self._issuer.discoveryURL or self._issuer.url.rstrip("/") + WELL_KNOWN
        document = await self._get(url)
        if not isinstance(document, dict):
            raise FetchError(f"{url} is not an object")
        named = document.get("issuer")
        if named != self._issuer.url:
            which = f'expected "{self._issuer.url}" got "{named}"'
            raise FetchError(f"oidc: issuer did not match the issuer returned by provider, {which}")
        found = document.get("jwks_uri")
        if not isinstance(found, str) or not found:
            raise FetchError("provider did not return JWKS URL")
        self._set_url = found

    async def _fetch_set(self) -> None:
        self._fetched = self._clock.monotonic()
        tree = await self._get(self._set_url)
        try:
            self._keys = keysets.read(tree)
        except ValueError as error:
            raise FetchError(f"{self._set_url}: {error}") from None

    async def _get(self, url: str) -> Any:
        import aiohttp

        if self._session is None:
            authority = self._issuer.certificateAuthority
            self._tls = ssl.create_default_context(cadata=authority or None)
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout())
        try:
            async with (
                self._clock.timeout(FETCH_SECONDS),
                self._session.get(url, ssl=self._tls, headers={"Accept": "application/json"}) as response,
            ):
                body = await response.content.read(MOST_BYTES + 1)
                while len(body) <= MOST_BYTES and (more := await response.content.read(MOST_BYTES)):
                    body += more
                if response.status != 200:
                    raise FetchError(f"{url}: {response.status} {response.reason}")
        except TimeoutError:
            raise FetchError(f'Get "{url}": context deadline exceeded') from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise FetchError(f'Get "{url}": {error}') from None
        if len(body) > MOST_BYTES:
            raise FetchError(f"{url}: the answer is too large")
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise FetchError(f"{url}: {error}") from None
