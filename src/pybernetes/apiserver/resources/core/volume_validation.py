"""Validation of a pod's volumes."""

from __future__ import annotations

from typing import Any

from pybernetes.api import fields, names, quantity
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import checks
from pybernetes.apiserver.resources.core import reference_validation

_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
_HOST_PATH_TYPES = (
    "",
    "DirectoryOrCreate",
    "Directory",
    "FileOrCreate",
    "File",
    "Socket",
    "CharDevice",
    "BlockDevice",
)
_SOURCES = tuple(name for name in core_v1.Volume.__struct_fields__ if name != "name")
# What each remaining source cannot do without.
_REQUIRED: dict[str, tuple[str, ...]] = {
    "awsElasticBlockStore": ("volumeID",),
    "azureDisk": ("diskName", "diskURI"),
    "azureFile": ("secretName", "shareName"),
    "cephfs": ("monitors",),
    "cinder": ("volumeID",),
    "csi": ("driver",),
    "fc": (),
    "flexVolume": ("driver",),
    "flocker": (),
    "gcePersistentDisk": ("pdName",),
    "gitRepo": ("repository",),
    "glusterfs": ("endpoints", "path"),
    "iscsi": ("targetPortal", "iqn"),
    "nfs": ("server", "path"),
    "photonPersistentDisk": ("pdID",),
    "portworxVolume": ("volumeID",),
    "quobyte": ("registry", "volume"),
    "rbd": ("monitors", "image"),
    "scaleIO": ("gateway", "system", "volumeName"),
    "storageos": ("volumeName",),
    "vsphereVolume": ("volumePath",),
}


def volumes(listed: list[core_v1.Volume], path: fields.Path) -> tuple[dict[str, core_v1.Volume], checks.Errors]:
    """(the good ones by name, what is wrong with the others)."""
    good: dict[str, core_v1.Volume] = {}
    problems: checks.Errors = []
    for index, volume in enumerate(listed):
        at = path[index]
        own = _source(volume, at)
        if not volume.name:
            own.append(fields.required(at["name"]))
        else:
            own += checks.named(volume.name, names.dns_label, at["name"])
        if volume.name in good:
            own.append(fields.duplicate(at["name"], volume.name))
        if own:
            problems += own
        else:
            good[volume.name] = volume
    return good, problems


def _source(volume: core_v1.Volume, path: fields.Path) -> checks.Errors:
    present = [name for name in _SOURCES if getattr(volume, name) is not None]
    if not present:
        return [fields.required(path, "must specify a volume type")]
    problems = _one_source(present[0], getattr(volume, present[0]), path[present[0]])
    for name in present[1:]:
        problems.append(fields.forbidden(path[name], "may not specify more than 1 volume type"))
    return problems


def _one_source(name: str, source: Any, path: fields.Path) -> checks.Errors:
    if name == "emptyDir":
        if source.sizeLimit is not None and quantity.compare(source.sizeLimit, "0") < 0:
            return [fields.forbidden(path["sizeLimit"], "SizeLimit field must be a valid resource quantity")]
        return []
    if name == "hostPath":
        return host_path(source, path)
    if name in ("secret", "configMap"):
        key = "secretName" if name == "secret" else "name"
        problems = [] if getattr(source, key) else [fields.required(path[key])]
        return problems + file_mode(source.defaultMode, path["defaultMode"]) + keys_to_paths(source.items, path)
    if name == "downwardAPI":
        problems = file_mode(source.defaultMode, path["defaultMode"])
        for file in source.items:
            problems += _downward_file(file, path)
        return problems
    if name == "projected":
        return _projected(source, path)
    if name == "persistentVolumeClaim":
        return [] if source.claimName else [fields.required(path["claimName"])]
    if name == "ephemeral":
        if source.volumeClaimTemplate is None:
            return [fields.required(path["volumeClaimTemplate"])]
        return []
    if name == "image":
        problems = [] if source.reference else [fields.required(path["reference"])]
        policies = ("Always", "IfNotPresent", "Never")
        return problems + checks.required_one_of(source.pullPolicy or "", policies, path["pullPolicy"])
    return [fields.required(path[key]) for key in _REQUIRED.get(name, ()) if not getattr(source, key)]


def host_path(source: core_v1.HostPathVolumeSource, path: fields.Path) -> checks.Errors:
    """The path and type of a hostPath, of volumes and of persistent volumes."""
    if not source.path:
        return [fields.required(path["path"])]
    problems = no_backsteps(source.path, path["path"])
    if source.type is not None and source.type not in _HOST_PATH_TYPES:
        problems.append(fields.not_supported(path["type"], source.type, _HOST_PATH_TYPES))
    return problems


def no_backsteps(value: str, path: fields.Path) -> checks.Errors:
    if ".." in value.split("/"):
        return [fields.invalid(path, value, "must not contain '..'")]
    return []


def descending(value: str, path: fields.Path) -> checks.Errors:
    """A relative path that stays below where it starts."""
    problems = [fields.invalid(path, value, "must be a relative path")] if value.startswith("/") else []
    return problems + no_backsteps(value, path)


def _not_reserved(value: str, path: fields.Path) -> checks.Errors:
    problems = descending(value, path)
    if value.startswith("..") and not value.startswith("../"):
        problems.append(fields.invalid(path, value, "must not start with '..'"))
    return problems


def file_mode(mode: int | None, path: fields.Path) -> checks.Errors:
    return [fields.invalid(path, mode, _MODE)] if mode is not None and not 0 <= mode <= 0o777 else []


def keys_to_paths(items: list[core_v1.KeyToPath], path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    for index, item in enumerate(items):
        at = path["items"][index]
        if not item.key:
            problems.append(fields.required(at["key"]))
        if not item.path:
            problems.append(fields.required(at["path"]))
        problems += _not_reserved(item.path, at["path"]) + file_mode(item.mode, at["mode"])
    return problems


def _downward_file(file: core_v1.DownwardAPIVolumeFile, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    if not file.path:
        problems.append(fields.required(path["path"]))
    problems += _not_reserved(file.path, path["path"])
    if file.fieldRef is not None:
        allowed = reference_validation.VOLUME_FIELDS
        problems += reference_validation.object_field(file.fieldRef, allowed, path["fieldRef"])
        if file.resourceFieldRef is not None:
            words = "fieldRef and resourceFieldRef can not be specified simultaneously"
            problems.append(fields.invalid(path, "resource", words))
    elif file.resourceFieldRef is not None:
        at = path["resourceFieldRef"]
        problems += reference_validation.resource_field(file.resourceFieldRef, at, named_container=True)
    else:
        problems.append(fields.required(path, "one of fieldRef and resourceFieldRef is required"))
    return problems + file_mode(file.mode, path["mode"])


def _projected(source: core_v1.ProjectedVolumeSource, path: fields.Path) -> checks.Errors:
    problems = file_mode(source.defaultMode, path["defaultMode"])
    taken: set[str] = set()
    for index, projection in enumerate(source.sources):
        at = path["sources"][index]
        present = [name for name in projection.__struct_fields__ if getattr(projection, name) is not None]
        for name in present:
            found, paths = _projection(name, getattr(projection, name), at[name], path)
            problems += found
            for label, place in paths:
                if place in taken:
                    problems.append(fields.invalid(path, label, "conflicting duplicate paths"))
                taken.add(place)
        if len(present) > 1:
            problems.append(fields.forbidden(at, "may not specify more than 1 volume type per source"))
    return problems


def _projection(
    name: str, source: Any, path: fields.Path, volume: fields.Path
) -> tuple[checks.Errors, list[tuple[str, str]]]:
    """(what is wrong, (who is named in an error, path) of every file)."""
    problems: checks.Errors = []
    if name in ("secret", "configMap"):
        if not source.name:
            problems.append(fields.required(path["name"]))
        problems += keys_to_paths(source.items, path)
        return problems, [(source.name, item.path) for item in source.items if item.path]
    if name == "downwardAPI":
        for file in source.items:
            problems += _downward_file(file, path)
        return problems, [(file.path, file.path) for file in source.items if file.path]
    if name == "serviceAccountToken":
        seconds = source.expirationSeconds
        if seconds is not None and seconds < 600:
            words = "may not specify a duration less than 10 minutes"
            problems.append(fields.invalid(path["expirationSeconds"], seconds, words))
        if seconds is not None and seconds > 1 << 32:
            words = "may not specify a duration larger than 2^32 seconds"
            problems.append(fields.invalid(path["expirationSeconds"], seconds, words))
        if not source.path:
            problems.append(fields.required(volume["path"]))
        else:
            problems += _not_reserved(source.path, volume["path"])
        return problems, []
    if name == "clusterTrustBundle":
        if source.name is not None and source.signerName is not None:
            problems.append(fields.invalid(path, source, "only one of name and signerName may be used"))
        elif source.name is None and source.signerName is None:
            problems.append(fields.required(path, "either name or signerName must be specified"))
        elif source.name is not None and source.labelSelector is not None:
            words = "labelSelector must be unset if name is specified"
            problems.append(fields.invalid(path["labelSelector"], source.labelSelector, words))
        else:
            problems += checks.selector(source.labelSelector, path["labelSelector"])
        if not source.path:
            problems.append(fields.required(path["path"]))
        problems += _not_reserved(source.path, path["path"])
        return problems, [(source.path, source.path)]
    paths = [text for text in (source.credentialBundlePath, source.keyPath, source.certificateChainPath) if text]
    if not paths:
        words = "specify at least one of credentialBundlePath, keyPath, and certificateChainPath"
        problems.append(fields.required(path, words))
    kinds = ("RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519")
    problems += checks.one_of(source.keyType, kinds, path["keyType"])
    return problems, [(text, text) for text in paths]
