"""What people would use instead of a recurrent network, fitted on the same training rows."""

from recurra.rivals.base import Rival
from recurra.rivals.tfidf import TfIdf
from recurra.rivals.warping import Warping

__all__ = ["Rival", "TfIdf", "Warping"]
