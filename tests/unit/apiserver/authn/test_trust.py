"""What others are told of whom to believe."""

from __future__ import annotations

import json

from pybernetes.api.types import core_v1
from pybernetes.apiserver.authn import frontproxy, settings, trust
from tests.fakes import apiserver as fakes
from tests.fakes import webhooks

OTHER = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def ca() -> bytes:
    return webhooks.authority().ca.read_bytes()


def test_nothing_is_taken_away() -> None:
    ours = trust.data(ca(), frontproxy.Settings(ca=ca(), allowed_names=("b",)))
    known = {trust.CLIENT_CA: OTHER, "requestheader-allowed-names": '["a"]', "more": "x"}
    both = trust.combined(known, ours)
    assert both["more"] == "x"
    assert json.loads(both["requestheader-allowed-names"]) == ["a", "b"]
    assert both[trust.CLIENT_CA].startswith(OTHER)
    assert both[trust.CLIENT_CA].count("BEGIN") == 2
    assert trust.combined(both, ours) == both
    assert "requestheader-uid-headers" not in both


async def test_a_server_says_what_it_goes_by() -> None:
    who = settings.Authentication(client_ca=ca(), proxy=frontproxy.Settings(ca=ca(), allowed_names=("front",)))
    async with fakes.FakeServer(authentication=who) as server:
        found = await server.client.get(core_v1.ConfigMap, trust.NAME, trust.NAMESPACE)
        assert found.data[trust.CLIENT_CA] == ca().decode()
        assert json.loads(found.data["requestheader-username-headers"]) == ["X-Remote-User"]
    async with fakes.FakeServer(store=server.store, authentication=settings.Authentication()) as again:
        assert (await again.client.get(core_v1.ConfigMap, trust.NAME, trust.NAMESPACE)).data == found.data
