"""Ten gestures with a game controller, from one axis of its accelerometer."""

from recurra.datasets.sets._archive import archived

PICKUP_GESTURE_WIIMOTE_Z = archived(
    "pickup_gesture_wiimote_z",
    "PickupGestureWiimoteZ",
    summary="gestures with a game controller, 10 classes",
    size="50 / 50 series of 29 to 361 steps; valid is cut from the first",
    source="Guna, Humar & Pogacnik 2012, in Dau et al. 2018, https://arxiv.org/abs/1810.07758",
    train="4d303d9990df621c066fc454d62626e3721aed008462103500b86b1ac1ca92c8",
    test="a9109bce918e48ee0e924e9cf2fdfdc4de364a3d88ec5e8aa44399ff08b11361",
)
