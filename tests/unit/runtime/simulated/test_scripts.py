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
    assert scripts.of(words) == scripts.Script(seconds=seconds, exit_code=code, output=output)


def test_annotations_decide() -> None:
    given = {scripts.RUN_SECONDS: "2", scripts.EXIT_CODE + ".other": "3"}
    assert scripts.annotated(scripts.FOREVER, given, "c") == scripts.Script(seconds=2.0)
    assert scripts.annotated(scripts.FOREVER, given, "other") == scripts.Script(seconds=2.0, exit_code=3)


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
