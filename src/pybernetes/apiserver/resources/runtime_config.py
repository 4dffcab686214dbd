"""`--runtime-config`: which versions and resources of the API are served, when it is not those served by default."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from pybernetes.api import scheme

# In this order, each overriding those before it; then single versions, then single resources.
_LEVELS = {
    "api/all": re.compile(r".*"),
    "api/ga": re.compile(r"v\d+"),
    "api/beta": re.compile(r"v\d+beta\d+"),
    "api/alpha": re.compile(r"v\d+alpha\d+"),
}
# Kubernetes 1.36 has these no more: they are switched on by name only.
LEGACY = (("extensions", "v1beta1"), ("apps", "v1beta1"), ("apps", "v1beta2"))
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


def parse(text: str) -> dict[str, bool]:
    """`apps/v1beta1=true,api/all=false` -> what is switched on and off. Raises ValueError with upstream's words."""
    config: dict[str, bool] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        key, _, value = (part.strip() for part in entry.partition("="))
        if key in _LEVELS:
            if value not in ("true", "false"):
                raise ValueError(f"invalid value {key}={value}")
        elif value and value not in (*_TRUE, *_FALSE):
            raise ValueError(
                f'invalid value of {key}: {value}, err: strconv.ParseBool: parsing "{value}": invalid syntax'
            )
        config[key] = value not in _FALSE
    return config


def check(config: Mapping[str, bool], versions: Collection[tuple[str, str]]) -> None:
    """Refuse what names a version that a known group does not have. Raises ValueError with upstream's words."""
    groups = {group for group, _ in versions}
    for key in config:
        group, slash, rest = key.partition("/")
        version, _, resource = rest.partition("/")
        # `api/v1` is the core group's version.
        group = "" if key == "api/v1" or key.startswith("api/v1/") else group
        if key in _LEVELS or not slash or group not in groups:
            continue
        if (group, version) not in versions:
            raise ValueError(f"group version {group}/{version} that has not been registered")
        if resource != resource.lower():
            words = "group/version/resource and resource is always lowercase plural"
            raise ValueError(f'invalid key {key}: {words}, not "{resource}"')


def is_on(config: Mapping[str, bool], resource: scheme.Resource) -> bool:
    """Whether a resource is served: by its own entry, its version's, its level's, or else by default."""
    version = f"{resource.group or 'api'}/{resource.version}"
    for key in (f"{version}/{resource.name}", version):
        if key in config:
            return config[key]
    on = _LEVELS["api/ga"].fullmatch(resource.version) is not None
    if (resource.group, resource.version) not in LEGACY:
        for level, pattern in _LEVELS.items():
            if level in config and pattern.fullmatch(resource.version):
                on = config[level]
    return on
