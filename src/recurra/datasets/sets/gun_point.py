"""Whether a hand draws a gun or only points, from where it is."""

from recurra.datasets.sets._archive import archived

GUN_POINT = archived(
    "gun_point",
    "GunPoint",
    summary="a hand that draws a gun or points, 2 classes",
    size="50 / 150 series of 150 steps; valid is cut from the first",
    source="Ratanamahatana & Keogh 2005, https://doi.org/10.1137/1.9781611972757.50",
    train="f842401779fd9800d247d8b33121a1a4643710a19b24917dbdd9a060ca8630d5",
    test="79332750788a6227b325b96bd0d70130c8eb707b9731f8d7dec62b7a7d36017e",
)
