"""StorageVersions: in which version each API server of a cluster writes a resource."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields, names
from pybernetes.api.types import apiserverinternal_v1alpha1
from pybernetes.apiserver.resources import cells, checks, kind

_STATUS = fields.Path("status")
_WORDS = (
    "an apiVersion is a DNS-1035 label, which must consist of lower case alphanumeric characters or '-', start with "
    "an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
    "validation is '[a-z]([-a-z0-9]*[a-z0-9])?') with an optional DNS subdomain prefix and '/' (e.g. "
    "'example.com/MyVersion')"
)

StorageVersion = apiserverinternal_v1alpha1.StorageVersion


def check_name(name: str) -> list[str]:
    group, dot, resource = name.rpartition(".")
    if not dot:
        return ["name must be in the form of <group>.<resource>"]
    wrong = [f"the group segment {text}" for text in names.dns_subdomain(group)]
    return wrong + [f"the resource segment {text}" for text in names.dns1035_label(resource)]


def validate_status(new: StorageVersion, _: StorageVersion) -> checks.Errors:
    status = new.status
    problems: checks.Errors = []
    seen: set[str] = set()
    for index, server in enumerate(status.storageVersions):
        path = _STATUS["storageVersions"][index]
        if server.apiServerID in seen:
            problems.append(fields.duplicate(path["apiServerID"], server.apiServerID))
        seen.add(server.apiServerID)
        problems += _server(server, path)
    return problems + _common(status) + _conditions(status.conditions)


def _server(server: apiserverinternal_v1alpha1.ServerStorageVersion, path: fields.Path) -> checks.Errors:
    problems = checks.named(server.apiServerID, names.dns_subdomain, path["apiServerID"])
    problems += _version(server.encodingVersion, path["encodingVersion"])
    for index, version in enumerate(server.decodableVersions):
        problems += _version(version, path["decodableVersions"][index])
    if server.encodingVersion not in server.decodableVersions:
        words = f"decodableVersions must include encodingVersion {server.encodingVersion}"
        problems.append(fields.invalid(path["decodableVersions"], server.decodableVersions, words))
    for index, version in enumerate(server.servedVersions):
        at = path["servedVersions"][index]
        problems += _version(version, at)
        if version not in server.decodableVersions:
            listed = " ".join(server.decodableVersions)
            words = f"individual served version : {version} must be included in decodableVersions : [{listed}]"
            problems.append(fields.invalid(at, version, words))
    return problems


def _version(value: str, path: fields.Path) -> checks.Errors:
    if value.count("/") > 1:
        return [fields.invalid(path, value, _WORDS)]
    group, slash, version = value.rpartition("/")
    wrong: list[str] = []
    if slash:
        wrong += (
            [f"group part: {text}" for text in names.dns_subdomain(group)]
            if group
            else ["group part: must be non-empty"]
        )
    if version:
        wrong += [f"version part: {text}" for text in names.dns1035_label(version)]
    else:
        wrong.append("version part: must be non-empty")
    return [fields.invalid(path, value, ",".join(wrong))] if wrong else []


def _common(status: apiserverinternal_v1alpha1.StorageVersionStatus) -> checks.Errors:
    path, stated = _STATUS["commonEncodingVersion"], status.commonEncodingVersion
    versions = {server.encodingVersion for server in status.storageVersions}
    if len(versions) != 1:
        words = (
            "should be nil if servers do not agree on the same encoding version, or if there is no server reporting "
            "the supported versions yet"
        )
        return [] if stated is None else [fields.invalid(path, stated, words)]
    (version,) = versions
    if stated is None:
        return [fields.invalid(path, None, f"the common encoding version is {version}")]
    if stated != version:
        return [fields.invalid(path, stated, f"the actual common encoding version is {version}")]
    return []


def _conditions(listed: list[apiserverinternal_v1alpha1.StorageVersionCondition]) -> checks.Errors:
    problems: checks.Errors = []
    seen: dict[str, int] = {}
    for index, condition in enumerate(listed):
        path = _STATUS[index]
        if condition.type in seen:
            words = f"the type of the condition is not unique, it also appears in conditions[{seen[condition.type]}]"
            problems.append(fields.invalid(path["type"], condition.type, words))
        seen[condition.type] = index
        for name in ("type", "status"):
            problems += checks.named(getattr(condition, name), names.qualified_name, path[name])
        problems += [fields.required(path[name]) for name in ("reason", "message") if not getattr(condition, name)]
    return problems


def row(version: StorageVersion, now: float) -> Sequence[kind.Cell]:
    status = version.status
    shown = [f"{server.apiServerID}={server.encodingVersion}" for server in status.storageVersions]
    text = ",".join(shown[:3]) + (f" + {len(shown) - 3} more..." if len(shown) > 3 else "")
    common = "<unset>" if status.commonEncodingVersion is None else status.commonEncodingVersion
    return version.metadata.name, common, text or "<unset>", cells.age(version.metadata, now)


KIND: kind.Kind[StorageVersion] = kind.Kind(
    resource=kind.resource("internal.apiserver.k8s.io", "v1alpha1", "storageversions"),
    validate_status=validate_status,
    check_name=check_name,
    allow_unconditional_update=False,
    has_status=True,
    columns=(kind.NAME, kind.Column("CommonEncodingVersion"), kind.Column("StorageVersions"), kind.AGE),
    row=row,
)
