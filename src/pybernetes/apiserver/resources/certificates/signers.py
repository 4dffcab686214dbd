"""Names of signers, `example.com/signer-name`, which all kinds of this group carry."""

from __future__ import annotations

from pybernetes.api import fields, names
from pybernetes.apiserver.resources import checks

_MAX_DOMAIN = 253
_MAX_PATH = 253 + 63 + 1


def validate(name: str, path: fields.Path) -> checks.Errors:
    """A domain of at least two labels, and a path of subdomains."""
    if not name:
        return [fields.required(path)]
    segments = name.split("/")
    if len(segments) != 2:
        words = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        return [fields.invalid(path, name, words)]
    domain, rest = segments
    problems: checks.Errors = []
    if len(domain) > _MAX_DOMAIN:
        problems.append(fields.too_long(path, _MAX_DOMAIN))
    labels = domain.split(".")
    problems += _first_wrong(labels, names.dns_label, domain, path)
    if len(labels) < 2:
        words = "should be a domain with at least two segments separated by dots"
        problems.append(fields.invalid(path, domain, words))
    problems += _first_wrong(rest.split("."), names.dns_subdomain, rest, path)
    if len(name) > _MAX_DOMAIN + _MAX_PATH + 1:
        problems.append(fields.too_long(path, _MAX_DOMAIN + _MAX_PATH + 1))
    return problems


def _first_wrong(labels: list[str], check: names.Check, whole: str, path: fields.Path) -> checks.Errors:
    for label in labels:
        wrong = check(label)
        if wrong:
            return [fields.invalid(path, whole, f'validating label "{label}": {text}') for text in wrong]
    return []


def is_kubernetes(name: str) -> bool:
    """Whether the project itself keeps the signer."""
    domain = name.partition("/")[0]
    return domain == "kubernetes.io" or domain.endswith(".kubernetes.io")
