"""How a definition says that its versions are converted."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from urllib.parse import urlsplit

from pybernetes.api import fields, names
from pybernetes.api.types import apiextensions_v1
from pybernetes.apiserver.resources import checks

Errors = list[fields.FieldError]
REVIEW_VERSIONS = ("v1", "v1beta1")
STRATEGIES = ("None", "Webhook")


def conversion(
    value: apiextensions_v1.CustomResourceConversion | None, path: fields.Path, *, any_bundle: bool
) -> Errors:
    """With `any_bundle`, a caBundle that is none may be given: it is not used yet, or was there before."""
    if value is None:
        return []
    problems = checks.required_one_of(value.strategy, STRATEGIES, path["strategy"])
    hook = value.webhook
    config = None if hook is None else hook.clientConfig
    reviewed: Sequence[str] = [] if hook is None else hook.conversionReviewVersions
    if value.strategy != "Webhook":
        unasked = "should not be set when strategy is not set to Webhook"
        if config is not None:
            problems.append(fields.forbidden(path["webhookClientConfig"], unasked))
        if reviewed:
            problems.append(fields.forbidden(path["conversionReviewVersions"], unasked))
        return problems
    if config is None:
        problems.append(fields.required(path["webhookClientConfig"], "required when strategy is set to Webhook"))
    else:
        problems += _config(config, path["webhookClientConfig"], any_bundle=any_bundle)
    return problems + _review_versions(reviewed, path["conversionReviewVersions"])


def _config(config: apiextensions_v1.WebhookClientConfig, path: fields.Path, *, any_bundle: bool) -> Errors:
    problems: Errors = []
    if (config.url is None) == (config.service is None):
        problems.append(fields.required(path, "exactly one of url or service is required"))
    elif config.url is not None:
        problems += url(config.url, path["url"])
    elif config.service is not None:
        problems += service(config.service, path["service"])
    if config.caBundle and not any_bundle and (why := _bundle_problem(config.caBundle)):
        problems.append(fields.invalid(path["caBundle"], config.caBundle, f"unable to load root certificates: {why}"))
    return problems


def url(value: str, path: fields.Path) -> Errors:
    """Where a webhook is, other than in the cluster."""
    form = "; desired format: https://host[/path]"
    try:
        parts = urlsplit(value)
    except ValueError as error:
        return [fields.required(path, f"url must be a valid URL: {error}{form}")]
    problems: Errors = []
    if parts.scheme != "https":
        problems.append(fields.invalid(path, parts.scheme, f"'https' is the only allowed URL scheme{form}"))
    if not parts.netloc:
        problems.append(fields.invalid(path, parts.netloc, f"host must be specified{form}"))
    if parts.username is not None:
        problems.append(fields.invalid(path, parts.username, "user information is not permitted in the URL"))
    if parts.fragment:
        problems.append(fields.invalid(path, parts.fragment, "fragments are not permitted in the URL"))
    if parts.query:
        problems.append(fields.invalid(path, parts.query, "query parameters are not permitted in the URL"))
    return problems


def service(value: apiextensions_v1.ServiceReference, path: fields.Path) -> Errors:
    """Where a webhook is in the cluster."""
    problems = [] if value.name else [fields.required(path["name"], "service name is required")]
    if not value.namespace:
        problems.append(fields.required(path["namespace"], "service namespace is required"))
    if value.port is not None and names.port_number(value.port):
        words = f"port is not valid: {names.port_number(value.port)[0]}"
        problems.append(fields.invalid(path["port"], value.port, words))
    if value.path is None:
        return problems
    at, text = path["path"], value.path
    if text == "/" or not text:
        return problems
    if not text.startswith("/"):
        problems.append(fields.invalid(at, text, "must start with a '/'"))
    steps = text.removesuffix("/").split("/")[1:]
    for index, step in enumerate(steps):
        if not step:
            problems.append(fields.invalid(at, text, f"segment[{index}] may not be empty"))
            continue
        problems += [fields.invalid(at, text, f"segment[{index}]: {words}") for words in names.dns_subdomain(step)]
    return problems


def _review_versions(listed: Sequence[str], path: fields.Path) -> Errors:
    if not listed:
        return [fields.required(path)]
    problems: Errors = []
    for at, name in enumerate(listed):
        if name in listed[:at]:
            problems.append(fields.invalid(path[at], name, "duplicate version"))
        else:
            problems += [fields.invalid(path[at], name, words) for words in names.dns1035_label(name)]
    if not any(name in REVIEW_VERSIONS for name in listed):
        words = f"must include at least one of {', '.join(REVIEW_VERSIONS)}"
        problems.append(fields.invalid(path, list(listed), words))
    return problems


def has_bad_bundle(value: apiextensions_v1.CustomResourceConversion | None) -> bool:
    hook = None if value is None else value.webhook
    config = None if hook is None else hook.clientConfig
    return config is not None and bool(config.caBundle) and bool(_bundle_problem(config.caBundle))


def _bundle_problem(bundle: str) -> str:
    """Why a caBundle holds no certificates; "" where it does."""
    from cryptography import x509

    try:
        x509.load_pem_x509_certificates(base64.b64decode(bundle, validate=True))
    except (ValueError, binascii.Error) as error:
        return str(error)
    return ""
