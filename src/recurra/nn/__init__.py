"""Layers: recurrent ones over any cell, and drop-in replacements for torch.nn's."""

from recurra.nn.conv import ConvLSTM, Convolutional
from recurra.nn.dropout import Dropout
from recurra.nn.recurrent import Bidirectional, Layer, Recurrent, Stack
from recurra.nn.rnn import GRU, LSTM, RNN

__all__ = ["GRU", "LSTM", "RNN", "Bidirectional", "ConvLSTM", "Convolutional", "Dropout", "Layer", "Recurrent", "Stack"]
