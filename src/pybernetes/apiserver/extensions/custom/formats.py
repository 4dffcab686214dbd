"""The formats of strings that schemas may ask for, each read as upstream reads it. Unknown ones ask nothing."""

from __future__ import annotations

import datetime
import ipaddress
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from pybernetes.api import names

_UUID = r"[0-9a-f]{8}-?[0-9a-f]{4}-?%s[0-9a-f]{3}-?%s[0-9a-f]{3}-?[0-9a-f]{12}"
_ANY_HEX, _VARIANT = "[0-9a-f]", "[89ab]"
_CREDIT_CARD = re.compile(
    r"(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}"
    r"|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})"
)
_BYTE = re.compile(r"(?:[A-Za-z0-9+\\/]{4})*(?:[A-Za-z0-9+\\/]{2}==|[A-Za-z0-9+\\/]{3}=|[A-Za-z0-9+\\/]{4})")
_CHANNEL = r"\s*(?:25[0-5]|2[0-4]\d|[01]?\d\d?)\s*"
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_GO_DURATION = re.compile(r"[+-]?(?:0|(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)
_WORDY_DURATION = re.compile(r"\d+\s*([A-Za-zµ]+)", re.ASCII)
_EXACT_UNITS = {"ns", "us", "µs", "ms", "s", "m", "h", "hr", "d", "w", "wk"}
_UNIT_PREFIXES = ("nano", "micro", "milli", "sec", "min", "hour", "day", "week")
_EMAIL = re.compile(r"(?:.*<)?[^\s<>@,;:\"()\[\]\\]+@[^\s<>@,;:\"()\[\]\\]+>?")
_MAC = re.compile(
    r"[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}(?:(?:\1[0-9a-f]{2}){2})?(?:(?:\1[0-9a-f]{2}){12})?"
    r"|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2}(?:\.[0-9a-f]{4})?(?:(?:\.[0-9a-f]{4}){6})?",
    re.IGNORECASE,
)


def _matches(pattern: str, flags: int = re.ASCII | re.IGNORECASE) -> Callable[[str], bool]:
    match = re.compile(pattern, flags).fullmatch
    return lambda value: match(value) is not None


def _uri(value: str) -> bool:
    """An absolute URI or an absolute path."""
    if not value or any(ord(char) < 0x21 or ord(char) == 0x7F for char in value):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return bool(parts.scheme) or value.startswith("/")


def _hostname(value: str) -> bool:
    labels = value.split(".")
    if not value or len(value.encode()) > 255 or any(len(label.encode()) > 63 for label in labels):
        return False
    if not all(label and label[0] != "-" and label[-1] != "-" for label in labels):
        return False
    if not all(char.isalpha() or (char.isascii() and char.isdigit()) or char == "-" for char in value.replace(".", "")):
        return False
    # A top-level domain has letters only, two at the least.
    return len(labels) == 1 or (labels[-1].isalpha() and len(labels[-1]) >= 2)


def _sloppy(value: str) -> str:
    """IPv4 with leading zeros, as upstream still takes it."""
    return ".".join(part.lstrip("0") or "0" if part.isdigit() else part for part in value.split("."))


def _ipv4(value: str) -> bool:
    try:
        return "." in value and bool(ipaddress.ip_address(_sloppy(value)))
    except ValueError:
        return False


def _ipv6(value: str) -> bool:
    try:
        return ":" in value and bool(ipaddress.IPv6Address(value))
    except ValueError:
        return False


def _cidr(value: str) -> bool:
    address, slash, length = value.partition("/")
    if not slash or not length.isascii() or not length.isdigit():
        return False
    try:
        ipaddress.ip_network(f"{_sloppy(address) if ':' not in address else address}/{int(length)}", strict=False)
    except ValueError:
        return False
    return True


def _digits(value: str) -> str:
    return re.sub(r"[\s-]", "", value)


def _isbn10(value: str) -> bool:
    text = _digits(value)
    if not re.fullmatch(r"[0-9]{9}[0-9X]", text):
        return False
    return sum((10 - at) * (10 if char == "X" else int(char)) for at, char in enumerate(text)) % 11 == 0


def _isbn13(value: str) -> bool:
    text = _digits(value)
    return (
        bool(re.fullmatch("[0-9]{13}", text)) and not sum(int(c) * (3 if i % 2 else 1) for i, c in enumerate(text)) % 10
    )


def _credit_card(value: str) -> bool:
    text = re.sub(r"[^0-9]+", "", value)
    if not _CREDIT_CARD.fullmatch(text):
        return False
    doubled = (int(char) * (2 if at % 2 else 1) for at, char in enumerate(reversed(text)))
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


def _date(value: str) -> bool:
    try:
        return bool(_DATE.fullmatch(value)) and bool(datetime.date.fromisoformat(value))
    except ValueError:
        return False


def _date_time(value: str) -> bool:
    if not _DATE_TIME.fullmatch(value):
        return False
    hour, minute, second = (int(value[at : at + 2]) for at in (11, 14, 17))
    return _date(value[:10]) and hour < 24 and minute < 60 and second < 60


def _duration(value: str) -> bool:
    if _GO_DURATION.fullmatch(value):
        return True
    units = [unit.lower() for unit in _WORDY_DURATION.findall(value)]
    return any(unit in _EXACT_UNITS or unit.startswith(_UNIT_PREFIXES) for unit in units)


CHECKS: dict[str, Callable[[str], bool]] = {
    "bsonobjectid": _matches("[0-9a-f]{24}"),
    "byte": lambda value: bool(_BYTE.fullmatch(value)),
    "cidr": _cidr,
    "creditcard": _credit_card,
    "date": _date,
    "datetime": _date_time,
    "duration": _duration,
    "email": lambda value: bool(_EMAIL.fullmatch(value)),
    "hexcolor": _matches("#?(?:[0-9a-f]{3}|[0-9a-f]{6})"),
    "hostname": _hostname,
    "ipv4": _ipv4,
    "ipv6": _ipv6,
    "isbn": lambda value: _isbn10(value) or _isbn13(value),
    "isbn10": _isbn10,
    "isbn13": _isbn13,
    "k8slongname": lambda value: not names.dns_subdomain(value),
    "k8sshortname": lambda value: not names.dns_label(value),
    "mac": lambda value: bool(_MAC.fullmatch(value)),
    "password": lambda _: True,
    "rgbcolor": _matches(rf"rgb\({_CHANNEL},{_CHANNEL},{_CHANNEL}\)", re.ASCII),
    "ssn": _matches(r"\d{3}[- ]?\d{2}[- ]?\d{4}"),
    "uri": _uri,
    "uuid": _matches(_UUID % (_ANY_HEX, _ANY_HEX)),
    "uuid3": _matches(_UUID % ("3", _ANY_HEX)),
    "uuid4": _matches(_UUID % ("4", _VARIANT)),
    "uuid5": _matches(_UUID % ("5", _VARIANT)),
}
NUMERIC = {"integer": ("int32", "int64"), "number": ("float", "double")}


def recognised(name: str, kind: str) -> bool:
    """Whether a format means anything for a type ("" for none, or for several)."""
    return name.replace("-", "") in CHECKS if kind in ("", "string") else name in NUMERIC.get(kind, ())
