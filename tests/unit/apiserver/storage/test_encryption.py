"""Encryption at rest: what is sealed, with which key, and how keys are changed."""

from __future__ import annotations

import base64
import pathlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes import store as stores
from pybernetes.api import codecs
from pybernetes.api.types import core_v1
from pybernetes.apiserver.storage import encryption
from pybernetes.apiserver.storage.encryption import configuration, providers
from pybernetes.kits.chance import Chance
from tests.fakes import apiserver as fakes

SECRETS = "/api/v1/namespaces/default/secrets"
SIXTEEN, THIRTY_TWO = (base64.b64encode(b"k" * size).decode() for size in (16, 32))


def config(*provider: dict[str, Any], resources: tuple[str, ...] = ("secrets",)) -> encryption.Configuration:
    tree = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [{"resources": list(resources), "providers": list(provider)}],
    }
    return configuration.parse(codecs.encode(tree))


def keys(kind: str, *names: str, secret: str = THIRTY_TWO) -> dict[str, Any]:
    return {kind: {"keys": [{"name": name, "secret": secret} for name in names]}}


IDENTITY: dict[str, Any] = {"identity": {}}
KINDS = ("aesgcm", "aescbc", "secretbox")


def made(*provider: dict[str, Any]) -> providers.Providers:
    found = config(*provider).providers_of("", "secrets", Chance())
    assert found is not None
    return found


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.binary(max_size=300), key=st.text(max_size=50))
def test_what_is_sealed_can_be_opened(kind: str, data: bytes, key: str) -> None:
    found = made(keys(kind, "a"))
    sealed = found.seal(data, key)
    assert sealed.startswith(b"k8s:enc:%b:v1:a:" % kind.encode())
    assert found.open(sealed, key) == (data, False)


@pytest.mark.parametrize("kind", KINDS)
@given(cut=st.integers(0, 60), flip=st.integers(0, 255))
def test_what_was_changed_is_not_believed(kind: str, cut: int, flip: int) -> None:
    found = made(keys(kind, "a"))
    sealed = found.seal(b"secret" * 5, "/a")
    start = len(sealed) - len(sealed.removeprefix(b"k8s:enc:%b:v1:a:" % kind.encode()))
    for broken in (sealed[: start + cut], sealed[:-1] + bytes([sealed[-1] ^ (flip or 1)])):
        if broken == sealed:
            continue
        try:
            data, _ = found.open(broken, "/a")
        except providers.Unreadable:
            continue
        # Chained blocks prove nothing.
        assert kind == "aescbc"
        assert data != b"secret" * 5


def test_a_value_belongs_to_its_place() -> None:
    found = made(keys("aesgcm", "a"))
    with pytest.raises(providers.Unreadable, match="authentication failed"):
        found.open(found.seal(b"x", "/registry/secrets/a/b"), "/registry/secrets/a/c")


def test_the_first_seals_and_all_open() -> None:
    old, new = made(keys("aescbc", "old")), made(keys("aesgcm", "new"), keys("aescbc", "old"), IDENTITY)
    assert new.open(old.seal(b"x", "k"), "k") == (b"x", True)
    assert new.open(b"plain", "k") == (b"plain", True)
    assert new.open(new.seal(b"x", "k"), "k") == (b"x", False)
    with pytest.raises(providers.Unreadable, match="no matching prefix found"):
        old.open(b"plain", "k")
    with pytest.raises(providers.Unreadable, match="identity transformer tried to read encrypted data"):
        made(IDENTITY).open(old.seal(b"x", "k"), "k")


@pytest.mark.parametrize(
    ("listed", "group", "resource", "sealed"),
    [
        ("secrets", "", "secrets", True),
        ("secrets", "", "configmaps", False),
        ("secrets", "apps", "secrets", False),
        ("*.", "", "configmaps", True),
        ("*.apps", "apps", "deployments", True),
        ("*.apps", "", "pods", False),
        ("*.*", "example.com", "crontabs", True),
        ("crontabs.example.com", "example.com", "crontabs", True),
    ],
)
def test_which_resources(listed: str, group: str, resource: str, sealed: bool) -> None:
    found = config(keys("aesgcm", "a"), resources=(listed,))
    assert (found.providers_of(group, resource, Chance()) is not None) == sealed


@pytest.mark.parametrize(
    ("resources", "given_", "words"),
    [
        ([], [IDENTITY], "resources[0].resources: Required value: at least one resources[0].resources is required"),
        (["secrets"], [], "resources[0].providers: Required value"),
        (["secrets", "secrets"], [IDENTITY], "the same resource cannot be specified multiple times"),
        (["secrets", "*."], [IDENTITY], "overlapping resources"),
        (["secrets", "*.*"], [IDENTITY], "overlapping resources"),
        (["*"], [IDENTITY], "use '*.' to encrypt all the resources from core API group"),
        (["Secrets"], [IDENTITY], "should not contain capital letters"),
        (["pods.*"], [IDENTITY], "encrypting the same resource across groups is not supported"),
        (["events.events.k8s.io"], [IDENTITY], "Use 'events' instead"),
        (["secrets"], [{}], "does not contain any of the expected providers"),
        (["secrets"], [IDENTITY | keys("aesgcm", "a")], "more than one provider specified"),
        (["secrets"], [{"kms": {"name": "k"}}], "key management services are not supported"),
        (["secrets"], [keys("aesgcm")], "at least one keys is required"),
        (["secrets"], [keys("aesgcm", "")], "name is a mandatory field for a key"),
        (["secrets"], [keys("aesgcm", "a", secret="")], "secret is a mandatory field for a key"),
        (["secrets"], [keys("aesgcm", "a", secret="!")], "secrets must be base64 encoded"),
        (["secrets"], [keys("aesgcm", "a", secret="YQ==")], "got 1, expected one of [16 24 32]"),
        (["secrets"], [keys("secretbox", "a", secret=SIXTEEN)], "got 16, expected one of [32]"),
    ],
)
def test_what_a_configuration_cannot_be(resources: list[str], given_: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(encryption.ConfigurationError) as refused:
        config(*given_, resources=tuple(resources))
    assert words in str(refused.value)
    assert "a2tra2" not in str(refused.value)


def test_files(tmp_path: pathlib.Path) -> None:
    with pytest.raises(encryption.ConfigurationError, match="error opening encryption provider"):
        configuration.read(tmp_path / "none")
    (tmp_path / "c").write_text("kind: Pod")
    with pytest.raises(encryption.ConfigurationError, match="got unexpected config type"):
        configuration.read(tmp_path / "c")
    (tmp_path / "d").write_text("kind: [")
    with pytest.raises(encryption.ConfigurationError, match="error decoding"):
        configuration.read(tmp_path / "d")


async def test_only_chosen_resources_are_sealed_and_keys_can_be_changed() -> None:
    store = fakes.FragileStore()

    async def raw(key: str) -> bytes:
        entry = await store.get(key)
        assert entry is not None
        return entry.value

    old = keys("secretbox", "old")
    async with fakes.FakeServer(store=store, encryption=config(old)) as server:
        secret = {"metadata": {"name": "s"}, "stringData": {"a": "hidden"}}
        watch = await server.watch(SECRETS + "?watch=1")
        assert (await server.ask("POST", SECRETS, secret)).code == 201
        assert (await watch.event())["object"]["data"] == {"a": "aGlkZGVu"}
        await server.client.create(fakes.config_map("c", a="open"))
        assert (await raw("/registry/secrets/default/s")).startswith(b"k8s:enc:secretbox:v1:old:")
        assert (await raw("/registry/configmaps/default/c")).startswith(b"{")
    new = config(keys("aesgcm", "new"), old)
    async with fakes.FakeServer(store=store, encryption=new) as server:
        found = await server.client.get(core_v1.Secret, "s", "default")
        assert found.data == {"a": "aGlkZGVu"}
        # Written as it is, as `kubectl get secrets -o json | kubectl replace -f -` does.
        before = found.metadata.resourceVersion
        found = await server.client.update(codecs.copy(found))
        assert (await raw("/registry/secrets/default/s")).startswith(b"k8s:enc:aesgcm:v1:new:")
        assert found.metadata.resourceVersion != before
        again = await server.client.update(codecs.copy(found))
        assert again.metadata.resourceVersion == found.metadata.resourceVersion
        listed = await server.client.list(core_v1.Secret, "default", revision=found.metadata.resourceVersion)
        assert [one.metadata.name for one in listed.items] == ["s"]
    lost = fakes.FakeServer(store=store, encryption=config(old, IDENTITY))
    with pytest.raises(stores.Unavailable, match='unable to transform key "/registry/secrets/default/s"'):
        await lost.api.start()
    await lost.api.close()
