"""Runs a compiled function on several threads at once: torch's own, where they can be found.

torch's OpenMP threads keep spinning for a while after their work. Threads of our own would fight them for the cores,
so the function is handed to the very OpenMP runtime that torch has loaded; elsewhere plain threads run it.
"""

import ctypes
from collections.abc import Callable
from functools import cache
from threading import Thread
from typing import Any


def run(function: Callable[[int], None], argument: int, threads: int) -> None:
    """Calls ``function(argument)`` on this many threads and waits for all. The function shares out its own work."""
    parallel = _openmp() if threads > 1 else None
    if threads <= 1:
        function(argument)
    elif parallel is not None:
        parallel(ctypes.cast(function, ctypes.c_void_p), argument, threads, 0)  # type: ignore[arg-type]
    else:
        others = [Thread(target=function, args=(argument,)) for _ in range(threads - 1)]
        for thread in others:
            thread.start()
        function(argument)
        for thread in others:
            thread.join()


def runtime() -> str:
    """What the threads are of: torch's OpenMP runtime, or the system's own."""
    return "plain threads" if _openmp() is None else "GNU OpenMP, torch's own"


@cache
def _openmp() -> Callable[..., Any] | None:
    """GNU OpenMP's way to run a function on its threads, if that runtime is in this process."""
    for library in (None, *_loaded("libgomp")):
        try:
            parallel = ctypes.CDLL(library).GOMP_parallel
        except (OSError, AttributeError):
            continue
        parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        parallel.restype = None
        return parallel
    return None


def _loaded(name: str) -> list[str]:
    """Files of this process's libraries of this name."""
    try:
        with open("/proc/self/maps") as maps:
            paths = {line.split(maxsplit=5)[5].strip() for line in maps if name in line}
    except OSError:
        return []
    return sorted(paths)
