"""Anomalies in live series: how unusual an error is, and NAB's score of a detector."""
