"""A function in a process of its own, for what an earlier measurement would have changed: memory, first uses."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import torch

CODE = "import importlib, json, sys; module, name, given = sys.argv[1:]; "
CODE += "print(json.dumps(getattr(importlib.import_module(module), name)(**json.loads(given))))"


def call(module: str, name: str, given: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Any:
    """What the function returns, as JSON. It runs with as many threads as torch has here."""
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    words = [sys.executable, "-c", CODE, module, name, json.dumps(dict(given))]
    variables = {**os.environ, **threads, **(environment or {})}
    done = subprocess.run(words, env=variables, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)
