"""Who asks: the authenticators in upstream's order, client certificate, static token, service account, anonymous."""

from __future__ import annotations

from collections.abc import Mapping

from pybernetes.api import errors
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authn import serviceaccounts


class Authenticator:
    """`tokens` are static bearer tokens; `anonymous` says whether a request without credentials may go on."""

    def __init__(
        self,
        *,
        tokens: Mapping[str, requests.User],
        signer: serviceaccounts.Signer,
        lookup: serviceaccounts.Lookup,
        used: serviceaccounts.Used,
        anonymous: bool = True,
    ) -> None:
        self._tokens = tokens
        # What clients send of the static ones, word for word.
        self._headers = {f"Bearer {token}": user for token, user in tokens.items()}
        self._signer = signer
        self._lookup, self._used = lookup, used
        self._anonymous = anonymous

    def check(self, request: requests.Request) -> None:
        """Sets `request.user`. Loopback requests bring their user with them."""
        if not request.loopback:
            request.user = self.user(request)

    def user(self, request: requests.Request) -> requests.User:
        """Raises StatusError 401 for credentials that are not good, and for none where those are wanted."""
        if request.certificate_user is not None:
            return request.certificate_user
        authorization = request.headers.get("authorization")
        if authorization is not None:
            known = self._headers.get(authorization)
            if known is not None:
                return known
            scheme, _, token = authorization.partition(" ")
            token = token.strip()
            if scheme.lower() == "bearer" and token:
                return self.token_user(token)
        if not self._anonymous:
            raise errors.unauthorized()
        return requests.ANONYMOUS

    def token_user(self, token: str) -> requests.User:
        known = self._tokens.get(token)
        if known is not None:
            return known
        try:
            return self._signer.authenticate(token, self._lookup, used=self._used)[0]
        except serviceaccounts.InvalidToken:
            raise errors.unauthorized() from None

    def review(self, token: str, audiences: tuple[str, ...]) -> tuple[requests.User, tuple[str, ...]]:
        """For TokenReview: the user and the audiences granted. Raises InvalidToken."""
        known = self._tokens.get(token)
        if known is not None:
            return known, audiences
        return self._signer.authenticate(token, self._lookup, used=self._used, audiences=audiences)
