"""Machine code from LLVM IR, kept on disk.

A file is named by a hash of the IR, the host CPU and its features, and the versions; it begins with a hash of what
follows, so that one cut short or changed is seen, and made anew. Files are written whole or not at all, so that many
processes may make the same one at once. The folder is RECURRA_CACHE, or ``recurra/kernels`` in the user's cache.
"""

import ctypes
import hashlib
import os
from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any

from recurra.compile.ir import Lanes
from recurra.files import atomic

_lock = Lock()
_engines: list[Any] = []  # code lives as long as its engine


@cache
def host() -> tuple[str, str]:
    """Name and features of this CPU, as LLVM writes them."""
    from llvmlite import binding

    return str(binding.get_host_cpu_name()), str(binding.get_host_cpu_features().flatten())


def widest(scalar: str) -> Lanes:
    """The widest vectors of this CPU."""
    features = host()[1].split(",")
    width = 64 if "+avx512f" in features else 32 if "+avx" in features else 16
    return Lanes(scalar, width // (4 if scalar == "float" else 8))


def folder() -> Path:
    """Where compiled code is kept."""
    if given := os.environ.get("RECURRA_CACHE"):
        return Path(given) / "kernels"
    from platformdirs import user_cache_path

    return user_cache_path("recurra") / "kernels"


def function(text: str, name: str, arguments: int = 1, beside: str = "") -> Callable[..., None]:
    """The function of this name of a module, ready to be called. arguments, beside: as ``at`` and ``addresses``."""
    (place,) = addresses(text, (name,), beside)
    return at(place, arguments)


def at(address: int, arguments: int = 1) -> Callable[..., None]:
    """The function at this place, ready to be called with so many addresses; the call releases the GIL."""
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * arguments)(address)


def addresses(text: str, names: Sequence[str], beside: str = "") -> list[int]:
    """Where the functions of these names of a module lie in memory, compiled or from the disk.

    beside: another module, whose functions this one calls. It is compiled and kept apart, once for all who use it.
    """
    from llvmlite import binding

    with _lock:
        target = _target()
        engine = binding.create_mcjit_compiler(binding.parse_assembly(""), target)
        for module in filter(None, (beside, text)):
            code = _kept(module) or _make(module, target)
            engine.add_object_file(binding.object_file.ObjectFileRef.from_data(code))
        engine.finalize_object()
        _engines.append(engine)
        return [int(engine.get_function_address(name)) for name in names]


def _target() -> Any:
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    cpu, features = host()
    target = binding.Target.from_default_triple()
    return target.create_target_machine(cpu=cpu, features=features, opt=2, jit=True)


def _file(text: str) -> Path:
    import llvmlite

    what = "\0".join([text, *host(), llvmlite.__version__, version("recurra")])
    return folder() / f"{hashlib.sha256(what.encode()).hexdigest()[:40]}.o"


def _kept(text: str) -> bytes | None:
    """The object code on disk, if it is there and whole."""
    try:
        content = _file(text).read_bytes()
    except OSError:
        return None
    digest, code = content[:32], content[32:]
    return code if hashlib.sha256(code).digest() == digest else None


def _make(text: str, target: Any) -> bytes:
    from llvmlite import binding

    module = binding.parse_assembly(text)
    module.triple, module.data_layout = target.triple, str(target.target_data)
    module.verify()
    options = binding.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
    builder = binding.create_pass_builder(target, options)
    builder.getModulePassManager().run(module, builder)
    code = bytes(target.emit_object(module))
    file = _file(text)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic(file) as temporary:
            temporary.write_bytes(hashlib.sha256(code).digest() + code)
    except OSError:
        pass  # a folder that cannot be written costs a compilation each time, nothing else
    return code
