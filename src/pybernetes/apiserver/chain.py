"""The one visible list of what a request passes, in order."""

from __future__ import annotations

from pybernetes.api import errors
from pybernetes.apiserver import metrics as metrics_
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.authn import authenticator as authenticators
from pybernetes.apiserver.authn import impersonation
from pybernetes.apiserver.authz import authorizer as authorizers
from pybernetes.apiserver.storage import collection as collections


def build(
    *,
    metrics: metrics_.Metrics,
    authenticator: authenticators.Authenticator,
    authorizer: authorizers.Authorizer,
    endpoint: results.Handler,
) -> results.Handler:
    """Attributes -> metrics -> authentication -> impersonation -> authorization -> store errors -> endpoint.

    Written innermost first. Audit takes its place before impersonation, and flow control after it.
    """
    handler = store_errors(endpoint)
    handler = authorizers.authorize(authorizer, handler)
    handler = impersonation.impersonate(authorizer, handler)
    handler = authenticators.authenticate(authenticator, handler)
    handler = metrics_.counted(metrics, handler)
    return attributed(handler)


def attributed(after: results.Handler) -> results.Handler:
    """Sets `request.attributes`."""

    async def handle(request: requests.Request) -> results.Result:
        watching = bool(request.raw_query) and request.flag("watch")
        request.attributes = requests.parse(request.method, request.path, watching)
        return await after(request)

    return handle


def store_errors(after: results.Handler) -> results.Handler:
    """A store that cannot write now is a 500 that says so, never a crash."""

    async def handle(request: requests.Request) -> results.Result:
        try:
            return await after(request)
        except collections.Unwritable as error:
            raise errors.internal(f"etcdserver: {error}") from None

    return handle
