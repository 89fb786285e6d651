"""Write the system-call filter of the box: no new processes, no sockets, no kernel doors.

A process of its own would escape the memory limit and, for root, the limit on processes too: the
kernel does not count root's. Threads stay allowed; their memory is the process's.
"""

import errno
import platform
import struct

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CLONE = {"x86_64": 56, "aarch64": 220}
_FORKS: dict[str, tuple[int, ...]] = {"x86_64": (57, 58), "aarch64": ()}
_CLONE3 = 435
_CLONE_THREAD = 0x10000
_X32 = 0x40000000

# bpf, perf_event_open, ptrace, process_vm_*, mounts, namespaces, keys, modules, System V memory
# (which outlives its process's limits), message queues, memfd_create, socket, io_uring.
_REFUSED = {
    "x86_64": (
        *(29, 41, 57, 58, 64, 68, 101, 155, 161, 165, 166, 167, 175, 240, 246, 248, 249, 250),
        *(272, 298, 304, 308, 310, 311, 313, 319, 321, 323, 425, 428, 429, 430, 432),
    ),
    "aarch64": (
        *(39, 40, 41, 51, 97, 104, 105, 117, 180, 186, 190, 194, 198, 217, 218, 219, 224),
        *(241, 265, 268, 270, 271, 273, 279, 280, 282, 425, 428, 429, 430, 432),
    ),
}

_LOAD, _EQUAL, _AT_LEAST, _BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16


def write_filter(*, processes: bool = False) -> bytes | None:
    """Give the filter as the kernel's BPF instructions; None for a processor it is not made for.

    `processes`: new ones are allowed, as compilers and shell scripts need them.
    """
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        return None
    refuse, missing = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, refuse),
        # The C library falls back to clone, whose flags can be read here.
        (_EQUAL, 0, 1, _CLONE3),
        (_RETURN, 0, 0, missing),
    ]
    for number in _REFUSED[machine]:
        if not (processes and number in _FORKS[machine]):
            program += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, refuse)]
    if not processes:
        program += [
            (_EQUAL, 0, 3, _CLONE[machine]),
            (_LOAD, 0, 0, _FIRST_ARGUMENT),
            (_BITS, 1, 0, _CLONE_THREAD),
            (_RETURN, 0, 0, refuse),
        ]
    program.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
