"""Weights to and from torch.nn, Keras and ONNX: the same numbers, and so the same outputs."""

from recurra.export.keras_layers import from_keras, keras_weights, to_keras
from recurra.export.onnx_graph import from_onnx, to_onnx
from recurra.export.torch_nn import from_torch, to_torch

__all__ = ["from_keras", "from_onnx", "from_torch", "keras_weights", "to_keras", "to_onnx", "to_torch"]
