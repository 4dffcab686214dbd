"""Kubeconfig files: read one into a client, write one for a person or a component."""

from __future__ import annotations

import base64
import os
import pathlib
import ssl
import tempfile
from collections import Counter
from typing import Any

import yaml

from pybernetes.client import client as clients


class KubeconfigError(Exception):
    """The file cannot be used; the message says why."""


def build(
    *, server: str, ca: bytes, cluster: str = "pybernetes", user: str = "admin", certificate: bytes, key: bytes
) -> dict[str, Any]:
    """A kubeconfig with one context, named as the cluster. Certificates are PEM bytes and are embedded."""

    def text(data: bytes) -> str:
        return base64.b64encode(data).decode()

    context = cluster if user == "admin" else f"{user}@{cluster}"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": {"server": server, "certificate-authority-data": text(ca)}}],
        "users": [
            {
                "name": f"{cluster}-{user}",
                "user": {"client-certificate-data": text(certificate), "client-key-data": text(key)},
            }
        ],
        "contexts": [{"name": context, "context": {"cluster": cluster, "user": f"{cluster}-{user}"}}],
        "current-context": context,
    }


def write(path: pathlib.Path, config: dict[str, Any]) -> None:
    """Replace the file at once, readable by its owner alone."""
    # A link to the file stays one.
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "w") as file:
            yaml.safe_dump(config, file, sort_keys=False)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read(path: pathlib.Path) -> dict[str, Any]:
    """The file's content; an empty config if there is none. Raises KubeconfigError if it is not one."""
    if not path.exists():
        return {"apiVersion": "v1", "kind": "Config", "clusters": [], "users": [], "contexts": []}
    try:
        config = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, ValueError) as error:
        raise KubeconfigError(f"{path} is not YAML: {error}") from error
    if config is None:
        return {"apiVersion": "v1", "kind": "Config", "clusters": [], "users": [], "contexts": []}
    if not isinstance(config, dict):
        raise KubeconfigError(f"{path} is not a kubeconfig")
    return config


def merged(into: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """The first config with the second one's entries in place of those of the same name, and its context current."""
    result = dict(into)
    for section in ("clusters", "users", "contexts"):
        names = {entry["name"] for entry in config[section]}
        kept = [entry for entry in into.get(section) or [] if entry.get("name") not in names]
        result[section] = kept + config[section]
    result["current-context"] = config["current-context"]
    return result


def without(config: dict[str, Any], removed: dict[str, Any]) -> dict[str, Any]:
    """The config less the other's entries; its current context too, if it was the removed one."""
    result = dict(config)
    for section in ("clusters", "users", "contexts"):
        names = {entry["name"] for entry in removed[section]}
        result[section] = [entry for entry in config.get(section) or [] if entry.get("name") not in names]
    if config.get("current-context") == removed["current-context"]:
        result["current-context"] = ""
    return result


def client(
    path: pathlib.Path,
    *,
    user_agent: str = "pybernetes",
    server: str = "",
    answered: Counter[tuple[str, str, str]] | None = None,
) -> clients.Client:
    """A client for the file's current context, or for that user at another server. Raises KubeconfigError.

    `answered` as for `https.HttpsTransport`.
    """
    config = read(path)
    try:
        return _client(config, path, user_agent, server, answered)
    except (KeyError, TypeError, AttributeError, ValueError, OSError) as error:
        raise KubeconfigError(f"{path} cannot be used: {type(error).__name__} {error}") from error


def _client(
    config: dict[str, Any],
    path: pathlib.Path,
    user_agent: str,
    server: str,
    answered: Counter[tuple[str, str, str]] | None,
) -> clients.Client:
    # aiohttp is large, and whoever only writes kubeconfigs does not need it.
    from pybernetes.client import https

    context = _named(config, "contexts", config.get("current-context", ""), path)["context"]
    cluster = _named(config, "clusters", context["cluster"], path)["cluster"]
    user = _named(config, "users", context["user"], path)["user"]
    tls = _tls(cluster, user, path.parent)
    token = user.get("token", "")
    if not token and "tokenFile" in user:
        token = (path.parent / user["tokenFile"]).read_text().strip()
    transport = https.HttpsTransport(
        server or cluster["server"], tls=tls, token=token, user_agent=user_agent, answered=answered
    )
    return clients.Client(transport, manager=user_agent)


def _tls(cluster: dict[str, Any], user: dict[str, Any], folder: pathlib.Path) -> ssl.SSLContext:
    """Certificates are embedded, or files named from the kubeconfig's own folder."""
    authority = _pem(cluster, "certificate-authority", folder)
    tls = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if cluster.get("insecure-skip-tls-verify"):
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    certificate = _pem(user, "client-certificate", folder)
    if certificate:
        # The ssl module loads key pairs from files only; this one lives for the time of the call, owner-readable.
        with tempfile.NamedTemporaryFile() as pair:
            pair.write(certificate + b"\n" + _pem(user, "client-key", folder))
            pair.flush()
            tls.load_cert_chain(pair.name)
    return tls


def _pem(entry: dict[str, Any], name: str, folder: pathlib.Path) -> bytes:
    if f"{name}-data" in entry:
        return base64.b64decode(entry[f"{name}-data"])
    return (folder / entry[name]).read_bytes() if entry.get(name) else b""


def _named(config: dict[str, Any], section: str, name: str, path: pathlib.Path) -> dict[str, Any]:
    for entry in config.get(section) or []:
        if entry.get("name") == name:
            found: dict[str, Any] = entry
            return found
    if not name:
        raise KubeconfigError(f"{path} says nowhere which of its {section} counts (current-context)")
    raise KubeconfigError(f"{path} has no entry {name!r} under {section}")
