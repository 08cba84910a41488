"""Weights in panels, against loops over their elements."""

import pytest
import torch

from recurra.compile import gemm, objects, packing


def packed(matrix, transposed, inner, in_blocks, outer, out_blocks, lanes):
    """[panels, depth, panel width], element by element."""
    in_padded, out_padded = (-(-size // lanes) * lanes for size in (inner, outer))
    panel = 2 * lanes
    panels = torch.zeros(-(-out_blocks * out_padded // panel), in_blocks * in_padded, panel, dtype=matrix.dtype)
    for o in range(out_blocks * outer):
        for i in range(in_blocks * inner):
            column, row = o // outer * out_padded + o % outer, i // inner * in_padded + i % inner
            panels[column // panel, row, column % panel] = matrix[i, o] if transposed else matrix[o, i]
    return panels


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("transposed", [True, False], ids=["down", "across"])
@pytest.mark.parametrize(("inner", "in_blocks"), [(1, 1), (8, 1), (5, 3), (19, 2)])
@pytest.mark.parametrize(("outer", "out_blocks"), [(1, 1), (16, 4), (3, 3), (17, 1)])
def test_packing_moves_every_element_to_its_place(dtype, transposed, inner, in_blocks, outer, out_blocks):
    lanes = objects.widest("float" if dtype == torch.float32 else "double")
    shape = (in_blocks * inner, out_blocks * outer)
    matrix = torch.randn(shape if transposed else shape[::-1], dtype=dtype)
    expected = packed(matrix, transposed, inner, in_blocks, outer, out_blocks, lanes.count)
    # Beyond its end nothing is written.
    room = torch.full((expected.numel() + 8,), 7.0, dtype=dtype)
    pack = objects.function(gemm.module(lanes), packing.name(transposed), 6)
    pack(matrix.data_ptr(), room.data_ptr(), inner, in_blocks, outer, out_blocks)
    assert torch.equal(room[:-8].view_as(expected), expected)
    assert torch.equal(room[-8:], torch.full((8,), 7.0, dtype=dtype))
