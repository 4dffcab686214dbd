"""What the flags say about who is asking. Worded as upstream words it."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from pybernetes.apiserver.authn import configuration, frontproxy, settings, signing, webhook
from pybernetes.apiserver.authn.oidc import settings as oidc

FILE, WEBHOOK = "authentication-config", "authentication-token-webhook-config-file"
PROXY_CA = "requestheader-client-ca-file"
VERSIONS = ("v1", "v1beta1")
LEAST_SECONDS, MOST_SECONDS = 3600.0, float(1 << 32)


def read(given: Mapping[str, Any]) -> settings.Authentication:
    """Of flags without problems; the files that they name are read."""
    told = _configuration(given)
    return settings.Authentication(
        client_ca=_bytes(given["client-ca-file"]),
        proxy=_proxy(given),
        bootstrap_tokens=given["enable-bootstrap-token-auth"],
        providers=told.providers if told is not None and told.providers else tuple(_provider(given)),
        algorithms=tuple(given["oidc-signing-algs"]) if given["oidc-issuer-url"] else signing.ALGORITHMS,
        webhook=webhook.Settings(
            kubeconfig=pathlib.Path(given[WEBHOOK]).absolute(),
            version=given["authentication-token-webhook-version"],
            ttl=given["authentication-token-webhook-cache-ttl"],
        )
        if given[WEBHOOK]
        else None,
        anonymous_paths=told.anonymous_paths if told is not None else (),
        keys_at=given["service-account-jwks-uri"],
        longest_token=given["service-account-max-token-expiration"],
        extends_tokens=given["service-account-extend-token-expiration"],
    )


def is_anonymous_allowed(given: Mapping[str, Any]) -> bool:
    told = _configuration(given)
    said = told.anonymous if told is not None else None
    return bool(given["anonymous-auth"]) if said is None else said


def _configuration(given: Mapping[str, Any]) -> configuration.Configuration | None:
    file = given[FILE]
    return configuration.load(pathlib.Path(file), own_issuers=given["service-account-issuer"]) if file else None


def _bytes(file: str) -> bytes:
    return pathlib.Path(file).read_bytes() if file else b""


def _proxy(given: Mapping[str, Any]) -> frontproxy.Settings | None:
    if not given[PROXY_CA]:
        return None
    return frontproxy.Settings(
        ca=_bytes(given[PROXY_CA]),
        allowed_names=tuple(given["requestheader-allowed-names"]),
        names=tuple(given["requestheader-username-headers"]),
        uids=tuple(given["requestheader-uid-headers"]),
        groups=tuple(given["requestheader-group-headers"]),
        extras=tuple(given["requestheader-extra-headers-prefix"]),
    )


def _provider(given: Mapping[str, Any]) -> Iterator[oidc.Provider]:
    url, claim = given["oidc-issuer-url"], given["oidc-username-claim"]
    if not url:
        return
    prefix = given["oidc-username-prefix"] or ("" if claim == "email" else f"{url}#")
    groups = given["oidc-groups-claim"]
    required = (text.partition("=") for text in given["oidc-required-claim"])
    yield oidc.Provider(
        issuer=oidc.Issuer(
            url=url, audiences=[given["oidc-client-id"]], certificateAuthority=_bytes(given["oidc-ca-file"]).decode()
        ),
        claimValidationRules=[oidc.ClaimRule(claim=name, requiredValue=value) for name, _, value in required],
        claimMappings=oidc.Mappings(
            username=oidc.Prefixed(claim=claim, prefix="" if prefix == "-" else prefix),
            groups=oidc.Prefixed(claim=groups, prefix=given["oidc-groups-prefix"]) if groups else oidc.Prefixed(),
        ),
    )


def problems(given: Mapping[str, Any]) -> Iterator[str]:
    yield from _wrong_file(given)
    yield from _wrong_provider(given)
    version = given["authentication-token-webhook-version"]
    if version not in VERSIONS:
        yield f'--authentication-token-webhook-version "{version}" invalid, allowed values: {", ".join(VERSIONS)}'
    uri = given["service-account-jwks-uri"]
    if uri and urlsplit(uri).scheme != "https":
        yield f"service-account-jwks-uri requires https scheme, parsed as: {uri}"
    longest = given["service-account-max-token-expiration"]
    if longest and not LEAST_SECONDS <= longest <= MOST_SECONDS:
        yield "the service-account-max-token-expiration must be between 1 hour and 2^32 seconds"
    if given[PROXY_CA] and not given["requestheader-username-headers"]:
        yield "empty value for --requestheader-username-headers"
    same = given[PROXY_CA] and given[PROXY_CA] == given["client-ca-file"]
    if same and not given["requestheader-allowed-names"]:
        yield (
            "--requestheader-client-ca-file and --client-ca-file contain overlapping certificates; "
            "--requestheader-allowed-names must be specified to ensure regular client certificates cannot set "
            "authenticating proxy headers for arbitrary users"
        )


def _wrong_file(given: Mapping[str, Any]) -> Iterator[str]:
    if not given[FILE]:
        return
    try:
        told = _configuration(given)
    except OSError as error:
        yield f"--{FILE}: {given[FILE]}: {error.strerror}"
    except ValueError as error:
        yield f"--{FILE}: {given[FILE]}: {error}"
    else:
        if told is not None and told.providers and given["oidc-issuer-url"]:
            yield f"{FILE} file and oidc-* flags are mutually exclusive"
        if told is not None and told.anonymous is not None and not given["anonymous-auth"]:
            where = "anonymous field is configured in authentication configuration"
            yield f"--anonymous-auth flag cannot be set when {where}"


def _wrong_provider(given: Mapping[str, Any]) -> Iterator[str]:
    url, client = given["oidc-issuer-url"], given["oidc-client-id"]
    if bool(url) != bool(client):
        yield "oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set"
        return
    unknown = [name for name in given["oidc-signing-algs"] if name not in signing.ALGORITHMS]
    if unknown:
        yield f'oidc: unsupported signing alg: "{unknown[0]}"'
    for text in given["oidc-required-claim"]:
        if "=" not in text:
            yield f'invalid argument "{text}" for "--oidc-required-claim" flag: malformed pair, expect string=string'
    try:
        for problem in configuration.providers(list(_provider(given)), given["service-account-issuer"]):
            yield str(problem)
    except (OSError, UnicodeDecodeError):
        # The file is told of by itself.
        return
