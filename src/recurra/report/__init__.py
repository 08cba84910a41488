"""The report of a run: one HTML file that stands alone."""

from recurra.report.page import build

__all__ = ["build"]
