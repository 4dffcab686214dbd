"""gzip for large answers, to clients that take it: as upstream, level 1 and not below 128 KiB."""

from __future__ import annotations

import asyncio
import zlib

# In bytes; below, packing and unpacking take longer than sending.
THRESHOLD = 128 * 1024
# What is packed within about 3 ms; more goes to a thread (zlib lets others run meanwhile).
AT_ONCE = 384 * 1024
HEADERS = (("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))
_LEVEL = 1
_GZIP = 31


def accepted(encodings: str) -> bool:
    """Whether an Accept-Encoding header names gzip. A client that gives it a rank is not understood, as upstream."""
    return any(name.strip() == "gzip" for name in encodings.split(","))


async def packed(body: bytes) -> bytes:
    return _packed(body) if len(body) <= AT_ONCE else await asyncio.to_thread(_packed, body)


def _packed(body: bytes) -> bytes:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return packer.compress(body) + packer.flush()
