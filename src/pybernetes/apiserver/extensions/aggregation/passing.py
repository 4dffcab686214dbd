"""Takes a request to the server that has what it is about, and tells it who asks."""

from __future__ import annotations

from urllib.parse import quote

from pybernetes.api import codecs, errors
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.endpoints import proxy
from pybernetes.apiserver.extensions.aggregation import remotes
from pybernetes.apiserver.forwarding import backend as backends
from pybernetes.apiserver.forwarding import headers, locations, services

UNAVAILABLE = "service unavailable"


class Passing:
    """`services` finds the servers behind Services."""

    def __init__(self, backend: backends.Backend, found: services.Services) -> None:
        self._backend = backend
        self._services = found

    async def pass_on(self, remote: remotes.Remote, request: requests.Request) -> results.Result:
        """The other server's answer. Raises StatusError 503 where there is none to be had."""
        if not remote.available:
            raise errors.unavailable(UNAVAILABLE)
        return await self.ask(remote, request)

    async def ask(self, remote: remotes.Remote, request: requests.Request) -> results.Result:
        """As `pass_on`, whether it is said to be available or not."""
        try:
            location = self.location(remote)
        except OSError:
            raise errors.unavailable(UNAVAILABLE) from None
        target = f"{request.path}?{request.raw_query}" if request.raw_query else request.path
        if "upgrade" in request.header("connection").lower() and request.header("upgrade"):
            pairs = headers.of_upgrade(request.headers, peer=request.peer) + identity(request.user)
            return await proxy.upgraded(self._backend, request, location, target, pairs=pairs)
        pairs = headers.of_request(request.headers, peer=request.peer, forwarded_uri=request.path)
        pairs += identity(request.user)
        body = request.body if isinstance(request.body, bytes) else codecs.encode(request.body)
        answer = await self._backend.ask(request.method, location, target, pairs=pairs, body=body)
        return proxy.forwarded(request, answer)

    def location(self, remote: remotes.Remote) -> locations.Location:
        """Raises OSError."""
        server = self._services.resolve(remote.namespace, remote.service, remote.port)
        return locations.Location("https", server.host, str(server.port), tls=remote.tls, name=server.name)


def identity(user: requests.User) -> headers.Pairs:
    """The headers that say who asks, to a server that believes us."""
    pairs = [("X-Remote-User", user.name)]
    if user.uid:
        pairs.append(("X-Remote-Uid", user.uid))
    pairs += [("X-Remote-Group", group) for group in user.groups]
    for key, values in user.extra:
        # What headers' names may not have is escaped, as upstream does.
        name = f"X-Remote-Extra-{quote(key.lower(), safe=_TOKEN)}"
        pairs += [(name, value) for value in values]
    return pairs


_TOKEN = "!#$&'*+-.^_`|~"
