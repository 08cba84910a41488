"""What this process holds in memory, whoever allocated it, as Linux's /proc tells. In bytes."""

import ctypes
import platform
from collections.abc import Callable

from recurra.errors import InputError


def check(benchmark: str) -> None:
    """Raises InputError where the system does not tell."""
    if platform.system() != "Linux":
        raise InputError(f"{benchmark}: expected Linux, whose /proc tells resident memory, got {platform.system()}")


def now() -> int:
    return _status("VmRSS")


def around(work: Callable[[], object]) -> tuple[int, int]:
    """What is held before the work, and at the most while it is done.

    Before it, freed memory is handed back to the system and the high-water mark lowered to the present.
    """
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    before = now()
    work()
    return before, _status("VmHWM")


def _status(name: str) -> int:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(f"{name}:"))
