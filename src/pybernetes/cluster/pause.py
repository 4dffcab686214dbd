"""The pause program: what holds a pod's namespaces open, as a static ELF of some 250 bytes that we write ourselves.

It blocks SIGCHLD, SIGTERM and SIGINT, then waits for one of them for ever: a SIGCHLD means that an orphan of the
pod ended, which it reaps (it is process 1 where the pod shares its process namespace); the others end it. In C:

    rt_sigprocmask(SIG_BLOCK, &set, NULL, 8);
    for (;;) {
        int signal = rt_sigtimedwait(&set, NULL, NULL, 8);
        if (signal == SIGCHLD) while (wait4(-1, NULL, WNOHANG, NULL) > 0);
        else if (signal == SIGTERM || signal == SIGINT) exit_group(0);
    }

Shipping a few instructions as Python beats shipping a binary per architecture: what runs can be read here.
"""

from __future__ import annotations

import struct

SIGINT, SIGTERM, SIGCHLD = 2, 15, 17
_SET = (1 << (SIGINT - 1)) | (1 << (SIGTERM - 1)) | (1 << (SIGCHLD - 1))
_BASE = 0x400000
_ELF_HEADER, _PROGRAM_HEADER = 64, 56
_START = _ELF_HEADER + _PROGRAM_HEADER
_X86_64, _AARCH64 = 62, 183


def _x86_64() -> bytes:
    """Arguments go in edi, esi, edx, r10d; the call's number in eax, and there its result comes back."""
    syscall = bytes.fromhex("0f05")
    size_8 = bytes.fromhex("41ba08000000")  # mov r10d, 8
    block = (
        bytes.fromhex("b80e000000")  # mov eax, 14 (rt_sigprocmask)
        + bytes.fromhex("31ff")  # xor edi, edi (SIG_BLOCK)
        + bytes.fromhex("488d35")
        + b"SET1"  # lea rsi, [rip + set]
        + bytes.fromhex("31d2")
        + size_8
        + syscall  # xor edx, edx
    )
    wait = (
        bytes.fromhex("b880000000")  # mov eax, 128 (rt_sigtimedwait)
        + bytes.fromhex("488d3d")
        + b"SET2"  # lea rdi, [rip + set]
        + bytes.fromhex("31f631d2")
        + size_8
        + syscall  # xor esi, esi; xor edx, edx
    )
    leave = bytes.fromhex("b8e700000031ff") + syscall  # mov eax, 231 (exit_group); xor edi, edi
    reap = (
        bytes.fromhex("b83d000000")  # mov eax, 61 (wait4)
        + bytes.fromhex("bfffffffff")  # mov edi, -1
        + bytes.fromhex("31f6ba010000004531d2")  # xor esi, esi; mov edx, 1 (WNOHANG); xor r10d, r10d
        + syscall
        + bytes.fromhex("85c0")  # test eax, eax
    )
    # cmp eax, SIGCHLD; je reap; cmp eax, SIGTERM; je leave; cmp eax, SIGINT; jne wait
    choose_length = 5 + 5 + 5
    choose = (
        bytes([0x83, 0xF8, SIGCHLD, 0x74, 5 + 5 + len(leave)])
        + bytes([0x83, 0xF8, SIGTERM, 0x74, 5])
        + bytes([0x83, 0xF8, SIGINT, 0x75, 256 - len(wait) - choose_length])
    )
    reap += bytes([0x7F, 256 - len(reap) - 2])  # jg reap
    again = bytes([0xEB, 256 - 2 - len(reap) - len(leave) - choose_length - len(wait)])  # jmp wait
    code = block + wait + choose + leave + reap + again
    code += b"\x90" * (-len(code) % 8)
    for label in (b"SET1", b"SET2"):
        at = code.index(label)
        code = code.replace(label, struct.pack("<i", len(code) - at - 4))
    return code + struct.pack("<Q", _SET)


def _aarch64() -> bytes:
    """Arguments go in x0 to x3; the call's number in x8, the result comes back in x0."""
    labels: dict[str, int] = {}
    code: list[tuple[str, int, str]] = []

    def put(word: int, branch: str = "", target: str = "") -> None:
        code.append((branch, word, target))

    def move(register: int, value: int) -> None:  # movz
        put(0xD2800000 | (value << 5) | register)

    def compare(value: int) -> None:  # cmp w0, #value
        put(0x7100001F | (value << 10))

    def call(number: int) -> None:  # mov x8, #number; svc #0
        move(8, number)
        put(0xD4000001)

    def label(name: str) -> None:
        labels[name] = len(code)

    equal, unequal, greater = 0, 1, 12
    move(0, 0)
    put(0x10000001, "adr", "set")
    move(2, 0)
    move(3, 8)
    call(135)  # rt_sigprocmask
    label("wait")
    put(0x10000000, "adr", "set")
    move(1, 0)
    move(2, 0)
    move(3, 8)
    call(137)  # rt_sigtimedwait
    compare(SIGCHLD)
    put(0x54000000 | equal, "b.cond", "reap")
    compare(SIGTERM)
    put(0x54000000 | equal, "b.cond", "leave")
    compare(SIGINT)
    put(0x54000000 | unequal, "b.cond", "wait")
    label("leave")
    move(0, 0)
    call(94)  # exit_group
    label("reap")
    put(0x92800000)  # movn x0, #0: -1
    move(1, 0)
    move(2, 1)
    move(3, 0)
    call(260)  # wait4
    compare(0)
    put(0x54000000 | greater, "b.cond", "reap")
    put(0x14000000, "b", "wait")
    if len(code) % 2:
        put(0xD503201F)  # nop, so that the set is aligned
    label("set")
    words = []
    for at, (branch, word, target) in enumerate(code):
        distance = labels[target] - at if target else 0
        if branch == "adr":
            word |= ((distance * 4) & 3) << 29 | (((distance * 4) >> 2) & 0x7FFFF) << 5
        elif branch == "b.cond":
            word |= (distance & 0x7FFFF) << 5
        elif branch == "b":
            word |= distance & 0x3FFFFFF
        words.append(word)
    return struct.pack(f"<{len(words)}I", *words) + struct.pack("<Q", _SET)


def program(architecture: str) -> bytes:
    """The executable for `amd64` or `arm64`. Raises ValueError for others."""
    if architecture == "amd64":
        code, machine = _x86_64(), _X86_64
    elif architecture == "arm64":
        code, machine = _aarch64(), _AARCH64
    else:
        raise ValueError(f"no pause program for {architecture}")
    size = _START + len(code)
    ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    executable, load, read_execute, page = 2, 1, 5, 0x1000
    header = ident + struct.pack(
        "<HHIQQQIHHHHHH",
        executable, machine, 1, _BASE + _START, _ELF_HEADER, 0, 0, _ELF_HEADER, _PROGRAM_HEADER, 1, 0, 0, 0,
    )  # fmt: skip
    segment = struct.pack("<IIQQQQQQ", load, read_execute, 0, _BASE, _BASE, size, size, page)
    return header + segment + code
