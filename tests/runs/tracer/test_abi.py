"""The filter, run by an interpreter of its few steps: what waits for an answer on each architecture."""

import struct
from collections.abc import Sequence

import pytest

from fourfold.runs.tracer import abi

ALLOW, NOTIFY, NO_SUCH_CALL = 0x7FFF0000, 0x7FC00000, 0x00050026
READ = {"x86_64": 0, "aarch64": 63}
NEW_MOUNTS = 0x20000


def verdict(program: bytes, number: int, audit: int, args: Sequence[int] = (), place: int = 0) -> int:
    """What the kernel would do with a call that is made at a place."""
    data = struct.pack("=iIQ6Q", number, audit, place, *[*args, *[0] * 6][:6])
    steps = list(struct.iter_unpack("=HBBI", program))
    at, held = 0, 0
    while True:
        code, when, other, value = steps[at]
        at += 1
        match code:
            case 0x20:
                held = struct.unpack_from("=I", data, value)[0]
            case 0x54:
                held &= value
            case 0x06:
                return int(value)
            case 0x15:
                at += when if held == value else other
            case 0x35:
                at += when if held >= value else other
            case 0x45:
                at += when if held & value else other
            case _:
                raise ValueError(code)


@pytest.mark.parametrize("name", abi.MACHINES)
def test_only_what_names_something_waits_for_an_answer(name: str) -> None:
    machine = abi.MACHINES[name]
    program = abi.program(machine)

    def of(call: str, *args: int) -> int:
        return verdict(program, machine.calls[call], machine.audit, args)

    waits = set(machine.calls) - {
        "io_uring_setup",
        "socket",
        "mkdir",
        "mkdirat",
        "rmdir",
        "exit_group",
        "kill",
    }
    conditional = {"sendto", "unshare", "clone"}
    assert {call for call in machine.calls if of(call) == NOTIFY} == waits - conditional
    assert of("io_uring_setup") == NO_SUCH_CALL
    assert of("sendto", 3, 1, 1, 0, 0x7F00_0000_0000) == NOTIFY
    assert of("sendto", 3, 1, 1, 0, 0x1000) == NOTIFY
    assert of("clone", 0x11) == ALLOW
    assert of("clone", 0x11 | NEW_MOUNTS) == NOTIFY
    assert of("unshare", NEW_MOUNTS) == NOTIFY
    assert verdict(program, READ[name], machine.audit) == ALLOW


@pytest.mark.parametrize("name", abi.MACHINES)
def test_what_was_told_of_does_not_wait_unless_the_run_is_hermetic(name: str) -> None:
    machine = abi.MACHINES[name]
    usual, hermetic = abi.program(machine), abi.program(machine, hermetic=True)
    for call, at in {"open": 1, "openat": 2}.items():
        for flags, answer in {
            0o2000000 | abi.TOLD: ALLOW,
            0o2000000: NOTIFY,
            0o2000000 | abi.TOLD | 0x40000000: NOTIFY,  # not just any unknown bit
            **{0o2000000 | abi.TOLD | writes: NOTIFY for writes in (0o1, 0o2, 0o100, 0o1000)},
            0o22200000: NOTIFY,
        }.items():
            args = [0xFFFFFF9C, 0x1000, 0, 0]
            args[at] = flags
            if call in machine.calls:
                assert verdict(usual, machine.calls[call], machine.audit, args) == answer
                assert verdict(hermetic, machine.calls[call], machine.audit, args) == NOTIFY


@pytest.mark.parametrize("name", abi.MACHINES)
@pytest.mark.parametrize("places", [(0x2FA,), (0x2FA, 0xB1D), (0x1, 0x2FA, 0x3, 0xB1D)])
def test_the_loader_is_not_asked_and_the_end_of_a_program_is(name: str, places: tuple[int, ...]) -> None:
    machine = abi.MACHINES[name]
    spared = abi.program(machine, loaders=places)
    hermetic = abi.program(machine, loaders=places, hermetic=True)

    def of(program: bytes, place: int, flags: int = 0o2000000) -> int:
        args = (0xFFFFFF9C, 0x1000, flags)
        return verdict(program, machine.calls["openat"], machine.audit, args, place)

    for place in places:
        assert of(spared, 0x7F12_3456_7000 + place) == ALLOW
        assert of(abi.program(machine), 0x7F12_3456_7000 + place) == NOTIFY
        assert of(hermetic, 0x7F12_3456_7000 + place) == NOTIFY
        assert of(spared, 0x7F12_3456_7004 + place) == NOTIFY
        assert of(spared, 0x5555_5555_5000 + place) == NOTIFY  # a program, not what it has mapped
        assert of(spared, 0x0040_0000 + place) == NOTIFY
        for flags in (0, 0o2, 0o2000001, 0o2000100, 0o2200000):
            assert of(spared, 0x7F12_3456_7000 + place, flags) == NOTIFY
        assert of(spared, 0x5555_5555_5000 + place, 0o2000000 | abi.TOLD) == ALLOW
    for program, answer in {spared: NOTIFY, hermetic: ALLOW, abi.program(machine): ALLOW}.items():
        assert verdict(program, machine.calls["exit_group"], machine.audit) == answer
        assert verdict(program, machine.calls["kill"], machine.audit, (1, 15)) == answer
        assert verdict(program, machine.calls["kill"], machine.audit, (1, 10)) == ALLOW


@pytest.mark.parametrize("name", abi.MACHINES)
def test_a_hermetic_run_cannot_go_round_by_another_convention(name: str) -> None:
    machine = abi.MACHINES[name]
    open_, hermetic = abi.program(machine), abi.program(machine, hermetic=True)
    foreign, x32 = 0x40000003, 0x40000000 | machine.calls["openat"]
    assert verdict(open_, 5, foreign) == verdict(open_, x32, machine.audit) == ALLOW
    assert verdict(hermetic, 5, foreign) == verdict(hermetic, x32, machine.audit) == NO_SUCH_CALL
    socket = machine.calls["socket"]
    families = {family: verdict(hermetic, socket, machine.audit, (family,)) for family in (1, 2, 10, 16, 17)}
    assert families == {1: ALLOW, 2: NOTIFY, 10: NOTIFY, 16: ALLOW, 17: NOTIFY}
    assert verdict(open_, socket, machine.audit, (2,)) == ALLOW
    assert verdict(hermetic, machine.calls["mkdirat"], machine.audit) == NOTIFY
