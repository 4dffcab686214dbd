"""The one API error: `StatusError`, carrying the `Status` that upstream would answer with.

Constructors below give each case its code, reason and upstream's wording. Callers that care which case it is ask
`error.reason`.
"""

from __future__ import annotations

from collections.abc import Iterable

from pybernetes.api import fields, wording
from pybernetes.api.fields import FieldError
from pybernetes.api.types import meta_v1


class StatusError(Exception):
    """A request that failed, with the Status to answer."""

    def __init__(self, status: meta_v1.Status) -> None:
        super().__init__(status.message)
        self.status = status

    @property
    def reason(self) -> str:
        return self.status.reason

    @property
    def code(self) -> int:
        return self.status.code


def error(
    code: int,
    reason: str,
    message: str,
    *,
    name: str = "",
    group: str = "",
    kind: str = "",
    uid: str = "",
    retry_after: int = 0,
    causes: Iterable[meta_v1.StatusCause] = (),
) -> StatusError:
    """A StatusError of any code. `kind` is the resource's name for most reasons, the kind for `Invalid`."""
    causes = list(causes)
    details = None
    if name or group or kind or uid or retry_after or causes:
        details = meta_v1.StatusDetails(
            name=name, group=group, kind=kind, uid=uid, retryAfterSeconds=retry_after, causes=causes
        )
    return StatusError(meta_v1.Status(status="Failure", message=message, reason=reason, code=code, details=details))


def _qualified(group: str, resource: str) -> str:
    return f"{resource}.{group}" if group else resource


def not_found(group: str, resource: str, name: str) -> StatusError:
    message = f'{_qualified(group, resource)} "{name}" not found'
    return error(404, "NotFound", message, name=name, group=group, kind=resource)


def path_not_found() -> StatusError:
    return error(404, "NotFound", "the server could not find the requested resource")


def already_exists(group: str, resource: str, name: str) -> StatusError:
    message = f'{_qualified(group, resource)} "{name}" already exists'
    return error(409, "AlreadyExists", message, name=name, group=group, kind=resource)


def conflict(group: str, resource: str, name: str, why: str) -> StatusError:
    message = f'Operation cannot be fulfilled on {_qualified(group, resource)} "{name}": {why}'
    return error(409, "Conflict", message, name=name, group=group, kind=resource)


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def modified(group: str, resource: str, name: str) -> StatusError:
    """The optimistic-lock conflict."""
    return conflict(group, resource, name, MODIFIED)


def invalid(group: str, kind: str, name: str, problems: Iterable[FieldError]) -> StatusError:
    """422 with one cause per field error."""
    problems = list(problems)
    listed = wording.aggregate(map(str, problems))
    causes = [meta_v1.StatusCause(reason=p.reason, message=p.message, field=p.field) for p in problems]
    message = f'{_qualified(group, kind)} "{name}" is invalid: {listed}'
    return error(422, "Invalid", message, name=name, group=group, kind=kind, causes=causes)


def bad_request(message: str) -> StatusError:
    return error(400, "BadRequest", message)


def unauthorized(message: str = "Unauthorized") -> StatusError:
    return error(401, "Unauthorized", message)


def forbidden(group: str, resource: str, name: str, why: str) -> StatusError:
    what = f'{_qualified(group, resource)} "{name}"' if name else _qualified(group, resource)
    message = f"{what} is forbidden: {why}" if resource else f"forbidden: {why}"
    return error(403, "Forbidden", message, name=name, group=group, kind=resource)


def method_not_supported(group: str, resource: str, verb: str) -> StatusError:
    message = f'{verb} is not supported on resources of kind "{_qualified(group, resource)}"'
    return error(405, "MethodNotAllowed", message, group=group, kind=resource)


def method_not_allowed() -> StatusError:
    return error(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def not_acceptable(offered: Iterable[str]) -> StatusError:
    message = "only the following media types are accepted: " + ", ".join(offered)
    return error(406, "NotAcceptable", message)


def too_large(message: str) -> StatusError:
    return error(413, "RequestEntityTooLarge", message)


def unsupported_media_type(offered: Iterable[str]) -> StatusError:
    message = "the body of the request was in an unknown format - accepted media types include: " + ", ".join(offered)
    return error(415, "UnsupportedMediaType", message)


def expired(message: str) -> StatusError:
    """410: that resourceVersion or continue token can no longer be served."""
    return error(410, "Expired", message)


def too_many_requests(message: str, retry_after: int = 1) -> StatusError:
    return error(429, "TooManyRequests", message, retry_after=retry_after)


def internal(message: str) -> StatusError:
    return error(
        500,
        "InternalError",
        f"Internal error occurred: {message}",
        causes=[meta_v1.StatusCause(message=message)],
    )


def unavailable(message: str) -> StatusError:
    return error(503, "ServiceUnavailable", message)


def timeout(message: str, retry_after: int = 1) -> StatusError:
    return error(504, "Timeout", message, retry_after=retry_after)


def invalid_list_options(option: str, lacking: str) -> StatusError:
    """A combination of list and watch options that is not allowed."""
    why = {
        "allowWatchBookmarks": "sendInitialEvents requires setting allowWatchBookmarks to true",
        "resourceVersionMatch": "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        "": "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
    }[lacking]
    return invalid("meta.k8s.io", "ListOptions", "", [fields.forbidden(fields.Path(option), why)])
