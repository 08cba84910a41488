"""A training's whole state in one safetensors file, written so that a crash leaves the old one or the new one.

Tensors are stored as such; everything else (counters, the optimiser's scalars) is JSON in the file's metadata.
Nothing is pickled.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from recurra.errors import RunError
from recurra.files import atomic


def write(path: Path, tree: dict[str, Any]) -> None:
    """Writes nested dicts, lists, numbers, strings, None and tensors."""
    tensors: dict[str, Tensor] = {}
    plain = _take(tree, tensors)
    with atomic(path) as temporary:
        temporary.write_bytes(save(tensors, metadata={"tree": json.dumps(plain)}))


def read(path: Path) -> dict[str, Any]:
    """What ``write`` wrote. Raises RunError where the file is not a checkpoint."""
    try:
        with safe_open(path, "pt") as file:
            plain = json.loads(file.metadata()["tree"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path}: not a readable checkpoint ({error}); train into another folder") from error
    return _put(plain, tensors)  # type: ignore[no-any-return]


def _take(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        key = str(len(tensors))
        tensors[key] = value.detach().cpu().contiguous().clone()
        return {"tensor": key}
    if isinstance(value, dict):
        # As pairs: an optimiser's state is keyed by numbers, which JSON would turn into text.
        return {"pairs": [[k, _take(v, tensors)] for k, v in value.items()]}
    if isinstance(value, list | tuple):
        return [_take(v, tensors) for v in value]
    return value


def _put(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_put(v, tensors) for v in value]
    if isinstance(value, dict):
        return tensors[value["tensor"]] if "tensor" in value else {k: _put(v, tensors) for k, v in value["pairs"]}
    return value


def random_state() -> dict[str, Any]:
    """Torch's random state on the CPU and every CUDA device."""
    return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []}


def restore_random_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["cpu"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])
