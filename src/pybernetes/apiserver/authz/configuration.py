"""The file of `--authorization-config`: which authorizers are asked, in which order.

apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers:
- {type: Node, name: node}
- {type: Webhook, name: mine, webhook: {...}}
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator, Sequence

import msgspec

from pybernetes.api import codecs, fields, names, times, wording
from pybernetes.apiserver.authz import modes, webhook
from pybernetes.apiserver.resources import checks

VERSIONS = ("apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1beta1", "apiserver.config.k8s.io/v1alpha1")
KIND = "AuthorizationConfiguration"
WEBHOOK = "Webhook"
POLICIES = ("NoOpinion", "Deny")
MOST_CONDITIONS = 64
MOST_TIMEOUT = 30.0


class ConnectionInfo(msgspec.Struct, forbid_unknown_fields=True):
    type: str = ""
    kubeConfigFile: str | None = None


class MatchCondition(msgspec.Struct, forbid_unknown_fields=True):
    expression: str = ""


class Webhook(msgspec.Struct, forbid_unknown_fields=True):
    """Durations are as Go writes them; "" is the default where there is one, and a mistake otherwise."""

    authorizedTTL: str = "5m"
    cacheAuthorizedRequests: bool = True
    unauthorizedTTL: str = "30s"
    cacheUnauthorizedRequests: bool = True
    timeout: str = ""
    subjectAccessReviewVersion: str = ""
    matchConditionSubjectAccessReviewVersion: str = ""
    failurePolicy: str = ""
    connectionInfo: ConnectionInfo = msgspec.field(default_factory=ConnectionInfo)
    matchConditions: list[MatchCondition] = []


class Authorizer(msgspec.Struct, forbid_unknown_fields=True):
    type: str = ""
    name: str = ""
    webhook: Webhook | None = None


class Configuration(msgspec.Struct, forbid_unknown_fields=True):
    apiVersion: str = ""
    kind: str = ""
    authorizers: list[Authorizer] = []


def load(path: pathlib.Path) -> tuple[modes.Mode, ...]:
    """Raises OSError, and ValueError for what cannot be used."""
    return parse(path.read_bytes())


def parse(data: bytes) -> tuple[modes.Mode, ...]:
    """YAML or JSON. Raises ValueError."""
    try:
        found = msgspec.convert(codecs.decode_yaml(data), Configuration)
    except (codecs.DecodeError, msgspec.ValidationError) as error:
        raise ValueError(f"error decoding authorization configuration: {error}") from None
    if found.apiVersion not in VERSIONS or found.kind != KIND:
        raise ValueError(f"{found.apiVersion}, Kind={found.kind} is not an {KIND}")
    problems = list(_problems(found))
    if problems:
        raise ValueError(wording.aggregate(map(str, problems)))
    return tuple(_mode(one) for one in found.authorizers)


def _mode(one: Authorizer) -> modes.Mode:
    given = one.webhook
    if given is None:
        return one.type
    return webhook.Settings(
        name=one.name,
        kubeconfig=pathlib.Path(given.connectionInfo.kubeConfigFile or ""),
        version=given.subjectAccessReviewVersion,
        authorized_ttl=times.duration(given.authorizedTTL) if given.cacheAuthorizedRequests else 0.0,
        unauthorized_ttl=times.duration(given.unauthorizedTTL) if given.cacheUnauthorizedRequests else 0.0,
        timeout=times.duration(given.timeout),
        denies=given.failurePolicy == "Deny",
        conditions=tuple(condition.expression for condition in given.matchConditions),
    )


def _problems(found: Configuration) -> Iterator[fields.FieldError]:
    path = fields.Path("authorizers")
    if not found.authorizers:
        yield fields.required(path, "at least one authorization mode must be defined")
    types: set[str] = set()
    known: set[str] = set()
    for index, one in enumerate(found.authorizers):
        at = path[index]
        if not one.type:
            yield fields.required(at["type"])
        elif one.type not in (*modes.MODES, WEBHOOK):
            yield fields.not_supported(at["type"], one.type, sorted((*modes.MODES, WEBHOOK)))
        elif one.type in types and one.type != WEBHOOK:
            yield fields.duplicate(at["type"], one.type)
        else:
            yield from _one(one, known, at)
        types.add(one.type)
        known.add(one.name)


def _one(one: Authorizer, known: set[str], at: fields.Path) -> Iterator[fields.FieldError]:
    if not one.name:
        yield fields.required(at["name"])
    elif one.name in known:
        yield fields.duplicate(at["name"], one.name)
    elif wrong := names.dns_subdomain(one.name):
        yield fields.invalid(at["name"], one.name, f"authorizer name is invalid: {', '.join(wrong)}")
    if one.type != WEBHOOK:
        if one.webhook is not None:
            yield fields.invalid(at["webhook"], "non-null", "may only be specified when type=Webhook")
    elif one.webhook is None:
        yield fields.required(at["webhook"], "required when type=Webhook")
    else:
        yield from _webhook(one.webhook, at)


def _webhook(given: Webhook, at: fields.Path) -> Iterator[fields.FieldError]:
    yield from _time(given.timeout, at["timeout"], lambda seconds: 0 < seconds <= MOST_TIMEOUT, "> 0s and <= 30s")
    yield from _time(given.authorizedTTL, at["authorizedTTL"], lambda seconds: seconds > 0, "> 0s")
    yield from _time(given.unauthorizedTTL, at["unauthorizedTTL"], lambda seconds: seconds > 0, "> 0s")
    versions = ("v1", "v1beta1")
    yield from checks.required_one_of(given.subjectAccessReviewVersion, versions, at["subjectAccessReviewVersion"])
    version, where = given.matchConditionSubjectAccessReviewVersion, at["matchConditionSubjectAccessReviewVersion"]
    if not version and given.matchConditions:
        yield fields.required(where, "required if match conditions are specified")
    elif version not in ("", "v1"):
        yield fields.not_supported(where, version, ("v1",))
    yield from checks.required_one_of(given.failurePolicy, POLICIES, at["failurePolicy"])
    yield from _connection(given.connectionInfo, at["connectionInfo"])
    yield from _conditions(given.matchConditions, at)


def _time(text: str, path: fields.Path, good: Callable[[float], bool], words: str) -> Iterator[fields.FieldError]:
    try:
        seconds = times.duration(text)
    except ValueError as error:
        yield fields.invalid(path, text, str(error))
        return
    if not seconds:
        yield fields.required(path)
    elif not good(seconds):
        yield fields.invalid(path, text, f"must be {words}")


def _connection(info: ConnectionInfo, path: fields.Path) -> Iterator[fields.FieldError]:
    file, where = info.kubeConfigFile, path["kubeConfigFile"]
    if info.type != "KubeConfigFile":
        # This server is no pod of the cluster: there is no configuration for it within.
        yield from checks.required_one_of(info.type, ("KubeConfigFile",), path["type"])
    elif not file:
        yield fields.required(where)
    elif not pathlib.Path(file).is_absolute():
        yield fields.invalid(where, file, "must be an absolute path")
    elif not pathlib.Path(file).exists():
        yield fields.invalid(where, file, f"error loading file: stat {file}: no such file or directory")
    elif not pathlib.Path(file).is_file():
        yield fields.invalid(where, file, "must be a regular file")


def _conditions(conditions: Sequence[MatchCondition], at: fields.Path) -> Iterator[fields.FieldError]:
    if len(conditions) > MOST_CONDITIONS:
        yield fields.too_many(at["matchConditions"], len(conditions), MOST_CONDITIONS)
        return
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        path, text = at["matchConditions"][index]["expression"], condition.expression
        if not text.strip():
            yield fields.required(path)
        elif text in seen:
            yield fields.duplicate(path, text)
        else:
            from pybernetes.api.cel import access, environment

            try:
                access.compile_condition(text)
            except environment.CompileError as error:
                yield fields.invalid(path, text, f"compilation failed: {error}")
        seen.add(text)
