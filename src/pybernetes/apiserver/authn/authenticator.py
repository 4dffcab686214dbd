"""Who asks: the authenticators in upstream's order.

    the server in front, client certificate, static token, service account, bootstrap token,
    identity providers, webhook, anonymous

The first that knows the credentials decides; bad ones are never anonymous. Only for the last two of those with tokens
a request may have to wait.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

from pybernetes.api import errors, wording
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authn import bootstrap_tokens, frontproxy, jwt, remote, serviceaccounts, x509

# In the place of an Authorization header, which browsers cannot send along with a WebSocket.
PROTOCOL_HEADER, PROTOCOL = "sec-websocket-protocol", "base64url.bearer.authorization.k8s.io."


class Authenticator:
    """`tokens` are static bearer tokens; `anonymous` says whether a request without credentials may go on, and
    `anonymous_paths` where, () for everywhere."""

    def __init__(
        self,
        *,
        tokens: Mapping[str, requests.User],
        signer: serviceaccounts.Signer,
        lookup: serviceaccounts.Lookup,
        used: serviceaccounts.Used,
        anonymous: bool = True,
        anonymous_paths: tuple[str, ...] = (),
        proxy: frontproxy.FrontProxy | None = None,
        bootstrap: bootstrap_tokens.BootstrapTokens | None = None,
        others: remote.Remote | None = None,
    ) -> None:
        self._tokens = tokens
        # What clients send of the static ones, word for word.
        self._headers = {f"Bearer {token}": user for token, user in tokens.items()}
        self._signer = signer
        self._lookup, self._used = lookup, used
        self._anonymous, self._anonymous_paths = anonymous, frozenset(anonymous_paths)
        self._proxy, self._bootstrap, self._others = proxy, bootstrap, others

    def check(self, request: requests.Request) -> Awaitable[None] | None:
        """Sets `request.user`. Loopback requests bring their user with them. Raises StatusError 401."""
        if request.loopback:
            return None
        if self._proxy is not None:
            user = self._proxy.user(request.headers) if request.is_proxy else None
            self._proxy.clear(request.headers)
            if user is not None:
                request.user = user
                return None
        certified = request.certificate_user
        if certified is not None and certified is not x509.REFUSED:
            request.user = certified
            return None
        authorization = request.headers.get("authorization")
        if authorization is not None:
            known = self._headers.get(authorization)
            if known is not None:
                request.user = known
                return None
        token = _token(request, authorization)
        if token:
            return self._by_token(request, token)
        if not self._anonymous or (self._anonymous_paths and request.path not in self._anonymous_paths):
            raise errors.unauthorized()
        if certified is not None:
            raise errors.unauthorized()
        request.user = requests.ANONYMOUS
        return None

    def _by_token(self, request: requests.Request, token: str) -> Awaitable[None] | None:
        try:
            request.user, _, notes = self._local(token, ())
        except jwt.InvalidToken:
            if self._others is None:
                raise errors.unauthorized() from None
        else:
            if notes:
                request.annotations = {**request.annotations, **notes}
            return None
        answer = self._others.known(token)
        if answer is None:
            return self._ask(self._others, request, token)
        _accept(request, answer)
        return None

    async def _ask(self, others: remote.Remote, request: requests.Request, token: str) -> None:
        _accept(request, await others.ask(token))

    def _local(self, token: str, audiences: tuple[str, ...]) -> tuple[requests.User, tuple[str, ...], dict[str, str]]:
        """As `Signer.authenticate`, of all tokens that are known here. Raises InvalidToken."""
        known = self._tokens.get(token)
        if known is None and self._bootstrap is not None:
            known = self._bootstrap.user(token)
        if known is None:
            return self._signer.authenticate(token, self._lookup, used=self._used, audiences=audiences)
        good_for = tuple(one for one in audiences if one in self._signer.audiences) or self._signer.audiences
        if audiences and not set(audiences) & set(good_for):
            # These tokens are for this server alone.
            raise jwt.InvalidToken("the token is not for the audiences wanted")
        return known, good_for, {}

    async def review(self, token: str, audiences: tuple[str, ...]) -> tuple[requests.User, tuple[str, ...]]:
        """For TokenReview: the user and the audiences granted. Raises InvalidToken that says why."""
        problems = []
        try:
            user, good_for, _ = self._local(token, audiences)
        except jwt.NotOurs:
            pass
        except jwt.InvalidToken as error:
            problems.append(str(error))
        else:
            return user, good_for
        if self._others is not None:
            answer = self._others.known(token, audiences) or await self._others.ask(token, audiences)
            if answer.user is not None:
                return answer.user, answer.audiences
            problems += [answer.why] if answer.why else []
        raise jwt.InvalidToken(wording.aggregate(problems) or "invalid bearer token")

    def open(self) -> None:
        """Begin to know those whom others know. Raises ValueError where they cannot be asked."""
        if self._others is not None:
            self._others.open()

    async def close(self) -> None:
        if self._others is not None:
            await self._others.close()


def _accept(request: requests.Request, answer: remote.Answer) -> None:
    if answer.user is None:
        raise errors.unauthorized()
    request.user = answer.user


def _token(request: requests.Request, authorization: str | None) -> str:
    """ "" where there is none."""
    if authorization is not None:
        scheme, _, token = authorization.strip().partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return token.strip()
    offered = request.headers.get(PROTOCOL_HEADER)
    if offered is None or PROTOCOL not in offered:
        return ""
    return _of_protocols(request, offered)


def _of_protocols(request: requests.Request, offered: str) -> str:
    """The token among the protocols that a WebSocket may speak; the others are what is left. Raises StatusError 401."""
    names = [name.strip() for name in offered.split(",")]
    tokens = [name.removeprefix(PROTOCOL) for name in names if name.startswith(PROTOCOL)]
    left = [name for name in names if not name.startswith(PROTOCOL)]
    if len(tokens) != 1 or not left:
        raise errors.unauthorized()
    try:
        token = jwt.decoded(tokens[0]).decode()
    except ValueError:
        raise errors.unauthorized() from None
    request.headers[PROTOCOL_HEADER] = ", ".join(left)
    return token
