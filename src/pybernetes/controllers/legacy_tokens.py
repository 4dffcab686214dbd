"""Marks, and later deletes, token Secrets that clusters made by themselves and that nobody uses any more.

The API server notes on each Secret of a token when it was last used, and in a ConfigMap since when it does so. Looked
at once a day, as upstream does.
"""

from __future__ import annotations

import datetime
import enum
import logging
from collections.abc import Iterator

from pybernetes.api import errors, times
from pybernetes.api.types import core_v1
from pybernetes.controllers import serviceaccount_tokens
from pybernetes.controllers.context import Context, synced

log = logging.getLogger(__name__)

NAME = "legacy-serviceaccount-token-cleaner-controller"
TRACKING = "kube-apiserver-legacy-service-account-token-tracking"
LAST_USED = "kubernetes.io/legacy-token-last-used"
INVALID_SINCE = "kubernetes.io/legacy-token-invalid-since"
PERIOD = 86400.0


class Verdict(enum.Enum):
    """What to do with a Secret."""

    KEEP = enum.auto()
    INVALIDATE = enum.auto()
    DELETE = enum.auto()


def judge(secret: core_v1.Secret, now: float, unused: float) -> Verdict:
    """By its age and labels alone; `unused` is how long a token must not have been used, in seconds."""
    meta = secret.metadata
    if meta.deletionTimestamp is not None or not meta.creationTimestamp:
        return Verdict.KEEP
    if times.parse(meta.creationTimestamp) >= now - unused:
        return Verdict.KEEP
    earliest = _date(now - unused)
    last_used = meta.labels.get(LAST_USED)
    if last_used is not None and (not _is_date(last_used) or last_used >= earliest):
        return Verdict.KEEP
    invalid_since = meta.labels.get(INVALID_SINCE, "")
    if not _is_date(invalid_since):
        return Verdict.INVALIDATE
    return Verdict.KEEP if invalid_since >= earliest else Verdict.DELETE


def mounted(pod: core_v1.Pod) -> Iterator[str]:
    """The names of the Secrets that a pod uses."""
    spec = pod.spec
    yield from (reference.name for reference in spec.imagePullSecrets)
    containers: tuple[core_v1.Container | core_v1.EphemeralContainer, ...]
    containers = (*spec.initContainers, *spec.containers, *spec.ephemeralContainers)
    for container in containers:
        yield from (source.secretRef.name for source in container.envFrom if source.secretRef is not None)
        for variable in container.env:
            if variable.valueFrom is not None and variable.valueFrom.secretKeyRef is not None:
                yield variable.valueFrom.secretKeyRef.name
    for volume in spec.volumes:
        if volume.secret is not None:
            yield volume.secret.secretName
        if volume.projected is not None:
            yield from (part.secret.name for part in volume.projected.sources if part.secret is not None)


def _is_date(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _date(seconds: float) -> str:
    return times.to_time(seconds).partition("T")[0]


class LegacyTokens:
    """The controller."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._accounts = context.informers.of(core_v1.ServiceAccount)
        self._secrets = context.informers.of(core_v1.Secret, fields=f"type={serviceaccount_tokens.TYPE}")
        self._pods = context.informers.of(core_v1.Pod)

    async def run(self) -> None:
        await synced(self._accounts, self._secrets, self._pods)
        while True:
            try:
                await self.clean()
            except (errors.StatusError, ConnectionError, TimeoutError) as error:
                log.info("%s: %s", NAME, error)
            await self._context.clock.sleep(PERIOD)

    async def clean(self) -> None:
        """One round."""
        now, unused = self._context.clock.time(), self._context.settings.legacy_token_unused
        since = await self._tracked_since()
        if since is None or now < since + unused:
            return
        used: dict[str, set[str]] = {}
        for secret in self._secrets.cache.list():
            verdict = judge(secret, now, unused)
            if verdict is Verdict.KEEP or not self._is_generated(secret):
                continue
            namespace = secret.metadata.namespace
            if namespace not in used:
                used[namespace] = {name for pod in self._pods.cache.list(namespace) for name in mounted(pod)}
            if secret.metadata.name not in used[namespace]:
                await self._act(secret, verdict, now)

    async def _tracked_since(self) -> float | None:
        """The end of the day on which the API server began to note uses."""
        try:
            found = await self._client.get(core_v1.ConfigMap, TRACKING, "kube-system")
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise
            return None
        since = found.data.get("since", "")
        return times.parse(f"{since}T00:00:00Z") + PERIOD if _is_date(since) else None

    def _is_generated(self, secret: core_v1.Secret) -> bool:
        """Whether its account refers to it, as it does to those that were made by themselves."""
        annotations = secret.metadata.annotations
        name = annotations.get(serviceaccount_tokens.ACCOUNT_NAME, "")
        account = self._accounts.cache.get(name, secret.metadata.namespace)
        uid = annotations.get(serviceaccount_tokens.ACCOUNT_UID, "")
        if account is None or uid not in ("", account.metadata.uid):
            return False
        return any(reference.name == secret.metadata.name for reference in account.secrets)

    async def _act(self, secret: core_v1.Secret, verdict: Verdict, now: float) -> None:
        meta = secret.metadata
        try:
            if verdict is Verdict.INVALIDATE:
                patch = {"metadata": {"uid": meta.uid, "labels": {INVALID_SINCE: _date(now)}}}
                await self._client.patch(core_v1.Secret, meta.name, meta.namespace, patch)
            else:
                await self._client.delete(core_v1.Secret, meta.name, meta.namespace, revision=meta.resourceVersion)
        except errors.StatusError as error:
            if error.reason not in ("NotFound", "Conflict"):
                log.warning("%s: %s/%s: %s", NAME, meta.namespace, meta.name, error)
