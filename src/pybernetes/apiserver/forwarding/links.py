"""Links of a server behind the API server: what it calls `/x` is `.../proxy/x` to the client."""

from __future__ import annotations

import posixpath
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes, urlsplit, urlunsplit

# What stays as it is in a path, beside letters, digits and `-._~`.
SAFE = "$&+,/:;=@"


class Target(NamedTuple):
    """A request's path, taken apart: `prefix` is up to and with `proxy`, `path` what is asked for behind it."""

    prefix: str
    path: str


def target(path: str, *, namespaced: bool) -> Target:
    """`path` as it came, still escaped: `/api/v1/[namespaces/NS/]RESOURCE/NAME/proxy[/...]`."""
    count = 7 if namespaced else 5
    pieces = path.lstrip("/").split("/", count)
    prefix = "/" + "/".join(pieces[:count])
    return Target(prefix, _clean("/" + pieces[count]) if len(pieces) > count else "")


def _clean(path: str) -> str:
    """Without `.`, `..` and empty parts, escaped as Go does it; a slash at its end stays."""
    raw = unquote_to_bytes(path)
    cleaned = quote(posixpath.normpath(b"/" + raw.lstrip(b"/")), safe=SAFE)
    return cleaned + "/" if raw.endswith(b"/") and cleaned != "/" else cleaned


class Links(NamedTuple):
    """Changes links. `backend` is the authority asked, `asked` the Host that the client asked for."""

    prefix: str
    backend: str
    asked: str

    def rewrite(self, link: str) -> str:
        """The link as the client can follow it; those that lead elsewhere, or are relative, stay. Raises ValueError."""
        scheme, netloc, path, query, fragment = urlsplit(link)
        host = netloc.rpartition("@")[2]
        if (host and host not in (self.backend, self.asked)) or not path.startswith("/"):
            return link
        if host != self.asked:
            scheme = netloc = ""
        if not path.startswith(self.prefix):
            joined = posixpath.normpath(f"{self.prefix}/{path.lstrip('/')}")
            path = joined + "/" if path.endswith("/") else joined
        return urlunsplit((scheme, netloc, path, query, fragment))
