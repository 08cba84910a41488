"""Which of nine men says a vowel, from twelve coefficients of linear prediction."""

from recurra.datasets.sets._archive import archived

JAPANESE_VOWELS = archived(
    "japanese_vowels",
    "JapaneseVowels",
    summary="who says a vowel, 9 speakers",
    size="270 / 370 series of 7 to 29 steps, 12 channels; valid is cut from the first",
    source="Kudo, Toyama & Shimbo 1999, https://doi.org/10.1016/S0167-8655(99)00077-X",
    train="68a430eabd919cc77f40b1f5f3bc0dcafacc1486bca9260785aeb7d262cc78cd",
    test="b3d41d6a0ca3bcad3afb9ca7d4365382aa51341e2e58bae2a574babdda5b9462",
)
