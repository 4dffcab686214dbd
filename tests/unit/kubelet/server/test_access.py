from __future__ import annotations

import dataclasses
import pathlib

import pytest

from pybernetes.api.types import authorization_v1
from pybernetes.kits.clock import VirtualClock
from pybernetes.kubelet import settings
from pybernetes.kubelet.server import access
from tests.fakes import api

SETTINGS = settings.Settings(node_name="n1", root=pathlib.Path("/nowhere"))
CERTIFICATE = {"subject": ((("organizationName", "people"),), (("commonName", "joe"),))}


async def test_nobody_without_credentials() -> None:
    gate = access.Access(api.FakeApi().client(), SETTINGS, clock=VirtualClock())
    with pytest.raises(access.Refused) as refused:
        await gate.check(method="GET", path="/pods", certificate=None, authorization="")
    assert (refused.value.code, str(refused.value)) == (401, "Unauthorized")


async def test_an_access_review_decides_once() -> None:
    fake = api.FakeApi()
    gate = access.Access(fake.client(), SETTINGS, clock=VirtualClock())
    for _ in range(2):
        with pytest.raises(access.Refused) as refused:
            await gate.check(method="POST", path="/exec/a/b/c", certificate=CERTIFICATE, authorization="")
        assert str(refused.value) == "Forbidden (user=joe, verb=create, resource=nodes, subresource(s)=[proxy])\n"
    [call] = fake.calls
    review = call.body
    assert isinstance(review, authorization_v1.SubjectAccessReview)
    assert review.spec.groups == ["people", "system:authenticated"]
    assert review.spec.resourceAttributes is not None
    assert review.spec.resourceAttributes.name == "n1"


async def test_masters_pass() -> None:
    gate = access.Access(api.FakeApi().client(), SETTINGS, clock=VirtualClock())
    subject = {"subject": ((("organizationName", "system:masters"),), (("commonName", "root"),))}
    user = await gate.check(method="GET", path="/pods", certificate=subject, authorization="")
    assert user.name == "root"


async def test_somebody_unknown_is_asked_about_where_he_may_come_in() -> None:
    fake = api.FakeApi()
    gate = access.Access(fake.client(), dataclasses.replace(SETTINGS, anonymous=True), clock=VirtualClock())
    with pytest.raises(access.Refused, match="user=system:anonymous, verb=get"):
        await gate.check(method="GET", path="/pods", certificate=None, authorization="")
    review = fake.calls[0].body
    assert isinstance(review, authorization_v1.SubjectAccessReview)
    assert review.spec.groups == ["system:unauthenticated"]


async def test_a_token_that_is_none_does_not_make_anonymous() -> None:
    gate = access.Access(api.FakeApi().client(), dataclasses.replace(SETTINGS, anonymous=True), clock=VirtualClock())
    with pytest.raises(access.Refused, match="Unauthorized"):
        await gate.check(method="GET", path="/pods", certificate=None, authorization="Bearer wrong")


async def test_nobody_asks_where_everything_is_allowed() -> None:
    fake = api.FakeApi()
    open_ = dataclasses.replace(SETTINGS, anonymous=True, tokens=False, authorizes=False)
    gate = access.Access(fake.client(), open_, clock=VirtualClock())
    for authorization in ("", "Bearer wrong"):
        user = await gate.check(method="POST", path="/exec/a/b/c", certificate=None, authorization=authorization)
        assert user.name == "system:anonymous"
    assert fake.calls == []


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/stats/summary", ["stats"]),
        ("/metrics", ["metrics"]),
        ("/pods", ["pods", "proxy"]),
        ("/exec/a/b/c", ["proxy"]),
    ],
)
def test_subresources(path: str, names: list[str]) -> None:
    assert access.subresources(path) == names
