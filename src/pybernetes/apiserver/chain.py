"""The one visible list of what a request passes, in order."""

from __future__ import annotations

from pybernetes.api import errors, selectors
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
        if request.attributes.verb in ("list", "watch") and "fieldSelector" in request.raw_query:
            request.attributes = _named_by_field(request)
        return await after(request)

    return handle


def _named_by_field(request: requests.Request) -> requests.Attributes:
    """Who may read one object by its name may list and watch it by its name."""
    attributes = request.attributes
    try:
        terms = selectors.parse_fields(request.query.get("fieldSelector", "")).terms
    except selectors.SelectorError:
        # The endpoint says what is wrong with it.
        return attributes
    names = {term.value for term in terms if term.field == "metadata.name" and term.equal}
    return attributes._replace(name=names.pop()) if len(names) == 1 and not attributes.name else attributes


def store_errors(after: results.Handler) -> results.Handler:
    """A store that cannot write now is a 500 that says so, never a crash."""

    async def handle(request: requests.Request) -> results.Result:
        try:
            return await after(request)
        except collections.Unwritable as error:
            raise errors.internal(f"etcdserver: {error}") from None

    return handle
