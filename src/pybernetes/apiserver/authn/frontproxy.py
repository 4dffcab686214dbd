"""Users that another server vouches for: one in front of this, which has a certificate of an authority of its own, says
in headers who a request is from (`--requestheader-*`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from pybernetes.apiserver import request as requests


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`ca` is PEM; `allowed_names` those of certificates, () for any. Headers and prefixes as in the flags."""

    ca: bytes
    allowed_names: tuple[str, ...] = ()
    names: tuple[str, ...] = ("X-Remote-User",)
    uids: tuple[str, ...] = ()
    groups: tuple[str, ...] = ("X-Remote-Group",)
    extras: tuple[str, ...] = ("X-Remote-Extra-",)

    @property
    def repeated(self) -> tuple[str, ...]:
        """What the names of headers begin with, in lower case, that mean something each time that they come."""
        return tuple(name.lower() for name in (*self.names, *self.uids, *self.groups, *self.extras))


class FrontProxy:
    def __init__(self, settings: Settings) -> None:
        self._names = [name.lower() for name in settings.names]
        self._uids = [name.lower() for name in settings.uids]
        self._groups = [name.lower() for name in settings.groups]
        self._extras = [name.lower() for name in settings.extras]
        # The usual ones are never passed on.
        self._own = tuple(name for name in settings.repeated if not name.startswith("x-remote-"))

    def clear(self, headers: dict[str, str]) -> None:
        """What a client says of who it is, is passed on to nobody who may believe it."""
        for name in [name for name in headers if name.startswith(self._own)] if self._own else ():
            del headers[name]

    def user(self, headers: Mapping[str, str]) -> requests.User | None:
        """None where no user is named: then the request is the proxy's own."""
        name = _first(headers, self._names)
        if not name:
            return None
        groups = tuple(value for value in _all(headers, self._groups) if value)
        if "system:authenticated" not in groups and "system:unauthenticated" not in groups:
            groups = (*groups, "system:authenticated")
        extra: dict[str, list[str]] = {}
        for prefix in self._extras:
            for header, value in headers.items():
                if header.startswith(prefix):
                    key = unquote(header.removeprefix(prefix))
                    extra.setdefault(key, []).extend(value.split(requests.REPEATED))
        pairs = tuple(sorted((key, tuple(values)) for key, values in extra.items()))
        return requests.User(name, _first(headers, self._uids), groups, pairs)


def _all(headers: Mapping[str, str], names: list[str]) -> Iterator[str]:
    for name in names:
        if name in headers:
            yield from headers[name].split(requests.REPEATED)


def _first(headers: Mapping[str, str], names: list[str]) -> str:
    for name in names:
        value = headers.get(name, "").partition(requests.REPEATED)[0]
        if value:
            return value
    return ""
