"""An operator that decides about EphemeralVolumeClaims before they are stored; where its certificate is, CERTS says."""

from __future__ import annotations

import os
import pathlib
from typing import Any

import kopf

CERTS = pathlib.Path(os.environ["CERTS"])


@kopf.on.startup()
def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.admission.managed = "tests.kopf.dev"
    settings.admission.server = kopf.WebhookServer(
        addr="127.0.0.1",
        host="127.0.0.1",
        certfile=str(CERTS / "hooks.crt"),
        pkeyfile=str(CERTS / "hooks.key"),
        cafile=str(CERTS / "ca.crt"),
    )


@kopf.on.validate("ephemeralvolumeclaims")
def check(spec: Any, warnings: list[str], **_: Any) -> None:
    if spec.get("size") == "none":
        raise kopf.AdmissionError("a size is wanted", code=422)
    if spec.get("size") == "1T":
        warnings.append("that is large")


@kopf.on.mutate("ephemeralvolumeclaims")
def fill(spec: Any, patch: kopf.Patch, **_: Any) -> None:
    if "size" not in spec:
        patch.spec["size"] = "1G"
