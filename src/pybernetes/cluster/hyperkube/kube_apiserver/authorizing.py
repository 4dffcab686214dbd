"""What the flags say about who may do what. Worded as upstream words it."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from pybernetes.apiserver.authz import configuration, modes, webhook
from pybernetes.cluster.hyperkube.kube_apiserver.flags import authorization as flags

VERSIONS = ("v1", "v1beta1")
FILE, MODE = "authorization-config", "authorization-mode"
WEBHOOK_FILE = "authorization-webhook-config-file"


def read(given: Mapping[str, Any]) -> tuple[modes.Mode, ...]:
    """Of flags without problems."""
    if given[FILE]:
        return configuration.load(pathlib.Path(given[FILE]))
    return tuple(_webhook(given) if mode == flags.WEBHOOK else mode for mode in given[MODE] or ("AlwaysAllow",))


def _webhook(given: Mapping[str, Any]) -> webhook.Settings:
    return webhook.Settings(
        name="default",
        kubeconfig=pathlib.Path(given[WEBHOOK_FILE]).absolute(),
        version=given["authorization-webhook-version"],
        authorized_ttl=given["authorization-webhook-cache-authorized-ttl"],
        unauthorized_ttl=given["authorization-webhook-cache-unauthorized-ttl"],
    )


def problems(given: Mapping[str, Any]) -> Iterator[str]:
    if given[FILE]:
        if given[MODE] is not None or given[WEBHOOK_FILE]:
            yield (f"--{FILE} can not be specified when --{MODE} or --authorization-webhook-* flags are defined")
        try:
            configuration.load(pathlib.Path(given[FILE]))
        except OSError as error:
            yield f"--{FILE}: {given[FILE]}: {error.strerror}"
        except ValueError as error:
            yield f"--{FILE}: {given[FILE]}: {error}"
        return
    wanted = given[MODE]
    yield from _modes(wanted)
    has_webhook = flags.WEBHOOK in (wanted or ())
    if has_webhook and not given[WEBHOOK_FILE]:
        yield "authorization-mode Webhook's authorization config file not passed"
    if given[WEBHOOK_FILE] and not has_webhook:
        yield f"cannot specify --{WEBHOOK_FILE} without mode Webhook"
    version = given["authorization-webhook-version"]
    if version not in VERSIONS:
        yield f'--authorization-webhook-version "{version}" invalid, allowed values: {", ".join(VERSIONS)}'


def _modes(wanted: list[str] | None) -> Iterator[str]:
    if wanted is None:
        return
    if not wanted:
        yield "at least one authorization-mode must be passed"
    for mode in wanted:
        if mode not in flags.MODES:
            yield f'authorization-mode "{mode}" is not a valid mode; there are: {", ".join(flags.MODES)}'
    if len(set(wanted)) != len(wanted):
        yield f'authorization-mode "{",".join(wanted)}" has mode specified more than once'
