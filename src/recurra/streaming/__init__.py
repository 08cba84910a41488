"""Trained recurrent networks in real time: one step after the other, for one stream or for many at once."""

from recurra.streaming.anomalies import AnomalyStreams
from recurra.streaming.batch import StreamBatch
from recurra.streaming.decisions import Decisions, DecisionStreams
from recurra.streaming.stream import Stream

__all__ = ["AnomalyStreams", "DecisionStreams", "Decisions", "Stream", "StreamBatch"]
