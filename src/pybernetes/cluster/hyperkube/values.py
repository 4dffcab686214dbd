"""What the values of flags can be, each read from its text; with the words that Go's flags have for them in `-h`."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from pybernetes.api import times


class Kind(NamedTuple):
    """`read` raises ValueError; `many` flags may be given again, and what they hold adds up."""

    word: str
    read: Callable[[str], Any]
    many: bool = False


_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


def boolean(text: str) -> bool:
    if text not in (*_TRUE, *_FALSE):
        raise ValueError("must be true or false")
    return text in _TRUE


def integer(text: str) -> int:
    if not re.fullmatch(r"[-+]?[0-9]+", text):
        raise ValueError("must be a whole number")
    return int(text)


def decimal(text: str) -> float:
    if not re.fullmatch(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?", text):
        raise ValueError("must be a number")
    return float(text)


def seconds(text: str) -> float:
    """`1h30m`, `300ms`, `1.5s`: Go's durations, in seconds."""
    try:
        if text:
            return times.duration(text)
        raise ValueError
    except ValueError:
        raise ValueError('must be a duration, as in "300ms", "90s" or "1h30m"') from None


def listed(text: str) -> list[str]:
    """Split at commas, without blanks."""
    return [part for part in (part.strip() for part in text.split(",")) if part]


def address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("must be an IP address") from None


def network(text: str) -> str:
    """One range in CIDR notation, as the network it lies in."""
    if "," in text:
        raise ValueError("one range only: two (dual-stack) are not there yet")
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise ValueError('must be a range of addresses, as in "10.96.0.0/12"') from None


def networks(text: str) -> str:
    """One range in CIDR notation, or one of each IP family, split at a comma; the default one first."""
    ranges = [network(part) for part in text.split(",")]
    if len(ranges) > 2:
        raise ValueError("must not contain more than two entries")
    if len({ipaddress.ip_network(one).version for one in ranges}) != len(ranges):
        raise ValueError("the two ranges must be of different IP family")
    return ",".join(ranges)


def ports(text: str) -> tuple[int, int]:
    """`30000-32767`, `30000+100` (that many after it) or one port; first and last."""
    found = re.fullmatch(r"(\d+)(?:([-+])(\d+))?", text)
    if found is None:
        raise ValueError('must be a range of ports, as in "30000-32767"')
    first = int(found[1])
    last = first if found[2] is None else int(found[3]) + (first if found[2] == "+" else 0)
    if not 0 < first <= last <= 65535:
        raise ValueError("the ports must lie between 1 and 65535, the first not above the last")
    return first, last


BOOL = Kind("", boolean)
INT = Kind("int", integer)
FLOAT = Kind("float", decimal)
STRING = Kind("string", str)
STRINGS = Kind("strings", listed, many=True)
# Given once for each value: a value may hold a comma.
ARRAY = Kind("stringArray", lambda text: [text], many=True)
DURATION = Kind("duration", seconds)
ADDRESS = Kind("ip", address)
NETWORK = Kind("cidr", network)
NETWORKS = Kind("cidrs", networks)
PORTS = Kind("portRange", ports)
