"""Flags: who may do what."""

from __future__ import annotations

from pybernetes.apiserver.authz import modes
from pybernetes.cluster.hyperkube import values
from pybernetes.cluster.hyperkube.flags import Flag

GROUP = "Authorization flags"
WEBHOOK = "Webhook"
MODES = (*modes.MODES, WEBHOOK)

TABLE = (
    Flag(
        "authorization-mode",
        values.STRINGS,
        None,
        f"Who decides, in this order, what is allowed: a list of {', '.join(MODES)}. If it is left out, AlwaysAllow.",
        GROUP,
    ),
    Flag(
        "authorization-config",
        values.STRING,
        "",
        "An AuthorizationConfiguration of apiserver.config.k8s.io/v1: who decides, in the place of the other flags.",
        GROUP,
    ),
    Flag(
        "authorization-webhook-config-file",
        values.STRING,
        "",
        "A kubeconfig of the server that mode Webhook asks.",
        GROUP,
    ),
    Flag(
        "authorization-webhook-version",
        values.STRING,
        "v1beta1",
        "The version of the SubjectAccessReviews it is sent: v1 or v1beta1.",
        GROUP,
    ),
    Flag(
        "authorization-webhook-cache-authorized-ttl",
        values.DURATION,
        300.0,
        "How long its answers are kept that allow; 0 for not at all.",
        GROUP,
    ),
    Flag(
        "authorization-webhook-cache-unauthorized-ttl",
        values.DURATION,
        30.0,
        "How long its other answers are kept.",
        GROUP,
    ),
)
