"""A pod's volumes: set up before its containers start, refreshed when their content changes, taken down at the end."""

from __future__ import annotations

import asyncio
import os
import pathlib
import shutil
from collections.abc import Mapping

from pybernetes.api.errors import StatusError
from pybernetes.api.types import core_v1
from pybernetes.kits import chance as chances
from pybernetes.kubelet import tokens as kubelet_tokens
from pybernetes.kubelet.containers import downward, environment
from pybernetes.kubelet.volumes import (
    atomic,
    config_map,
    downward_api,
    empty_dir,
    host_path,
    mounting,
    projected,
    secret,
)
from pybernetes.kubelet.volumes import place as places


class Volumes:
    """The volumes of all pods, below `root/pods/UID`."""

    def __init__(
        self,
        *,
        root: pathlib.Path,
        source: environment.Source,
        tokens: kubelet_tokens.Tokens,
        mounts: bool,
        chance: chances.Chance,
    ) -> None:
        self._root, self._source, self._tokens, self._mounts, self._chance = root, source, tokens, mounts, chance

    def pod_folder(self, uid: str) -> pathlib.Path:
        return self._root / "pods" / uid

    async def set_up(self, pod: core_v1.Pod, facts: downward.Facts) -> dict[str, str]:
        """Volume name -> path to mount. Raises VolumeError, in the words of the FailedMount event."""
        paths = {}
        for volume in pod.spec.volumes:
            try:
                paths[volume.name] = await self._one(pod, volume, facts)
            except (places.VolumeError, StatusError, ConnectionError, OSError, TimeoutError) as error:
                text = f'MountVolume.SetUp failed for volume "{volume.name}" : {error}'
                raise places.VolumeError(text) from None
        return paths

    async def _one(self, pod: core_v1.Pod, volume: core_v1.Volume, facts: downward.Facts) -> str:
        plugin = plugin_of(volume)
        folder = self.pod_folder(pod.metadata.uid) / "volumes" / f"kubernetes.io~{plugin}" / volume.name
        place = places.Place(
            pod=pod,
            folder=folder,
            source=self._source,
            tokens=self._tokens,
            facts=facts,
            mounts=self._mounts,
            stamp=self._chance.suffix(10),
        )
        in_memory = False
        if volume.hostPath is not None:
            return await asyncio.to_thread(host_path.set_up, volume.hostPath)
        if volume.emptyDir is not None:
            await asyncio.to_thread(_empty, place, volume.emptyDir)
            return str(folder)
        if (given := volume.configMap) is not None:
            payload: Mapping[str, atomic.File] = await config_map.payload(
                place, name=given.name, items=given.items, optional=given.optional, mode=given.defaultMode
            )
        elif (hidden := volume.secret) is not None:
            payload = await secret.payload(
                place, name=hidden.secretName, items=hidden.items, optional=hidden.optional, mode=hidden.defaultMode
            )
            in_memory = True
        elif volume.downwardAPI is not None:
            payload = downward_api.payload(place, volume.downwardAPI.items, mode=volume.downwardAPI.defaultMode)
        elif volume.projected is not None:
            payload = await projected.payload(place, volume.projected)
            in_memory = True
        else:
            raise places.VolumeError("no volume plugin matched")
        await asyncio.to_thread(_fill, place, payload, in_memory)
        return str(folder)

    async def take_down(self, uid: str) -> None:
        """Unmount and delete everything of the pod."""
        await asyncio.to_thread(_remove, self.pod_folder(uid), self._mounts)

    def known(self) -> list[str]:
        """The uids of pods that have left something here."""
        folder = self._root / "pods"
        return [entry.name for entry in folder.iterdir()] if folder.is_dir() else []


def plugin_of(volume: core_v1.Volume) -> str:
    """As upstream names the folder: `empty-dir`, `configmap`, `secret`, `downward-api`, `projected`."""
    names = {"emptyDir": "empty-dir", "configMap": "configmap", "secret": "secret", "downwardAPI": "downward-api"}
    return next((name for field, name in names.items() if getattr(volume, field) is not None), "projected")


def _empty(place: places.Place, source: core_v1.EmptyDirVolumeSource) -> None:
    empty_dir.set_up(place, source)
    if place.group is not None:
        _own(place.folder, place.group)


def _own(folder: pathlib.Path, group: int) -> None:
    """Give everything to the fsGroup: readable and writable for it, new files inherit it."""
    for path, folders, files in os.walk(folder):
        os.chown(path, -1, group)
        os.chmod(path, os.stat(path).st_mode & 0o7777 | 0o2770)
        for name in files:
            full = os.path.join(path, name)
            if not os.path.islink(full):
                os.chown(full, -1, group)
                os.chmod(full, os.stat(full).st_mode & 0o7777 | 0o660)
        folders[:] = [name for name in folders if not os.path.islink(os.path.join(path, name))]


def _fill(place: places.Place, payload: Mapping[str, atomic.File], in_memory: bool) -> None:
    place.folder.mkdir(parents=True, exist_ok=True)
    if in_memory and place.mounts and not mounting.mounted_under(place.folder):
        mounting.mount_tmpfs(place.folder)
        place.folder.chmod(0o1777)
    try:
        atomic.write(place.folder, payload, stamp=place.stamp, group=place.group)
    except ValueError as error:
        raise places.VolumeError(str(error)) from None


def _remove(folder: pathlib.Path, mounts: bool) -> None:
    if mounts:
        for point in mounting.mounted_under(folder):
            mounting.unmount(point)
    shutil.rmtree(folder, ignore_errors=True)
