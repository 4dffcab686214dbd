from __future__ import annotations

import asyncio
import json
import pathlib
from typing import Any

import pytest

from pybernetes.api import errors
from pybernetes.apiserver.admission import image_policy
from pybernetes.kits.clock import settle
from tests.fakes import apiserver as fakes
from tests.fakes import kubeconfigs
from tests.fakes import webhooks as hooks_


def serving(folder: pathlib.Path, server: str, **more: Any) -> fakes.FakeServer:
    given = {"imagePolicy": {"kubeConfigFile": str(kubeconfigs.write(folder, server)), **more}}
    return fakes.FakeServer(
        admission_on=frozenset({"ImagePolicyWebhook"}), admission_configuration={"ImagePolicyWebhook": given}
    )


def answering(hooks: hooks_.FakeWebhooks, **status: Any) -> None:
    hooks.raw["/images"] = (200, json.dumps({"kind": "ImageReview", "status": status}).encode())


async def test_it_says_what_may_run(tmp_path: pathlib.Path) -> None:
    async with hooks_.FakeWebhooks() as hooks, serving(tmp_path, f"https://127.0.0.1:{hooks.port}/images") as server:
        await server.account()
        answering(hooks, allowed=True)
        await server.client.create(fakes.pod("a"))
        # The answer holds for a while.
        answering(hooks, allowed=False, reason="too old")
        await server.client.create(fakes.pod("b"))
        await server.clock.advance(301.0)
        with pytest.raises(errors.StatusError) as caught:
            await server.client.create(fakes.pod("c"))
        why = "image policy webhook backend denied one or more images: too old"
        assert str(caught.value) == f'pods "c" is forbidden: {why}'
        (_, first), _ = hooks.asked
        assert first["spec"] == {"containers": [{"image": "busybox"}], "namespace": "default"}


@pytest.mark.parametrize("allows", [False, True])
async def test_no_answer(tmp_path: pathlib.Path, allows: bool) -> None:
    async with serving(tmp_path, "https://127.0.0.1:1", defaultAllow=allows) as server:
        await server.account()
        creating = asyncio.ensure_future(server.client.create(fakes.pod("a")))
        while not creating.done():
            await settle()
            await server.clock.advance(0.5)
        if allows:
            assert creating.result().metadata.annotations == {"alpha.image-policy.k8s.io/failed-open": "true"}
        else:
            assert isinstance(creating.exception(), errors.StatusError)


def test_durations() -> None:
    assert image_policy.duration("allow cache", 0, 1.0, 300.0) == 300.0
    assert image_policy.duration("allow cache", -1, 1.0, 300.0) == 0.0
    assert image_policy.duration("backoff", 20, 1e-3, 0.5) == 0.02
    with pytest.raises(ValueError, match="valid value is between"):
        image_policy.duration("deny cache", 1801, 1.0, 30.0)
