"""Several steps as one."""

import torch

from recurra.sequences import Ragged


def stacked(x: Ragged, count: int) -> Ragged:
    """Every ``count`` steps of a sequence as one, end to end; what is missing of its last ones is its last step again.

    x: values [N, I]. Returns values [N', count * I], where a sequence of T steps has ceil(T / count). Layers above
    have so many steps fewer to go through and to remember (Sak et al. 2015, https://arxiv.org/abs/1507.06947).

    >>> x = Ragged.from_list([torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[4.0], [5.0]])])
    >>> stacked(x, 2).values.tolist()
    [[1.0, 2.0], [3.0, 3.0], [4.0, 5.0]]
    """
    if count == 1:
        return x
    frames = -(-x.lengths // count)
    offsets = torch.cat([frames.new_zeros(1), frames.cumsum(0)])
    wide = Ragged(x.values.new_empty(int(offsets[-1]), 0), offsets).layout.rows
    place = torch.arange(len(wide), device=wide.device) - offsets[wide]
    steps = place[:, None] * count + torch.arange(count, device=wide.device)
    steps = torch.minimum(steps, (x.lengths[wide] - 1)[:, None])
    return Ragged(x.values[x.offsets[wide][:, None] + steps].flatten(1), offsets)
