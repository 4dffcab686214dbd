"""The auditor that the flags of `hyperkube kube-apiserver` ask for."""

from __future__ import annotations

import functools

import msgspec

from pybernetes import client as clients
from pybernetes.api import errors
from pybernetes.apiserver import audit
from pybernetes.client import kubeconfig
from pybernetes.cluster.hyperkube.kube_apiserver import options as options_
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks


def auditor(options: options_.Audit, clock: clocks.Clock, chance: chances.Chance) -> audit.Auditor:
    """Raises PolicyError, and KubeconfigError."""
    backends: list[audit.Backend] = []
    if options.log:
        backends.append(
            audit.LogFile(
                options.log,
                clock=clock,
                wait=options.logging.wait,
                batch=options.logging.size,
                size=options.megabytes,
                days=options.days,
                backups=options.backups,
                compress=options.compress,
                largest=options.logging.largest,
                strict=options.logging.strict,
            )
        )
    if options.webhook is not None:
        client = kubeconfig.client(options.webhook, user_agent="kube-apiserver-audit")
        backends.append(
            audit.Webhook(
                functools.partial(_post, client),
                clock=clock,
                chance=chance,
                buffer=options.sending.buffer,
                batch=options.sending.size,
                wait=options.sending.wait,
                pause=options.pause,
                largest=options.sending.largest,
                together=options.sending.together,
                after=client.close,
            )
        )
    return audit.Auditor(audit.policy.read(options.policy), backends, clock=clock, chance=chance)


async def _post(client: clients.Client, body: bytes) -> None:
    try:
        await client.raw("", method="POST", body=msgspec.Raw(body))
    except errors.StatusError as error:
        raise OSError(str(error)) from None
