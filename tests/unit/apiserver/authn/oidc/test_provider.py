"""Users of identity providers, from the keys to the request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pybernetes.apiserver.authn import settings
from pybernetes.apiserver.authn.oidc import keys
from pybernetes.apiserver.authn.oidc import settings as oidc
from pybernetes.kits import clock as clocks
from tests.fakes import apiserver as fakes
from tests.fakes import providers, webhooks

WHOAMI = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


def named(provider: providers.FakeProvider, **more: Any) -> oidc.Provider:
    return oidc.Provider(
        issuer=oidc.Issuer(
            url=provider.url, audiences=[providers.CLIENT], certificateAuthority=webhooks.authority().ca.read_text()
        ),
        claimMappings=oidc.Mappings(
            username=oidc.Prefixed(claim="sub", prefix="oidc:"), groups=oidc.Prefixed(claim="groups", prefix="")
        ),
        **more,
    )


class Told(logging.Handler):
    """Sets `event` whenever something is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.event = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.event.set()


@pytest.fixture
async def provider() -> AsyncIterator[providers.FakeProvider]:
    async with providers.FakeProvider() as running:
        yield running


@pytest.fixture
async def server(provider: providers.FakeProvider) -> AsyncIterator[fakes.FakeServer]:
    who = settings.Authentication(providers=(named(provider),))
    async with fakes.FakeServer(authentication=who) as running:
        await running.api.providers[0].keys.ready.wait()
        yield running


async def whoami(server: fakes.FakeServer, token: str) -> Any:
    answer = await server.ask("POST", WHOAMI, {}, token=token)
    return answer.tree()["status"]["userInfo"] if answer.code == 201 else answer.code


async def why(server: fakes.FakeServer, token: str) -> str:
    answer = await server.ask("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}})
    return str(answer.tree()["status"]["error"])


async def test_claims_say_who_it_is(server: fakes.FakeServer, provider: providers.FakeProvider) -> None:
    info = await whoami(server, provider.issue(groups=["dev", "ops"]))
    assert info == {"username": "oidc:jane", "groups": ["dev", "ops", "system:authenticated"]}
    # Others' tokens are as good as ever.
    await server.account()
    assert await whoami(server, "alice") == {"username": "alice", "groups": ["system:authenticated"]}


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"exp": 1_600_000_000}, "oidc: verify token: oidc: token is expired"),
        ({"exp": None}, "oidc: verify token: oidc: token is expired"),
        ({"exp": "soon"}, "the token's exp is not a number"),
        ({"nbf": 1_800_000_000}, "oidc: verify token: oidc: current time is before the nbf (not before) time"),
        ({"aud": "other"}, 'oidc: verify token: oidc: expected audience in ["pybernetes"] got ["other"]'),
        ({"sub": 7}, 'oidc: parse username claims "sub": json: cannot unmarshal number into Go value of type string'),
        ({"groups": {"a": 1}}, 'oidc: parse groups claim "groups": not a string or a list of strings'),
        ({"iss": "https://nobody"}, "invalid bearer token"),
    ],
)
async def test_what_is_not_good(
    server: fakes.FakeServer, provider: providers.FakeProvider, claims: dict[str, Any], error: str
) -> None:
    token = provider.issue(**claims)
    assert await whoami(server, token) == 401
    assert await why(server, token) == error


async def test_signatures_of_others(server: fakes.FakeServer, provider: providers.FakeProvider) -> None:
    provider.signing = providers.key(1)
    assert await whoami(server, provider.issue()) == 401
    claims = {"iss": provider.url, "aud": providers.CLIENT, "exp": 1_700_003_600, "sub": "jane"}
    for header in ({"alg": "none"}, {"alg": "HS256"}, {"alg": "PS256"}, {"alg": 5}):
        assert await whoami(server, providers.make(providers.key(), claims, **header)) == 401


async def test_new_keys_are_fetched(server: fakes.FakeServer, provider: providers.FakeProvider) -> None:
    provider.signing = providers.key(2)
    assert await whoami(server, provider.issue()) == 401
    fetched = provider.fetched
    provider.shown.append(providers.key(2).public_key())
    # Not more often than so, whatever is sent.
    assert await whoami(server, provider.issue()) == 401
    assert provider.fetched == fetched
    await server.clock.advance(10.0)
    assert (await whoami(server, provider.issue()))["username"] == "oidc:jane"


async def test_what_it_came_to_is_kept_for_a_moment(server: fakes.FakeServer, provider: providers.FakeProvider) -> None:
    token = provider.issue(exp=int(server.clock.time()) + 4)
    assert await whoami(server, token) != 401
    await server.clock.advance(4.0)
    assert await whoami(server, token) == 401


async def test_one_that_cannot_be_reached_is_tried_again(
    provider: providers.FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.broken, told = True, Told()
    monkeypatch.setattr(keys.log, "handlers", [told])
    async with fakes.FakeServer(authentication=settings.Authentication(providers=(named(provider),))) as server:
        await told.event.wait()
        assert await why(server, provider.issue()) == "oidc: authenticator not initialized"
        provider.broken = False
        await server.clock.advance(keys.FIRST_PAUSE * 2)
        await server.api.providers[0].keys.ready.wait()
        assert (await whoami(server, provider.issue()))["username"] == "oidc:jane"


async def test_one_that_does_not_answer_holds_nobody_for_ever(
    server: fakes.FakeServer, provider: providers.FakeProvider
) -> None:
    await server.clock.advance(10.0)
    provider.signing, provider.held = providers.key(3), asyncio.Event()
    provider.asked.clear()
    asking = asyncio.ensure_future(whoami(server, provider.issue()))
    await provider.asked.wait()
    await server.clock.advance(30.0)
    await clocks.settle()
    assert await asking == 401
