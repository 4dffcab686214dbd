"""ServiceAccount: every pod runs as an account that exists, and gets that account's token mounted."""

from __future__ import annotations

from pybernetes.api.types import core_v1
from pybernetes.apiserver.admission import plugin
from pybernetes.apiserver.storage import collection as collections
from pybernetes.kits import chance as chances

MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
VOLUME_PREFIX = "kube-api-access-"
# An hour and seven seconds: so that such tokens can be told from those asked for by hand.
TOKEN_SECONDS = 3607
MIRROR_ANNOTATION = "kubernetes.io/config.mirror"
ENFORCE_ANNOTATION = "kubernetes.io/enforce-mountable-secrets"


class ServiceAccount(plugin.Plugin):
    name = "ServiceAccount"
    operations = (plugin.CREATE,)
    resources = ("pods",)

    def __init__(self, accounts: collections.Collection, chance: chances.Chance) -> None:
        self._accounts = accounts
        # One name serves all pods: it has to be unique in its pod only, and pods that are equal stay so.
        self._volume = VOLUME_PREFIX + chance.suffix(5)

    async def admit(self, attributes: plugin.Attributes) -> None:
        pod: core_v1.Pod = attributes.obj
        if MIRROR_ANNOTATION in pod.metadata.annotations:
            return
        if not pod.spec.serviceAccountName:
            pod.spec.serviceAccountName = "default"
        pod.spec.serviceAccount = pod.spec.serviceAccountName
        account = self._account(attributes)
        if _mounts_token(account, pod):
            self._mount_token(pod)
        if not pod.spec.imagePullSecrets:
            pod.spec.imagePullSecrets = [
                core_v1.LocalObjectReference(name=secret.name) for secret in account.imagePullSecrets
            ]

    async def validate(self, attributes: plugin.Attributes) -> None:
        pod: core_v1.Pod = attributes.obj
        if MIRROR_ANNOTATION in pod.metadata.annotations:
            if pod.spec.serviceAccountName:
                raise attributes.forbidden("a mirror pod may not reference service accounts")
            return
        account = self._account(attributes)
        if account.metadata.annotations.get(ENFORCE_ANNOTATION) != "true":
            return
        allowed = {secret.name for secret in account.secrets}
        for volume in pod.spec.volumes:
            if volume.secret is not None and volume.secret.secretName not in allowed:
                raise attributes.forbidden(
                    f'volume with secret.secretName="{volume.secret.secretName}" is not allowed because service '
                    f"account {account.metadata.name} does not reference that secret",
                )

    def _account(self, attributes: plugin.Attributes) -> core_v1.ServiceAccount:
        name = attributes.obj.spec.serviceAccountName
        item = self._accounts.get(attributes.namespace, name)
        if item is None:
            raise attributes.forbidden(
                f'error looking up service account {attributes.namespace}/{name}: serviceaccount "{name}" not found',
            )
        account: core_v1.ServiceAccount = item.decoded(core_v1.ServiceAccount)
        return account

    def _mount_token(self, pod: core_v1.Pod) -> None:
        containers = [*pod.spec.initContainers, *pod.spec.containers]
        lacking = [c for c in containers if all(mount.mountPath != MOUNT_PATH for mount in c.volumeMounts)]
        if not lacking:
            return
        volume = next((v.name for v in pod.spec.volumes if v.name.startswith(VOLUME_PREFIX)), "")
        if not volume:
            volume = self._volume
            pod.spec.volumes.append(core_v1.Volume(name=volume, projected=_projection()))
        for container in lacking:
            container.volumeMounts.append(core_v1.VolumeMount(name=volume, mountPath=MOUNT_PATH, readOnly=True))


def _projection() -> core_v1.ProjectedVolumeSource:
    return core_v1.ProjectedVolumeSource(
        defaultMode=0o644,
        sources=[
            core_v1.VolumeProjection(
                serviceAccountToken=core_v1.ServiceAccountTokenProjection(path="token", expirationSeconds=TOKEN_SECONDS)
            ),
            core_v1.VolumeProjection(
                configMap=core_v1.ConfigMapProjection(
                    name="kube-root-ca.crt", items=[core_v1.KeyToPath(key="ca.crt", path="ca.crt")]
                )
            ),
            core_v1.VolumeProjection(
                downwardAPI=core_v1.DownwardAPIProjection(
                    items=[
                        core_v1.DownwardAPIVolumeFile(
                            path="namespace",
                            fieldRef=core_v1.ObjectFieldSelector(apiVersion="v1", fieldPath="metadata.namespace"),
                        )
                    ]
                )
            ),
        ],
    )


def _mounts_token(account: core_v1.ServiceAccount, pod: core_v1.Pod) -> bool:
    if pod.spec.automountServiceAccountToken is not None:
        return pod.spec.automountServiceAccountToken
    return account.automountServiceAccountToken is not False
