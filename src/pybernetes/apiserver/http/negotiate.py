"""Which form an answer takes: the Accept header, read once per distinct text."""

from __future__ import annotations

import functools
from typing import NamedTuple

from pybernetes.api import errors

JSON = "application/json"
YAML = "application/yaml"
WHOLE = ""
TABLE = "Table"
PARTIAL = "PartialObjectMetadata"
PARTIAL_LIST = "PartialObjectMetadataList"
OFFERED = (JSON, YAML)


class Form(NamedTuple):
    """A media type and what the object is shown as."""

    media: str = JSON
    shown: str = WHOLE

    @property
    def content_type(self) -> str:
        return self.media


PLAIN = Form()


def negotiates(path: str) -> bool:
    """Whether objects are answered there: discovery, health, metrics and logs have the form that they have."""
    return path.startswith(("/api/", "/apis/")) and not path.endswith("/log")


@functools.lru_cache(maxsize=512)
def form(accept: str) -> Form:
    """The best form the client accepts. Raises StatusError 406."""
    if not accept or accept in ("*/*", JSON):
        return PLAIN
    choices = sorted((_clause(text) for text in accept.split(",")), key=lambda choice: -choice[0])
    for _, media, parameters in choices:
        if media in ("*/*", "application/*"):
            return PLAIN
        if media == "text/yaml":
            media = YAML
        if media not in OFFERED:
            continue
        shown = parameters.get("as", WHOLE)
        if not shown:
            return Form(media)
        if parameters.get("g") != "meta.k8s.io" or parameters.get("v") not in ("v1", "v1beta1"):
            continue
        if shown in (TABLE, PARTIAL, PARTIAL_LIST):
            return Form(media, PARTIAL if shown == PARTIAL_LIST else shown)
    raise errors.not_acceptable(OFFERED)


def _clause(text: str) -> tuple[float, str, dict[str, str]]:
    media, *rest = (part.strip() for part in text.split(";"))
    parameters = {}
    quality = 1.0
    for part in rest:
        name, _, value = part.partition("=")
        if name == "q":
            try:
                quality = float(value)
            except ValueError:
                quality = 0.0
        else:
            parameters[name] = value
    return quality, media.lower(), parameters
