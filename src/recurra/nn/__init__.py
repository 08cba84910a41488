"""Layers: recurrent ones over any cell, and drop-in replacements for torch.nn's."""

from recurra.nn.conv import ConvLSTM, Convolutional
from recurra.nn.crf import CRF
from recurra.nn.dropout import Dropout, embedding_dropout
from recurra.nn.penalties import activation_penalty, slowness_penalty
from recurra.nn.recurrent import Bidirectional, Layer, Recurrent, Stack
from recurra.nn.rnn import GRU, LSTM, RNN
from recurra.nn.stacking import stacked

__all__ = [
    "CRF",
    "GRU",
    "LSTM",
    "RNN",
    "Bidirectional",
    "ConvLSTM",
    "Convolutional",
    "Dropout",
    "Layer",
    "Recurrent",
    "Stack",
    "activation_penalty",
    "embedding_dropout",
    "slowness_penalty",
    "stacked",
]
