"""Calls to webhooks: an HTTPS POST of a review to a URL, or to one of the servers behind a Service.

Whose server it is makes no difference: admission, the conversion of custom resources and others share the connections,
which are kept. Each webhook has so many at most, so that one that does not answer holds up nothing but its own calls.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import ssl
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pybernetes.api import codecs
from pybernetes.api.types import admissionregistration_v1, apiextensions_v1
from pybernetes.apiserver.forwarding import failures, locations
from pybernetes.apiserver.forwarding import services as services_
from pybernetes.kits import clock as clocks

MOST_BYTES = 64 * 1024 * 1024
MOST_CALLS = 64
# How many webhooks to remember something of.
MOST_KNOWN = 1024
_SHOWN = 256
# What clients of upstream's make of answers that are no Status.
_ANSWERS = {
    400: "the server rejected our request for an unknown reason",
    401: "the server has asked for the client to provide credentials",
    404: "the server could not find the requested resource",
    405: "the server does not allow this method on the requested resource",
    429: "the server has received too many requests and has asked us to try again later",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted, but may still be processing the request",
}


# `caBundle` is base64; without one, the system's authorities are trusted.
Config = admissionregistration_v1.WebhookClientConfig | apiextensions_v1.WebhookClientConfig


class AnswerError(OSError):
    """A webhook answered with an HTTP status that is no success: `code`."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


class Webhooks:
    """`services` finds the servers behind Services."""

    def __init__(
        self,
        *,
        services: services_.Services,
        clock: clocks.Clock,
    ) -> None:
        self._services = services
        self._clock = clock
        self._session: Any = None
        self._trust: OrderedDict[str, ssl.SSLContext] = OrderedDict()
        self._slots: OrderedDict[str, asyncio.Semaphore] = OrderedDict()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(self, config: Config, review: Any, *, seconds: float) -> Any:
        """The answer as a tree. Raises OSError or ValueError that says what went wrong."""
        shown = f"{_shown(config)}?timeout={seconds:g}s"
        slots = _kept(self._slots, _shown(config), lambda: asyncio.Semaphore(MOST_CALLS))
        try:
            async with self._clock.timeout(seconds), slots:
                return await self._post(config, review, shown, f"timeout={seconds:g}s")
        except TimeoutError:
            raise OSError(f'Post "{shown}": context deadline exceeded') from None

    async def _post(self, config: Config, review: Any, shown: str, query: str) -> Any:
        import aiohttp

        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
            self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout())
        try:
            base, name = self._target(config)
        except OSError as error:
            raise OSError(f'Post "{shown}": {error}') from None
        headers = {"Content-Type": "application/json", "Accept": "application/json, */*"}
        if name is not None:
            headers["Host"] = urlsplit(shown).netloc
        context, body = self._context(config.caBundle), codecs.encode(review)

        async def ask() -> tuple[int, bytes]:
            async with self._session.post(
                f"{base}?{query}",
                data=body,
                headers=headers,
                ssl=context,
                server_hostname=name,
                allow_redirects=False,
            ) as response:
                answer = await response.content.read(MOST_BYTES + 1)
                while len(answer) <= MOST_BYTES and (more := await response.content.read(MOST_BYTES)):
                    answer += more
                return response.status, answer

        try:
            try:
                status, answer = await ask()
            except aiohttp.ServerDisconnectedError:
                # It closed the kept connection just when this came; reviews may be sent more than once.
                status, answer = await ask()
        except (aiohttp.ClientError, ssl.SSLError, ConnectionError) as error:
            parts = urlsplit(base)
            location = locations.Location("https", parts.hostname or "", str(parts.port or 443))
            raise OSError(f'Post "{shown}": {failures.text(error, location)}') from None
        return _decoded(status, answer)

    def _context(self, bundle: str) -> ssl.SSLContext:
        return _kept(self._trust, bundle, lambda: _trusting(bundle))

    def _target(self, config: Config) -> tuple[str, str | None]:
        """The URL to call, and the name that the server's certificate has to be for. Raises OSError."""
        if config.service is None:
            return config.url or "", None
        reference = config.service
        found = self._services.resolve(reference.namespace, reference.name, reference.port or 443)
        return f"https://{found.authority}/{(reference.path or '').lstrip('/')}", found.name


T = TypeVar("T")


def _kept(known: OrderedDict[str, T], key: str, make: Callable[[], T]) -> T:
    """What is known of a webhook; of many, those called last."""
    if key in known:
        known.move_to_end(key)
    else:
        known[key] = make()
        if len(known) > MOST_KNOWN:
            known.popitem(last=False)
    return known[key]


def _trusting(bundle: str) -> ssl.SSLContext:
    try:
        text = base64.b64decode(bundle).decode().strip()
        return ssl.create_default_context(cadata=text or None)
    except (binascii.Error, UnicodeDecodeError, ssl.SSLError, ValueError):
        raise OSError("unable to load root certificates: unable to parse bytes as PEM block") from None


def _shown(config: Config) -> str:
    """The URL as errors show it, which for a Service names the Service."""
    if config.service is None:
        return config.url or ""
    reference = config.service
    path = (reference.path or "").lstrip("/")
    return f"https://{reference.name}.{reference.namespace}.svc:{reference.port or 443}/{path}"


def _decoded(code: int, body: bytes) -> Any:
    if len(body) > MOST_BYTES:
        raise ValueError("the answer is too large")
    if 200 <= code < 300:
        try:
            return codecs.decode_tree(body)
        except codecs.DecodeError as error:
            raise ValueError(f"couldn't get version/kind; json parse error: {error}") from None
    text = body[:_SHOWN].decode(errors="replace").strip()
    try:
        status = codecs.decode_tree(body)
    except codecs.DecodeError:
        status = None
    if isinstance(status, dict) and status.get("kind") == "Status" and isinstance(status.get("message"), str):
        raise AnswerError(code, status["message"])
    if code == 403 and text:
        raise AnswerError(code, text)
    if code in _ANSWERS:
        raise AnswerError(code, _ANSWERS[code])
    if code >= 500:
        raise AnswerError(
            code, f'an error on the server ("{text or "unknown"}") has prevented the request from succeeding'
        )
    raise AnswerError(code, f"the server responded with the status code {code} but did not return more information")
