"""Whether a day's use of electricity in Italy is of the winter half year or of the summer's."""

from recurra.datasets.sets._archive import archived

ITALY_POWER_DEMAND = archived(
    "italy_power_demand",
    "ItalyPowerDemand",
    summary="winter's days from summer's by the use of electricity, 2 classes",
    size="67 / 1,029 series of 24 steps; valid is cut from the first",
    source="Keogh et al. 2006, in Dau et al. 2018, https://arxiv.org/abs/1810.07758",
    train="341269cb7e6cef96846b30e774580beec79addb93848ba360145219115a74b7c",
    test="26122451f87dd0387ef90b18bc8a86c041371b8a1c068004922b939971247144",
)
