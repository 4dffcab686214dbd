"""A machine's resolv.conf: whom it asks for names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """What a resolv.conf says."""

    servers: Sequence[str] = ()
    searches: Sequence[str] = ()
    options: Sequence[str] = ()


def parse(text: str) -> Resolver:
    servers, searches, options = [], [], []
    for line in text.splitlines():
        words = line.split("#")[0].split(";")[0].split()
        match words:
            case ["nameserver", server, *_]:
                servers.append(server)
            case ["search", *found]:
                searches = [name.rstrip(".") or "." for name in found]
            case ["options", *found]:
                options = found
    return Resolver(servers=servers, searches=searches, options=options)
