"""Runs a compiled function on several threads at once: torch's own, where they can be found.

torch's OpenMP threads keep spinning for a while after their work. Threads of our own would fight them for the cores,
so the function is handed to the very OpenMP runtime that torch has loaded; elsewhere plain threads run it.
"""

import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from threading import Thread
from typing import Any


@dataclass(frozen=True)
class OpenMP:
    """parallel: runs a function on threads. counter: address of what tells such a function how many they are."""

    parallel: Callable[..., Any]
    counter: int


def run(function: Callable[[int], None], argument: int, threads: int) -> None:
    """Calls ``function(argument)`` on this many threads and waits for all. The function shares out its own work.

    OpenMP may start fewer than were asked for: see ``counter``.
    """
    openmp = _openmp() if threads > 1 else None
    if threads <= 1:
        function(argument)
    elif openmp is not None:
        openmp.parallel(ctypes.cast(function, ctypes.c_void_p), argument, threads, 0)  # type: ignore[arg-type]
    else:
        others = [Thread(target=function, args=(argument,)) for _ in range(threads - 1)]
        for thread in others:
            thread.start()
        function(argument)
        for thread in others:
            thread.join()


def counter() -> int:
    """Address of ``int f(void)``: how many threads ``run`` started, asked on one of them. 0: as many as it was told."""
    openmp = _openmp()
    return 0 if openmp is None else openmp.counter


@cache
def give_way() -> int:
    """Address of ``int f(void)`` that lets another thread have the core; 0 where the system has none."""
    return _address(ctypes.CDLL(None).sched_yield) if os.name == "posix" else 0


def runtime() -> str:
    """What the threads are of: torch's OpenMP runtime, or the system's own."""
    return "plain threads" if _openmp() is None else "GNU OpenMP, torch's own"


@cache
def _openmp() -> OpenMP | None:
    """GNU OpenMP's way to run a function on its threads, if that runtime is in this process."""
    for library in (None, *_loaded("libgomp")):
        try:
            runtime = ctypes.CDLL(library)
            parallel, counter = runtime.GOMP_parallel, _address(runtime.omp_get_num_threads)
        except (OSError, AttributeError):
            continue
        parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        parallel.restype = None
        return OpenMP(parallel, counter)
    return None


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _loaded(name: str) -> list[str]:
    """Files of this process's libraries of this name."""
    try:
        with open("/proc/self/maps") as maps:
            paths = {line.split(maxsplit=5)[5].strip() for line in maps if name in line}
    except OSError:
        return []
    return sorted(paths)
