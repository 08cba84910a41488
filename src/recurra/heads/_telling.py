"""Which rows of the evaluated data a report explains."""

from torch import Tensor

# So many of the best and so many of the worst, where they are not too long to be read.
EACH, LONGEST = 4, 100


def best_and_worst(rows: Tensor, errors: Tensor, steps: Tensor) -> list[int]:
    """The rows with the smallest errors, then those with the largest; equals in the order of the data.

    rows: [B], their places in the data. errors: [B]. steps: [B], their lengths.

    >>> import torch
    >>> best_and_worst(torch.tensor([2, 0, 1]), torch.tensor([0.0, 0.5, 0.1]), torch.tensor([7, 0, 7]))
    [2, 1]
    """
    readable = ((steps > 0) & (steps <= LONGEST)).nonzero()[:, 0]
    order = readable[rows[readable].argsort()]
    order = order[errors[order].argsort(stable=True)]
    found: list[int] = rows[order].tolist()
    return found if len(found) <= 2 * EACH else found[:EACH] + found[-EACH:]
