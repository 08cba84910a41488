"""Which rows of the evaluated data a report shows, and which it explains."""

from torch import Tensor

# So many of the best and so many of the worst, where they are not too long to be read.
EACH, LONGEST = 3, 100
MOST_POINTS = 400


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


def agreement(wanted: Tensor, said: Tensor) -> dict[str, list[float]]:
    """The numbers that are true and those that were said, [B] each, of evenly chosen rows where there are many.

    >>> import torch
    >>> agreement(torch.tensor([1.0, 3.0]), torch.tensor([1.5, 2.0]))
    {'wanted': [1.0, 3.0], 'said': [1.5, 2.0]}
    """
    every = -(-len(wanted) // MOST_POINTS) or 1
    return {
        name: [float(f"{x:.4g}") for x in xs[::every].tolist()] for name, xs in (("wanted", wanted), ("said", said))
    }
