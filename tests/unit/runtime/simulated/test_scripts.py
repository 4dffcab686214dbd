from __future__ import annotations

import pytest

from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import VirtualClock
from pybernetes.runtime import protocol
from pybernetes.runtime.simulated import Simulated, scripts


@pytest.mark.parametrize(
    ("words", "seconds", "code", "output"),
    [
        (["true"], 0.0, 0, b""),
        (["/bin/false"], 0.0, 1, b""),
        (["sleep", "2.5"], 2.5, 0, b""),
        (["echo", "a", "b"], 0.0, 0, b"a b\n"),
        (["sh", "-c", "echo hi; sleep 1; exit 3"], 1.0, 3, b"hi\n"),
        (["sh", "-c", "echo hi && nginx"], None, 0, b"hi\n"),
        (["nginx"], None, 0, b""),
        ([], None, 0, b""),
    ],
)
def test_known_commands_end(words: list[str], seconds: float | None, code: int, output: bytes) -> None:
    assert scripts.of(words) == scripts.Script(run=seconds, exit_codes=(code,), output=output)


def script(annotations: dict[str, str], container: str = "c", image: str = "", **kinds: str) -> scripts.Script:
    images = scripts.Images([("*/flaky:*", {"exit-code": "1,0", "start-seconds": "2"})])
    prefixed = {scripts.PREFIX + name: value for name, value in annotations.items()}
    return scripts.script_of([], image=image, annotations=prefixed, container=container, images=images)


def test_annotations_decide() -> None:
    given = {"run-seconds": "2", "exit-code.other": "3"}
    assert script(given) == scripts.Script(run=2.0)
    assert script(given, "other") == scripts.Script(run=2.0, exit_codes=(3,))
    assert script({"exit-code": "3"}) == scripts.Script(run=0.0, exit_codes=(3,))


def test_images_have_scripts_that_annotations_change() -> None:
    assert script({}, image="docker.io/flaky:1") == scripts.Script(start=2.0, run=0.0, exit_codes=(1, 0))
    assert script({"run-seconds": "7"}, image="docker.io/flaky:1").run == 7.0
    assert script({}, image="example.com/unpullable/x:1").unpullable
    assert not script({"unpullable": "false"}, image="example.com/unpullable/x:1").unpullable


@pytest.mark.parametrize(
    ("image", "run"),
    [
        ("registry:5000/e2e/busybox:1.37@sha256:ab", 0.0),
        ("alpine", 0.0),
        ("nginx:1", None),
        ("my/busybox-server", None),
    ],
)
def test_a_shell_with_nothing_to_do_ends(image: str, run: float | None) -> None:
    assert script({}, image=image).run == run


def test_each_run_ends_with_its_code() -> None:
    found = script({"exit-code": "1,2,0"})
    assert [found.exit_code(attempt) for attempt in range(5)] == [1, 2, 0, 0, 0]


def test_readiness_flips() -> None:
    found = script({"ready": "3,20,25"})
    assert [found.is_ready(at) for at in (0, 3, 19, 20, 25, 99)] == [False, True, True, False, True, True]
    assert [found.next_flip(at) for at in (0, 3, 25)] == [3, 20, None]
    assert scripts.FOREVER.is_ready(0)


def test_what_is_no_number_is_not_taken() -> None:
    assert script({"run-seconds": "soon", "exit-code": "x", "ready": ""}) == scripts.FOREVER


async def test_an_image_is_unpullable_however_yaml_writes_true() -> None:
    images = scripts.Images([("foo:*", {"unpullable": "True"})])
    runtime = Simulated(clock=VirtualClock(), chance=Chance(1), images=images)
    assert await runtime.image_status("foo:1") is None
    assert await runtime.image_status("bar:1") is not None


async def test_addresses_are_given_back() -> None:
    runtime = Simulated(clock=VirtualClock(), chance=Chance(1), pod_cidr="10.0.0.0/30")
    config = protocol.SandboxConfig(name="a", namespace="d", uid="u")
    box = await runtime.run_sandbox(config)
    assert (await runtime.sandbox_status(box)).ips == ["10.0.0.2"]
    with pytest.raises(protocol.Error, match="no IP addresses available"):
        await runtime.run_sandbox(config)
    await runtime.remove_sandbox(box)
    again = await runtime.run_sandbox(config)
    assert (await runtime.sandbox_status(again)).ips == ["10.0.0.2"]


async def test_exec_echoes_its_input() -> None:
    clock = VirtualClock()
    runtime = Simulated(clock=clock, chance=Chance(1))
    config = protocol.SandboxConfig(name="a", namespace="d", uid="u")
    box = await runtime.run_sandbox(config)
    made = await runtime.create_container(box, protocol.ContainerConfig(name="c"), sandbox_config=config)
    await runtime.start_container(made)
    process = await runtime.exec(made, ["cat"], stdin=True, stdout=True, stderr=True, tty=False)
    await process.write(b"hello")
    await process.end_input()
    assert await process.read() == (protocol.STDOUT, b"hello")
    assert await process.read() is None
    assert await process.exit() == protocol.Exit()
    assert (await runtime.exec_sync(made, ["sh", "-c", "exit 4"], timeout=1)).exit_code == 4
