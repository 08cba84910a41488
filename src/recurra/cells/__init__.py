"""Cells: the equations of one time step, one file each. A file put here is found because it exists."""

from recurra.cells._variant import variant
from recurra.cells.base import Cell, Mask, Matrix, Noise, Vector, cell, clip_gradient, linear
from recurra.registry import Registry

CELLS = Registry("recurra.cells", Cell, "cell")

__all__ = ["CELLS", "Cell", "Mask", "Matrix", "Noise", "Vector", "cell", "clip_gradient", "linear", "variant"]
