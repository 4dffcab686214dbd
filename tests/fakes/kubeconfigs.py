"""Kubeconfig files that lead to the servers of `fakes.webhooks`."""

from __future__ import annotations

import pathlib

from pybernetes.client import kubeconfig
from tests.fakes import webhooks


def write(folder: pathlib.Path, server: str) -> pathlib.Path:
    """A file in the folder for that server, trusted and trusting."""
    own = webhooks.authority().client("apiserver", user="apiserver")
    path = folder / "webhook.kubeconfig"
    config = kubeconfig.build(
        server=server,
        ca=webhooks.authority().ca.read_bytes(),
        certificate=own.certificate.read_bytes(),
        key=own.key.read_bytes(),
    )
    kubeconfig.write(path, config)
    return path
