"""What is particular about a store that others write to, too; what all stores do is in `tests/contract/store`."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import pathlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import SystemClock
from pybernetes.store import Conflict, Unavailable
from pybernetes.store.etcd import client as clients
from pybernetes.store.etcd import names as names_
from pybernetes.store.etcd import options as options_
from pybernetes.store.etcd import versions
from pybernetes.store.etcd.v3 import etcd_pb2 as pb
from tests.fakes import etcd as fakes

PREFIX = "/registry/r/"


@pytest.fixture
async def raw(etcd: fakes.Etcd):
    """A client that writes what is no business of the store."""
    client = clients.Client(options_.Options(servers=(etcd.url,)), clock=SystemClock(), chance=Chance(1))
    yield client
    await client.close()


async def test_the_current_revision_covers_what_others_have_written(etcd: fakes.Etcd, connect) -> None:
    one, other = await connect(etcd.url), await connect(etcd.url)
    seen: list[int] = []
    await other.watch(PREFIX, after=other.revision, sink=lambda batch: seen.extend(c.revision for c in batch))
    for number in range(50):
        written = await one.put(f"{PREFIX}{number}", b"1", expected=0)
        assert await other.current() >= written
        assert seen[-1] == written


async def test_those_who_ask_at_once_share_an_answer(etcd: fakes.Etcd, connect, monkeypatch) -> None:
    store = await connect(etcd.url)
    asked: list[object] = []
    call = store._client.call

    async def counted(method, request, **more):
        asked.append(method)
        return await call(method, request, **more)

    monkeypatch.setattr(store._client, "call", counted)
    answers = await asyncio.gather(*(store.current() for _ in range(100)))
    assert len(set(answers)) == 1
    assert asked == [clients.RANGE]


async def test_writes_elsewhere_do_not_keep_readers_waiting(etcd: fakes.Etcd, connect, raw: clients.Client) -> None:
    store = await connect(etcd.url)
    written = await raw.call(clients.PUT, pb.PutRequest(key=b"/elsewhere", value=b"1"))
    async with asyncio.timeout(5):
        assert await store.current() >= written.header.revision
    assert store.revision >= written.header.revision


async def test_a_conflict_has_passed_the_sinks_when_it_is_raised(etcd: fakes.Etcd, connect) -> None:
    one, other = await connect(etcd.url), await connect(etcd.url)
    first = await one.put(f"{PREFIX}a", b"1", expected=0)
    second = await other.put(f"{PREFIX}a", b"2", expected=first)
    with pytest.raises(Conflict) as caught:
        await one.put(f"{PREFIX}a", b"3", expected=first)
    assert caught.value.current == (f"{PREFIX}a", b"2", first, second)
    assert one.revision >= second
    third = await other.delete(f"{PREFIX}a", expected=second)
    with pytest.raises(Conflict) as caught:
        await one.delete(f"{PREFIX}a", expected=second)
    assert caught.value.current is None
    assert one.revision >= third


async def test_a_revision_that_nobody_has_written_is_waited_for(etcd: fakes.Etcd, connect) -> None:
    store = await connect(etcd.url)
    waiting = asyncio.ensure_future(store.reach(store.revision + 1))
    await store.current()
    assert not waiting.done()
    await store.put(f"{PREFIX}a", b"1", expected=0)
    await waiting


async def test_sinks_are_handed_the_writers_own_bytes(etcd: fakes.Etcd, connect) -> None:
    store = await connect(etcd.url)
    seen: list[bytes | None] = []
    await store.watch(PREFIX, after=store.revision, sink=lambda batch: seen.extend(c.value for c in batch))
    value = bytes(1000)
    await store.put(f"{PREFIX}a", value, expected=0)
    assert seen[0] is value


async def test_history_from_before_the_store_was_opened(etcd: fakes.Etcd, connect) -> None:
    one = await connect(etcd.url)
    start = one.revision
    first = await one.put(f"{PREFIX}a", b"1", expected=0)
    second = await one.delete(f"{PREFIX}a", expected=first)
    other = await connect(etcd.url)
    seen: list[tuple[int, int]] = []
    sink = lambda batch: seen.extend((c.revision, c.created) for c in batch)  # noqa: E731
    await other.watch(PREFIX, after=start, sink=sink)
    assert seen == [(first, first), (second, first)]


async def test_big_values_and_long_lists_arrive_whole(etcd: fakes.Etcd, connect) -> None:
    store = await connect(etcd.url)
    seen: list[bytes | None] = []
    await store.watch(PREFIX, after=store.revision, sink=lambda batch: seen.extend(c.value for c in batch))
    big = bytes(1_000_000)
    await asyncio.gather(*(store.put(f"{PREFIX}big-{n}", big, expected=0) for n in range(4)))
    await asyncio.gather(*(store.put(f"{PREFIX}n-{n:04}", b"1", expected=0) for n in range(600)))
    assert len(seen) == 604
    page = await store.range(PREFIX)
    assert len(page.entries) == 604
    assert page.entries == sorted(page.entries)
    page = await store.range(PREFIX, limit=550)
    assert (len(page.entries), page.remaining) == (550, 54)
    with pytest.raises(Unavailable, match="request is too large"):
        await store.put(f"{PREFIX}huge", bytes(2_000_000), expected=0)


async def test_one_of_several_compacts(etcd: fakes.Etcd, connect, raw: clients.Client) -> None:
    one, other = await connect(etcd.url), await connect(etcd.url)

    async def compacted() -> int:
        page = await raw.call(clients.RANGE, pb.RangeRequest(key=b"compact_rev_key"))
        return int(page.kvs[0].value)

    first = await one.put(f"{PREFIX}a", b"1", expected=0)
    await one.compact(first)
    assert await compacted() == first
    second = await one.put(f"{PREFIX}a", b"2", expected=first)
    await other.current()
    await other.compact(second)
    assert await compacted() == first
    await other.compact(second)
    assert await compacted() == second
    await other.compact(first)
    await one.compact(second)


def test_names() -> None:
    usual, other = names_.Names("/registry"), names_.Names("other/")
    assert usual.to_etcd("/registry/pods/default/web") == b"/registry/pods/default/web"
    assert other.to_etcd("/registry/pods/default/web") == b"/other/pods/default/web"
    assert other.from_etcd(b"/other/pods/default/web") == "/registry/pods/default/web"
    assert (other.start, other.end) == (b"/other/", b"/other0")


@pytest.mark.parametrize(
    ("version", "trusted"),
    [
        ("3.4.30", False),
        ("3.4.31", True),
        ("3.5.1", False),
        ("3.5.13", True),
        ("3.6.0-rc.1", True),
        ("4.0.0", True),
        ("3.3.99", False),
        ("unknown", False),
    ],
)
def test_whose_progress_is_true(version: str, trusted: bool) -> None:
    assert versions.tells_progress(version) is trusted


async def test_tls_with_client_certificates(tmp_path: pathlib.Path, connect) -> None:
    files = _certificates(tmp_path)
    etcd = fakes.Etcd(
        tmp_path / "data",
        f"--cert-file={files['certfile']}",
        f"--key-file={files['keyfile']}",
        f"--trusted-ca-file={files['cafile']}",
        "--client-cert-auth",
        scheme="https",
    )
    etcd.start()
    try:
        store = await connect(etcd.url, **files)
        assert await store.put(f"{PREFIX}a", b"1", expected=0) == store.revision
        with pytest.raises(Unavailable):
            await connect(etcd.url, cafile=files["cafile"], deadline=0.3)
        with pytest.raises(Unavailable, match="No such file"):
            await connect(etcd.url, cafile="/nowhere")
    finally:
        etcd.kill()


def _certificates(directory: pathlib.Path) -> dict[str, str]:
    """One key and certificate that are authority, server and client at once."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "etcd")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (directory / "tls.crt").write_bytes(pem)
    (directory / "tls.key").write_bytes(private)
    file, key_file = str(directory / "tls.crt"), str(directory / "tls.key")
    return {"cafile": file, "certfile": file, "keyfile": key_file}
