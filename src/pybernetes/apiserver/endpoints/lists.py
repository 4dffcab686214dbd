"""GET of a collection."""

from __future__ import annotations

from pybernetes.api import errors, fields, selectors
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.endpoints import revisions
from pybernetes.apiserver.endpoints import scope as scopes
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import selection as selections

OWN_FIELDS = ("metadata.name", "metadata.namespace")


async def list_(scope: scopes.Scope, request: requests.Request) -> results.Result:
    """All that is selected, or `limit` of it with a token for the rest, as of one revision."""
    query = request.query
    chosen = selection(scope, request)
    limit = number("limit", query.get("limit", ""))
    prefix = scope.collection.prefix
    token = None
    if query.get("continue"):
        if query.get("resourceVersion", "0") not in ("", "0"):
            raise errors.bad_request("specifying resource version is not allowed when using continue")
        token = revisions.decode_token(prefix, query["continue"])
    chunk = await _read(scope, query, chosen, token, limit)
    next_token = ""
    if chunk.remaining:
        next_token = revisions.encode_token(prefix, chunk.items[-1].key, chunk.revision)
    # Upstream cannot count what a selector would still match, and leaves the number out.
    remaining = chunk.remaining if chunk.remaining and not (chosen.labels or chosen.fields) else None
    return results.Listed(scope.kind, chunk.items, chunk.revision, next_token, remaining)


async def _read(
    scope: scopes.Scope,
    query: dict[str, str],
    chosen: selections.Selection,
    token: revisions.Token | None,
    limit: int,
) -> collections.Chunk:
    collection = scope.collection
    match = query.get("resourceVersionMatch", "")
    wanted = revisions.parse(query.get("resourceVersion", ""))
    if wanted > collection.revision:
        await revisions.reach(collection, wanted, scope.clock)
    if match:
        _check_match(match, query, token)
    after = token.after if token else ""
    revision = token.revision if token else wanted
    exact = (token is not None and token.revision > 0) or match == revisions.EXACT or (wanted and limit and not match)
    if not exact or revision == collection.revision:
        return collection.select(chosen, after=after, limit=limit)
    try:
        return await collection.select_at(chosen, revision, after=after, limit=limit)
    except collections.Gone as error:
        if token is not None:
            raise revisions.expired_token(collection.prefix, token.after) from None
        raise errors.expired(f"The resourceVersion for the provided list is too old: {error.revision}") from None


def _check_match(match: str, query: dict[str, str], token: revisions.Token | None) -> None:
    if match not in (revisions.EXACT, revisions.NOT_OLDER):
        problem = fields.not_supported(
            fields.Path("resourceVersionMatch"), match, (revisions.EXACT, revisions.NOT_OLDER)
        )
        raise errors.bad_request(str(problem))
    if token is not None:
        raise errors.bad_request("resourceVersionMatch is forbidden when continue is provided")
    stated = query.get("resourceVersion", "")
    if stated == "":
        raise errors.bad_request("resourceVersionMatch is forbidden unless resourceVersion is provided")
    if match == revisions.EXACT and stated == "0":
        raise errors.bad_request('resourceVersionMatch "exact" is forbidden for resourceVersion "0"')


def selection(scope: scopes.Scope, request: requests.Request) -> selections.Selection:
    """What the request's namespace, name and selectors select. Raises StatusError for selectors that are not."""
    attributes = request.attributes
    namespace = attributes.namespace if scope.kind.resource.namespaced else ""
    labels = request.query.get("labelSelector", "") if request.raw_query else ""
    by_fields = request.query.get("fieldSelector", "") if request.raw_query else ""
    if labels:
        try:
            labels = str(selectors.parse(labels))
        except selectors.SelectorError as error:
            raise errors.bad_request(f"unable to parse requirement: {error}") from None
    if by_fields:
        by_fields = _fields(scope, by_fields)
    by_name = f"metadata.name={selectors.escape(attributes.name)}"
    if attributes.name and by_name not in by_fields.split(","):
        by_fields = f"{by_fields},{by_name}" if by_fields else by_name
    return selections.Selection(namespace, labels, by_fields)


def _fields(scope: scopes.Scope, text: str) -> str:
    try:
        parsed = selectors.parse_fields(text)
    except selectors.SelectorError as error:
        raise errors.bad_request(f"unable to parse field selector: {error}") from None
    for term in parsed.terms:
        if term.field not in OWN_FIELDS and term.field not in scope.kind.field_labels:
            resource = scope.kind.resource
            raise errors.bad_request(
                f'Unable to find "{resource.api_version}, Resource={resource.name}" that match label selector "", '
                f'field selector "{text}": field label not supported: {term.field}'
            )
    return str(parsed)


def number(option: str, text: str) -> int:
    """A parameter that counts something; "" is 0. Raises StatusError."""
    if not text:
        return 0
    if not text.isascii() or not text.removeprefix("-").isdigit() or len(text) > 19:
        raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    value = int(text)
    if value < 0:
        raise errors.bad_request(f"{option}: Invalid value: {value}: must be greater than or equal to 0")
    return value
