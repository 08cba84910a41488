"""Walking, resting, running and badminton, from the accelerometer and gyroscope of a watch."""

from recurra.datasets.sets._archive import archived

BASIC_MOTIONS = archived(
    "basic_motions",
    "BasicMotions",
    summary="four activities from a watch's accelerometer and gyroscope, 4 classes",
    size="40 / 40 series of 100 steps, 6 channels; valid is cut from the first",
    source="Clements 2016, in Bagnall et al. 2018, https://arxiv.org/abs/1811.00075",
    train="8dc43cc6306cb679c888c01e26f91772ac4441a916da43bac8b79734a538b9d6",
    test="79213102bc6fca1a398ad98ce1185dff0208fa3d1465e687f48288946b0ff8dc",
)
