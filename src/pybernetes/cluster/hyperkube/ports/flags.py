"""Flags: where a component serves, with which certificate, and who may see what."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from pybernetes.cluster.hyperkube import values
from pybernetes.cluster.hyperkube.flags import Flag

SERVING, AUTHENTICATION, AUTHORIZATION = "Secure serving flags", "Authentication flags", "Authorization flags"
INSECURE = "Insecure serving flags"
# Where components serve if nobody says otherwise.
CONTROLLER_MANAGER, SCHEDULER = 10257, 10259
# As long as upstream remembers what the API server said, in seconds.
REMEMBERED = 10.0
ALWAYS_ALLOWED = ["/healthz", "/readyz", "/livez"]
FILES = ("authentication-kubeconfig", "authorization-kubeconfig", "client-ca-file")


def table(port: int) -> tuple[Flag, ...]:
    """For a component whose port that is."""
    return (
        Flag("bind-address", values.ADDRESS, "0.0.0.0", "The address to listen on; 0.0.0.0 or :: for all.", SERVING),
        Flag("secure-port", values.INT, port, "The port to serve HTTPS on; 0 for not at all.", SERVING),
        Flag("tls-cert-file", values.STRING, "", "The certificate (PEM), any intermediate ones after it.", SERVING),
        Flag("tls-private-key-file", values.STRING, "", "The key of --tls-cert-file (PEM).", SERVING),
        Flag(
            "cert-dir",
            values.STRING,
            "",
            "Where a certificate is made and kept, with the ca.crt that signs it, if --tls-cert-file names none. If it "
            "is left out, it is made anew at every start.",
            SERVING,
        ),
        Flag(
            "port",
            values.INT,
            0,
            "Serve plain HTTP on this port, too, where everybody may see everything; 0 for not at all. Upstream had it "
            "until 1.24.",
            INSECURE,
        ),
        Flag("address", values.ADDRESS, "127.0.0.1", "The address of --port.", INSECURE),
        Flag(
            "client-ca-file",
            values.STRING,
            "",
            "Clients with a certificate of this authority are who it says. It is not looked up in the cluster.",
            AUTHENTICATION,
        ),
        Flag(
            "authentication-kubeconfig",
            values.STRING,
            "",
            "The API server that is asked whose a bearer token is (TokenReview). Without it, tokens say nothing.",
            AUTHENTICATION,
        ),
        Flag(
            "authentication-token-webhook-cache-ttl",
            values.DURATION,
            REMEMBERED,
            "For how long it is remembered.",
            AUTHENTICATION,
        ),
        Flag(
            "authorization-kubeconfig",
            values.STRING,
            "",
            "The API server that is asked what somebody may do (SubjectAccessReview). If it is left out, only the "
            "paths below are for others than system:masters.",
            AUTHORIZATION,
        ),
        Flag(
            "authorization-always-allow-paths",
            values.STRINGS,
            ALWAYS_ALLOWED,
            "Paths that everybody may get; a * at the end stands for anything.",
            AUTHORIZATION,
        ),
        Flag(
            "authorization-webhook-cache-authorized-ttl",
            values.DURATION,
            REMEMBERED,
            "For how long a yes is remembered.",
            AUTHORIZATION,
        ),
        Flag(
            "authorization-webhook-cache-unauthorized-ttl",
            values.DURATION,
            REMEMBERED,
            "For how long a no is remembered.",
            AUTHORIZATION,
        ),
    )


def problems(given: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with them, or does not go together."""
    if not 0 <= given["secure-port"] <= 65535:
        port = given["secure-port"]
        yield f"--secure-port {port} must be between 0 and 65535, inclusive. 0 for turning off secure port"
    if not 0 <= given["port"] <= 65535:
        yield f"--port {given['port']} must be between 0 and 65535, inclusive"
    elif given["port"] and given["port"] == given["secure-port"]:
        yield f"--port and --secure-port cannot be the same port {given['port']}"
    if bool(given["tls-cert-file"]) != bool(given["tls-private-key-file"]):
        yield "--tls-cert-file and --tls-private-key-file go together"
    for flag in FILES:
        if given[flag] and not pathlib.Path(given[flag]).is_file():
            yield f"--{flag}: there is no file {given[flag]}"
    for path in given["authorization-always-allow-paths"]:
        if "*" in path[:-1]:
            yield f'--authorization-always-allow-paths: only trailing * allowed in "{path.removeprefix("/")}"'
