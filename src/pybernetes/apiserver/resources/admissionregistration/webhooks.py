"""What mutating and validating webhooks have in common: how they are called, and what may be expected of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from pybernetes.api import fields, names
from pybernetes.api.types import admissionregistration_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.admissionregistration import matching
from pybernetes.apiserver.resources.core import base64s

_HOOKS = fields.Path("webhooks")
_ACCEPTED_VERSIONS = ("v1", "v1beta1")
_HARMLESS = ("None", "NoneOnDryRun")
_SIDE_EFFECTS = ("None", "NoneOnDryRun", "Some", "Unknown")
_FORM = "; desired format: https://host[/path]"
COLUMNS = (kind.NAME, kind.Column("Webhooks", type="integer"), kind.AGE)


def default(configuration: Any) -> None:
    for hook in configuration.webhooks:
        base64s.check({"caBundle": hook.clientConfig.caBundle}, configuration)
        hook.failurePolicy = hook.failurePolicy if hook.failurePolicy is not None else "Fail"
        hook.timeoutSeconds = hook.timeoutSeconds if hook.timeoutSeconds is not None else 10
        matching.default_selection(hook)
        matching.default_rules(hook.rules)
        service = hook.clientConfig.service
        if service is not None and service.port is None:
            service.port = 443


def validate(configuration: Any) -> checks.Errors:
    return problems_of(configuration.webhooks, None)


def validate_update(new: Any, old: Any) -> checks.Errors:
    return problems_of(new.webhooks, old.webhooks)


def problems_of(hooks: Sequence[Any], before: Sequence[Any] | None) -> checks.Errors:
    """What is wrong with webhooks; where those before had a mistake of a kind already, it may stay."""
    was = before if before is not None else ()
    harmless = all(hook.sideEffects in _HARMLESS for hook in was)
    accepted = all(_is_accepted(hook.admissionReviewVersions) for hook in was if hook.admissionReviewVersions)
    unique = len({hook.name for hook in was}) == len(was)
    same_conditions = before is not None and [h.matchConditions for h in hooks] == [h.matchConditions for h in was]
    problems: checks.Errors = []
    seen: set[str] = set()
    for index, hook in enumerate(hooks):
        path = _HOOKS[index]
        problems += _hook(hook, path, _HARMLESS if harmless else _SIDE_EFFECTS)
        if not same_conditions:
            problems += matching.conditions(hook.matchConditions, path["matchConditions"])
        problems += _versions(hook.admissionReviewVersions, path["admissionReviewVersions"], known=accepted)
        if unique and hook.name:
            if hook.name in seen:
                problems.append(fields.duplicate(path["name"], hook.name))
            seen.add(hook.name)
    return problems


def _is_accepted(versions: Sequence[str]) -> bool:
    return any(version in _ACCEPTED_VERSIONS for version in versions)


def _hook(hook: Any, path: fields.Path, side_effects: Sequence[str]) -> checks.Errors:
    problems = _name(hook.name, path["name"])
    problems += matching.webhook_selection(hook, path)
    if hook.sideEffects is None:
        words = f"must specify one of {', '.join(side_effects)}"
        problems.append(fields.required(path["sideEffects"], words))
    problems += matching.optional_one_of(hook.sideEffects, side_effects, path["sideEffects"])
    if hook.timeoutSeconds is not None and not 1 <= hook.timeoutSeconds <= 30:
        words = "the timeout value must be between 1 and 30 seconds"
        problems.append(fields.invalid(path["timeoutSeconds"], hook.timeoutSeconds, words))
    return problems + client_config(hook.clientConfig, path["clientConfig"])


def _name(name: str, path: fields.Path) -> checks.Errors:
    if not name:
        return [fields.required(path)]
    wrong = names.dns_subdomain(name)
    if wrong:
        return [fields.invalid(path, name, ",".join(wrong))]
    if name.count(".") < 2:
        words = "should be a domain with at least three segments separated by dots"
        return [fields.invalid(path, name, words)]
    return []


def _versions(versions: list[str], path: fields.Path, *, known: bool) -> checks.Errors:
    listed = ", ".join(_ACCEPTED_VERSIONS)
    if not versions:
        return [fields.required(path, f"must specify one of {listed}")]
    problems: checks.Errors = []
    for index, version in enumerate(versions):
        if version in versions[:index]:
            problems.append(fields.invalid(path[index], version, "duplicate version"))
        else:
            problems += checks.named(version, names.dns1035_label, path[index])
    if known and not _is_accepted(versions):
        problems.append(fields.invalid(path, versions, f"must include at least one of {listed}"))
    return problems


def client_config(config: admissionregistration_v1.WebhookClientConfig, path: fields.Path) -> checks.Errors:
    """A URL or a Service."""
    if (config.url is None) == (config.service is None):
        return [fields.required(path, "exactly one of url or service is required")]
    if config.url is not None:
        return url(config.url, path["url"])
    service = config.service
    assert service is not None
    return service_reference(service.namespace, service.name, service.path, service.port or 0, path["service"])


def url(value: str, path: fields.Path) -> checks.Errors:
    """Of a webhook: https, and nothing beside host and path."""
    try:
        parts = urlsplit(value)
    except ValueError as error:
        return [fields.required(path, f"url must be a valid URL: {error}{_FORM}")]
    problems: checks.Errors = []
    user, at, host = parts.netloc.rpartition("@")
    if parts.scheme != "https":
        problems.append(fields.invalid(path, parts.scheme, f"'https' is the only allowed URL scheme{_FORM}"))
    if not host:
        problems.append(fields.invalid(path, host, f"host must be specified{_FORM}"))
    if at:
        problems.append(fields.invalid(path, user, "user information is not permitted in the URL"))
    if parts.fragment:
        problems.append(fields.invalid(path, parts.fragment, "fragments are not permitted in the URL"))
    if parts.query:
        problems.append(fields.invalid(path, parts.query, "query parameters are not permitted in the URL"))
    return problems


def service_reference(namespace: str, name: str, url_path: str | None, port: int, path: fields.Path) -> checks.Errors:
    """The Service of a webhook."""
    problems = [
        fields.required(path[field]) for field, value in (("name", name), ("namespace", namespace)) if not value
    ]
    wrong = names.port_number(port)
    if wrong:
        problems.append(fields.invalid(path["port"], port, "port is not valid: " + ", ".join(wrong)))
    if url_path in (None, "", "/"):
        return problems
    assert url_path is not None
    at = path["path"]
    if url_path == "//":
        return [*problems, fields.invalid(at, url_path, "segment[0] may not be empty")]
    if not url_path.startswith("/"):
        problems.append(fields.invalid(at, url_path, "must start with a '/'"))
    for index, step in enumerate(url_path[1:].removesuffix("/").split("/")):
        if not step:
            problems.append(fields.invalid(at, url_path, f"segment[{index}] may not be empty"))
        else:
            wrong = names.dns_subdomain(step)
            problems += [fields.invalid(at, url_path, f"segment[{index}]: {text}") for text in wrong]
    return problems


def row(configuration: Any, now: float) -> Sequence[kind.Cell]:
    return configuration.metadata.name, len(configuration.webhooks), cells.age(configuration.metadata, now)
