"""Numbers and names as people write them."""

import math


def number(value: float) -> str:
    """Four significant digits, whole numbers in full: 1.523, 1,340,160."""
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    if isinstance(value, int) or abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def percent(share: float) -> str:
    """A share of 1 as a percentage; a small one is not rounded to nothing."""
    value = 100 * share
    return f"{value:.2g} %" if 0 < value < 1 else f"{value:.0f} %"


def duration(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def name(key: str) -> str:
    """A metric's or a task's key as words: nats_per_token, language-model."""
    return key.replace("_", " ").replace("-", " ").replace("f1", "F1")
