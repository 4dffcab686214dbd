"""resourceVersion, resourceVersionMatch and continue: what point in time a read is about."""

from __future__ import annotations

import base64
from typing import NamedTuple

import msgspec

from pybernetes.api import errors, fields
from pybernetes.api.types import meta_v1
from pybernetes.apiserver.storage import collection as collections
from pybernetes.kits import clock as clocks

EXACT = "Exact"
NOT_OLDER = "NotOlderThan"
# How long upstream waits for a revision that it has not seen.
WAIT_SECONDS = 3.0
TOKEN_VERSION = "meta.k8s.io/v1"

TOO_OLD_TOKEN = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list "
    "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
    "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
    "modified, or deleted between the time the first chunk was returned and now may show up in the list."
)


class Token(NamedTuple):
    """Where a list goes on: after this key, at this revision (-1: whatever is current)."""

    after: str
    revision: int


class _Token(msgspec.Struct):
    v: str
    rv: int
    start: str


def parse(text: str) -> int:
    """A resourceVersion parameter as a number; "" is 0. Raises StatusError as upstream does."""
    if text == "" or text == "0":
        return 0
    if not text.isascii() or not text.isdigit():
        detail = f'strconv.ParseUint: parsing "{text}": invalid syntax'
        problem = fields.invalid(fields.Path("resourceVersion"), text, detail)
        raise errors.bad_request(str(problem))
    if len(text) > 20 or int(text) >= 1 << 64:
        detail = f'strconv.ParseUint: parsing "{text}": value out of range'
        raise errors.bad_request(str(fields.invalid(fields.Path("resourceVersion"), text, detail)))
    return int(text)


async def reach(collection: collections.Collection, wanted: int, clock: clocks.Clock) -> None:
    """Wait for a revision that reads do not see yet. Raises StatusError Timeout if it does not come."""
    try:
        async with clock.timeout(WAIT_SECONDS):
            await collection.reach(wanted)
    except TimeoutError:
        failed = errors.timeout(f"Too large resource version: {wanted}, current: {collection.revision}")
        if failed.status.details is not None:
            failed.status.details.causes.append(
                meta_v1.StatusCause(reason="ResourceVersionTooLarge", message="Too large resource version")
            )
        raise failed from None


def encode_token(prefix: str, after: str, revision: int) -> str:
    """An opaque continue token, laid out as upstream's."""
    token = _Token(v=TOKEN_VERSION, rv=revision, start=after.removeprefix(prefix) + "\0")
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).rstrip(b"=").decode()


def decode_token(prefix: str, text: str) -> Token:
    """Raises StatusError for a token we did not make."""
    try:
        token = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=_Token)
    except (ValueError, msgspec.DecodeError):
        raise errors.bad_request("continue key is not valid: encoded continue value is not valid") from None
    if token.v != TOKEN_VERSION:
        raise errors.bad_request(
            f'continue key is not valid: server does not recognize this encoded version "{token.v}"'
        )
    if token.rv == 0:
        raise errors.bad_request(
            "continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)"
        )
    return Token(prefix + token.start.rstrip("\0"), token.rv)


def expired_token(prefix: str, after: str) -> errors.StatusError:
    """410, with a token that goes on inconsistently from the same place."""
    failed = errors.expired(TOO_OLD_TOKEN)
    failed.status.metadata.continue_ = encode_token(prefix, after, -1)
    return failed
