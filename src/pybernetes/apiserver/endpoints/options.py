"""The options of a write: `dryRun`, `fieldManager`, `fieldValidation`, `force`, checked as upstream checks them."""

from __future__ import annotations

from typing import Any

from pybernetes.api import errors, fields
from pybernetes.apiserver import request as requests

STRICT = "Strict"
WARN = "Warn"
IGNORE = "Ignore"
MAX_MANAGER = 128


def check(request: requests.Request, kind: str, *, applies: bool = False) -> None:
    """Raises StatusError 422 for options that cannot be; `kind` is what they are called: `CreateOptions`."""
    if not request.raw_query and not applies:
        return
    query = request.query
    problems = []
    manager = query.get("fieldManager", "")
    if applies and not manager:
        problems.append(fields.required(fields.Path("fieldManager"), "is required for apply patch"))
    if kind == "PatchOptions" and not applies and "force" in query:
        problems.append(fields.forbidden(fields.Path("force"), "may not be specified for non-apply patch"))
    if len(manager.encode()) > MAX_MANAGER:
        problems.append(fields.too_long(fields.Path("fieldManager"), MAX_MANAGER))
    for position, character in enumerate(manager):
        if not character.isprintable():
            why = f"invalid character U+{ord(character):04X} (at position {position})"
            problems.append(fields.invalid(fields.Path("fieldManager"), manager, why))
    dry_run = query.get("dryRun", "")
    if dry_run not in ("", "All"):
        problems.append(fields.not_supported(fields.Path("dryRun"), [dry_run], ("All",)))
    validation = query.get("fieldValidation", "")
    if validation not in ("", STRICT, WARN, IGNORE):
        problems.append(fields.not_supported(fields.Path("fieldValidation"), validation, ("", IGNORE, STRICT, WARN)))
    if problems:
        raise errors.invalid("meta.k8s.io", kind, "", problems)


def tree(request: requests.Request, kind: str) -> dict[str, Any]:
    """The options as an object, for whoever is asked about the write."""
    made: dict[str, Any] = {"kind": kind, "apiVersion": "meta.k8s.io/v1"}
    query = request.query if request.raw_query else {}
    if query.get("dryRun"):
        made["dryRun"] = [query["dryRun"]]
    for name in ("fieldManager", "fieldValidation"):
        if query.get(name):
            made[name] = query[name]
    if "force" in query:
        made["force"] = request.flag("force")
    return made


def is_dry_run(request: requests.Request) -> bool:
    return request.query.get("dryRun") == "All"


def validation(request: requests.Request) -> str:
    """What becomes of unknown and duplicate fields."""
    return (request.query.get("fieldValidation") if request.raw_query else "") or WARN


def manager_of(request: requests.Request) -> str:
    """Who the write is recorded under: `fieldManager`, else the first word of the User-Agent."""
    given = request.query.get("fieldManager") if request.raw_query else ""
    if given:
        return given
    return request.header("user-agent").partition("/")[0][:MAX_MANAGER] or "unknown"
