"""The documents by which others check service-account tokens."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec

from pybernetes.apiserver.authn import jwt, keysets, settings, signing
from tests.fakes import apiserver as fakes


async def test_anybody_can_check_a_token() -> None:
    async with fakes.FakeServer() as server:
        await server.account()
        made = await server.ask("POST", "/api/v1/namespaces/default/serviceaccounts/default/token", {"spec": {}})
        token = jwt.parse(made.tree()["status"]["token"])
        configuration = await server.ask("GET", "/.well-known/openid-configuration")
        assert configuration.tree() == {
            "issuer": token.issuer,
            "jwks_uri": "https://127.0.0.1:6443/openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        keys = await server.ask("GET", "/openid/v1/jwks")
        assert keys.headers["content-type"] == "application/jwk-set+json"
        assert keys.headers["cache-control"] == "public, max-age=3600"
        (key,) = keysets.read(keys.tree())
        assert (key.key_id, key.algorithm) == (token.key_id, "RS256")
        assert signing.verifies(key.key, token.signature, token.signed)
        # For service accounts and whoever is let; not for everybody.
        assert (await server.ask("GET", "/openid/v1/jwks", token="alice")).code == 403
        assert "/openid/v1/jwks" in (await server.ask("GET", "/")).tree()["paths"]


async def test_where_the_keys_are() -> None:
    who = settings.Authentication(keys_at="https://elsewhere/keys")
    async with fakes.FakeServer(authentication=who) as server:
        found = (await server.ask("GET", "/.well-known/openid-configuration")).tree()
        assert found["jwks_uri"] == "https://elsewhere/keys"
    async with fakes.FakeServer(issuers=("plain",)) as server:
        assert (await server.ask("GET", "/.well-known/openid-configuration")).code == 404


def test_sets_of_others() -> None:
    elliptic = ec.generate_private_key(ec.SECP384R1()).public_key()
    (shown,) = keysets.document([elliptic])["keys"]
    odd = [{"kty": "oct", "k": "AA"}, {"kty": "RSA", "n": "!", "e": "AQAB"}, {**shown, "crv": "P-1"}, 7, {}]
    (found,) = keysets.read({"keys": [*odd, {**shown, "use": "enc"}, shown]})
    assert found.key == elliptic
    assert found.algorithm == "ES384"
