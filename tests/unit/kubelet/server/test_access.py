from __future__ import annotations

import pytest

from pybernetes.api.types import authorization_v1
from pybernetes.kits.clock import VirtualClock
from pybernetes.kubelet.server import access
from tests.fakes import api

CERTIFICATE = {"subject": ((("organizationName", "people"),), (("commonName", "joe"),))}


async def test_nobody_without_credentials() -> None:
    gate = access.Access(api.FakeApi().client(), "n1", clock=VirtualClock())
    with pytest.raises(access.Refused) as refused:
        await gate.check(method="GET", path="/pods", certificate=None, authorization="")
    assert (refused.value.code, str(refused.value)) == (401, "Unauthorized")


async def test_an_access_review_decides_once() -> None:
    fake = api.FakeApi()
    gate = access.Access(fake.client(), "n1", clock=VirtualClock())
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
    gate = access.Access(api.FakeApi().client(), "n1", clock=VirtualClock())
    subject = {"subject": ((("organizationName", "system:masters"),), (("commonName", "root"),))}
    user = await gate.check(method="GET", path="/pods", certificate=subject, authorization="")
    assert user.name == "root"


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
