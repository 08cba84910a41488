"""torch.nn's RNN, GRU and LSTM as JAX writes them: ``lax.scan`` under jit, padded; compared with torch before timed.

JAX chooses its own threads: on one, XLA_FLAGS="--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1".
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from recurra.errors import InputError


def check() -> None:
    """Raises InputError where JAX is not installed."""
    try:
        import jax  # noqa: F401
    except ImportError:
        raise InputError("--jax needs JAX: pip install jax") from None


def whole(layer: nn.RNNBase, padded: Tensor, train: bool) -> Callable[[], object]:
    """One layer in one direction over padded [B, T, I]; a training step gives the gradients of input and weights."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    def scan(x: Any, weights: Any) -> Any:
        w, u, b, d = weights
        wx = jnp.einsum("bti,gi->tbg", x, w) + b
        zeros = jnp.zeros((x.shape[0], u.shape[1]))
        start = (zeros, zeros) if layer.mode == "LSTM" else (zeros,)
        step = {"LSTM": _lstm, "GRU": _gru, "RNN_TANH": _rnn}[layer.mode]
        return jnp.swapaxes(jax.lax.scan(lambda state, row: step(jax, row, state, u, d), start, wx)[1], 0, 1)

    x = jnp.asarray(padded.detach().numpy())
    weights = tuple(jnp.asarray(p.detach().numpy()) for p in layer.parameters())
    forward = jax.jit(scan)
    with torch.no_grad():
        worst = float(np.abs(np.asarray(forward(x, weights)) - layer(padded)[0].numpy()).max())
    if worst > 1e-4:
        raise RuntimeError(f"JAX's output differs from torch's by {worst:.1e}: it does not do the same work")
    if not train:
        return lambda: forward(x, weights).block_until_ready()
    grad = jnp.ones((*padded.shape[:2], layer.hidden_size))
    backward = jax.jit(lambda x, weights: jax.vjp(scan, x, weights)[1](grad))
    return lambda: jax.block_until_ready(backward(x, weights))


def _rnn(jax: Any, wx: Any, state: Any, u: Any, d: Any) -> Any:
    h = jax.numpy.tanh(wx + state[0] @ u.T + d)
    return (h,), h


def _gru(jax: Any, wx: Any, state: Any, u: Any, d: Any) -> Any:
    (h,) = state
    wr, wz, wn = jax.numpy.split(wx, 3, -1)
    ur, uz, un = jax.numpy.split(h @ u.T + d, 3, -1)
    z = jax.nn.sigmoid(wz + uz)
    n = jax.numpy.tanh(wn + jax.nn.sigmoid(wr + ur) * un)
    h = (1 - z) * n + z * h
    return (h,), h


def _lstm(jax: Any, wx: Any, state: Any, u: Any, d: Any) -> Any:
    h, c = state
    i, f, g, o = jax.numpy.split(wx + h @ u.T + d, 4, -1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jax.numpy.tanh(g)
    h = jax.nn.sigmoid(o) * jax.numpy.tanh(c)
    return (h, c), h
