"""Which headers go with a proxied request, and which come back with its answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# They belong to one connection, not to what is sent over it.
HOP_BY_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
# The client's credentials are for this server alone, and who it is, is said by nobody else.
CREDENTIALS = ("authorization", "impersonate-", "x-remote-")
# What a server behind the API server lets other sites do must not be what the API server lets them do.
CROSS_ORIGIN = frozenset(
    (
        "access-control-allow-credentials",
        "access-control-allow-headers",
        "access-control-allow-methods",
        "access-control-allow-origin",
    )
)
# Asked for and given by this server, before it knows where the body goes.
ANSWERED = ("expect",)

Pairs = list[tuple[str, str]]


def of_request(given: Mapping[str, str], *, peer: str, forwarded_uri: str) -> Pairs:
    """Those of a plain request. `given` has lower-case names; `forwarded_uri` is what the client asked for."""
    left = HOP_BY_HOP.union(_listed(given.get("connection", "")))
    pairs = [pair for pair in _forwarded(given, peer) if pair[0].lower() not in left]
    return [*pairs, ("X-Forwarded-Uri", forwarded_uri)]


def of_upgrade(given: Mapping[str, str], *, peer: str) -> Pairs:
    """Those of a request for another protocol: the two ends agree on it, so theirs stay."""
    return _forwarded(given, peer)


def of_answer(given: Iterable[tuple[str, str]], *, without: Iterable[str] = ()) -> Pairs:
    """Those of an answer, less the ones for its way here and those `without`."""
    pairs = list(given)
    left = HOP_BY_HOP.union(CROSS_ORIGIN, without)
    for name, value in pairs:
        if name.lower() == "connection":
            left = left.union(_listed(value))
    return [pair for pair in pairs if pair[0].lower() not in left]


def _forwarded(given: Mapping[str, str], peer: str) -> Pairs:
    pairs = [
        (_canonical(name), value)
        for name, value in given.items()
        if not name.startswith(CREDENTIALS) and name not in ANSWERED and name != "x-forwarded-uri"
    ]
    if peer:
        before = given.get("x-forwarded-for", "")
        pairs = [pair for pair in pairs if pair[0] != "X-Forwarded-For"]
        pairs.append(("X-Forwarded-For", f"{before}, {peer}" if before else peer))
    return pairs


def _listed(value: str) -> list[str]:
    return [name.strip().lower() for name in value.split(",") if name.strip()]


def _canonical(name: str) -> str:
    """Case does not matter, but some servers for WebSockets think it does."""
    return "-".join(part.capitalize() for part in name.split("-"))
