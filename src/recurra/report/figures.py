"""Curves of a training as SVG that takes its colours and its font from the page around it."""

import io
import math
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recurra.report.events import Event, Events

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Curve = NDArray[np.float64]

# Each ink is drawn in a colour that nothing else has, and then named after a CSS variable of the page, so that one
# file is readable on light and on dark ground.
INKS = {"text": "#000001", "muted": "#000002", "line": "#000003", "train": "#000004", "valid": "#000005"}
INKS |= {"paper": "#000006", "second": "#000007"}

# Inks of a chart with a curve for each layer. What is weaker than LEAST_FLOW is as good as nothing.
LAYERS = ("train", "valid", "second", "muted")
LEAST_FLOW = 1e-9

# Of a fan chart: the levels of its bands' ends, the widest first. Of errors: the model's ink and those of the others.
BANDS = ((0.025, 0.975), (0.1, 0.9))
WAYS = ("valid", "muted", "train", "second")

# More points than pixels only make the file large.
MOST_POINTS = 400
SMOOTHING = 25  # a smoothed curve averages over this share of it, 1/25
FONT = 11.5
MARGINS = {"left": 46, "right": 10, "top": 26, "bottom": 40}  # pixels
# Of a heat map: the side of a square, and about what a letter takes.
SQUARE, LETTER = 20, 7


def loss(events: Events, metric: str | None, unit: str, width: int, height: int, *, time: bool = False) -> str:
    """Training loss, raw and smoothed, with the validation's ``metric``; logarithmic. time: minutes on the top axis."""
    canvas = _Canvas(f"loss{width}", width, height, "step", top=44 if time else MARGINS["top"])
    axes = canvas.axes
    steps, values = _series(events.steps, "loss")
    _raw_and_smooth(axes, steps, values, "train")
    places, held_out = _series([{**v, **v["metrics"]} for v in events.valid], metric) if metric else (_NONE, _NONE)
    _validations(axes, places, held_out, events.best)
    _span(axes, events)
    _log_scale(axes, np.concatenate([values, held_out]))
    if time:
        _time_axis(axes, events)
    return canvas.svg(unit)


def scores(events: Events, names: list[str], width: int, height: int) -> str:
    """Validation metrics that share a unit, over steps."""
    canvas = _Canvas("scores", width, height, "step")
    rows = [{**v, **v["metrics"]} for v in events.valid]
    for name, ink in zip(names, ("valid", "second", "muted"), strict=False):
        places, values = _series(rows, name)
        _validations(canvas.axes, places, values, events.best if ink == "valid" else None, ink)
    _span(canvas.axes, events)
    return canvas.svg("share of rows" if "accuracy" in names else "validation")


def rate(events: Events, width: int, height: int) -> str:
    """The learning rate, over steps."""
    canvas = _Canvas("rate", width, height, "step")
    canvas.axes.plot(*_series(events.steps, "rate"), color=INKS["train"], linewidth=1.6)
    canvas.axes.set_ylim(bottom=0)
    _span(canvas.axes, events)
    return canvas.svg("learning rate")


def gradient(events: Events, threshold: float, width: int, height: int) -> str:
    """Mean and largest gradient norm of each interval, with the norm it was clipped to (0: not clipped)."""
    canvas = _Canvas("gradient", width, height, "step")
    axes = canvas.axes
    steps, mean = _series(events.steps, "grad_norm")
    axes.plot(*_series(events.steps, "grad_norm_max", np.max), color=INKS["train"], alpha=0.3, linewidth=1)
    axes.plot(steps, mean, color=INKS["train"], linewidth=1.6)
    values = mean
    if threshold:
        axes.axhline(threshold, color=INKS["valid"], linewidth=1.2, linestyle=(0, (4, 3)))
        values = np.append(mean, threshold)
    _span(axes, events)
    _log_scale(axes, np.append(values, _series(events.steps, "grad_norm_max", np.max)[1]))
    return canvas.svg("L2 norm before clipping")


def speed(events: Events, width: int, height: int) -> str:
    """Tokens a second, over steps."""
    canvas = _Canvas("speed", width, height, "step")
    canvas.axes.plot(*_series(events.steps, "tokens_per_second"), color=INKS["train"], linewidth=1.6)
    canvas.axes.set_ylim(bottom=0)
    _span(canvas.axes, events)
    return canvas.svg("tokens per second")


def flow(layers: list[dict[str, Any]], width: int, height: int) -> str:
    """How large the gradient of the last output is at the state of each step before, for each layer; logarithmic."""
    canvas = _Canvas("flow", width, height, "steps back")
    values = [np.array(layer["flow"], dtype=np.float64) for layer in layers]
    for ink, curve in zip(LAYERS, values, strict=False):
        canvas.axes.plot(np.arange(len(curve)), np.where(curve > 0, curve, np.nan), color=INKS[ink], linewidth=1.6)
    canvas.axes.set_xlim(0, max(len(curve) for curve in values) - 1)
    _log_scale(canvas.axes, np.maximum(np.concatenate(values), LEAST_FLOW))
    return canvas.svg("gradient, 1 at the last step")


def fan(forecast: dict[str, Any], number: int, width: int, height: int) -> str:
    """A forecast over its history: the middle, and bands of 80 and 95 percent where there are such levels."""
    canvas = _Canvas(f"fan{number}", width, height, "steps after the last known one")
    history, wanted = (np.array(forecast[name], dtype=np.float64) for name in ("history", "wanted"))
    ahead = np.arange(1, len(wanted) + 1)
    values = np.array(forecast["quantiles"], dtype=np.float64)
    levels = forecast["levels"]
    for low, high in BANDS:
        if low in levels and high in levels:
            ends = values[levels.index(low)], values[levels.index(high)]
            canvas.axes.fill_between(ahead, *ends, color=INKS["valid"], alpha=0.18, linewidth=0)
    canvas.axes.plot(np.arange(1 - len(history), 1), history, color=INKS["muted"], linewidth=1.3)
    canvas.axes.plot(ahead, wanted, color=INKS["train"], linewidth=1.5)
    canvas.axes.plot(ahead, values[len(levels) // 2], color=INKS["valid"], linewidth=1.6)
    canvas.axes.set_xlim(1 - len(history), len(wanted))
    return canvas.svg("y")


def errors_by_step(errors: dict[str, list[float]], width: int, height: int) -> str:
    """The mean absolute error of each step ahead, a curve for each way to forecast."""
    canvas = _Canvas("errors", width, height, "steps ahead")
    for ink, curve in zip(WAYS, errors.values(), strict=False):
        dots = {"marker": "o", "markersize": 4} if len(curve) < 3 else {}
        canvas.axes.plot(np.arange(1, len(curve) + 1), curve, color=INKS[ink], linewidth=1.6, **dots)  # type: ignore[arg-type]
    canvas.axes.set_ylim(bottom=0)
    return canvas.svg("mean absolute error")


def widths(values: list[float], width: int, height: int) -> str:
    """How wide an interval is from window to window."""
    canvas = _Canvas("widths", width, height, "window, in the order of time")
    canvas.axes.plot(np.arange(1, len(values) + 1), values, color=INKS["valid"], linewidth=1)
    canvas.axes.set_xlim(1, len(values))
    canvas.axes.set_ylim(bottom=0)
    return canvas.svg("width, in y's unit")


def agreement(wanted: list[float], said: list[float], width: int, height: int) -> str:
    """A dot for each row: across what is true, up what was said; on the line both would be the same."""
    canvas = _Canvas("agreement", width, height, "true")
    ends = min(*wanted, *said), max(*wanted, *said)
    canvas.axes.plot(ends, ends, color=INKS["muted"], linewidth=1, linestyle=(0, (4, 3)))
    canvas.axes.plot(wanted, said, "o", markersize=5, color=INKS["train"], alpha=0.3, markeredgewidth=0)
    return canvas.svg("predicted")


def residuals(edges: list[float], shares: list[float], width: int, height: int) -> str:
    """How often errors of each size were made."""
    canvas = _Canvas("residuals", width, height, "true less forecast, in mean seasonal differences of the series")
    canvas.axes.bar(edges[:-1], shares, np.diff(edges), align="edge", color=INKS["train"], alpha=0.6)
    canvas.axes.axvline(0, color=INKS["muted"], linewidth=1)
    return canvas.svg("share of all steps")


def timeline(found: dict[str, Any], width: int, height: int) -> str:
    """A series with its windows, the steps with an alarm and, below, all scores beside the threshold."""
    canvas = _Canvas("timeline", width, height, "step")
    axes, values, scores = canvas.axes, np.array(found["values"]), np.array(found["scores"])
    low, high = float(values.min()), float(values.max())
    reach = (high - low) or 1.0
    # The lower third is the scores', from 0 to 1.
    floor = low - 0.6 * reach
    for first, last in found["windows"]:
        axes.axvspan(first, last, color=INKS["valid"], alpha=0.18, linewidth=0)
    axes.axvspan(0, found["probation"], color=INKS["muted"], alpha=0.12, linewidth=0)
    axes.plot(*_thinned(values), color=INKS["train"], linewidth=1)
    axes.plot(*_thinned(floor + 0.45 * reach * scores), color=INKS["second"], linewidth=1)
    axes.axhline(floor + 0.45 * reach * found["threshold"], color=INKS["muted"], linewidth=1, linestyle=(0, (4, 3)))
    alarms = np.array(found["alarms"], dtype=np.int64)
    axes.plot(alarms, values[alarms], "o", markersize=5, markerfacecolor="none", markeredgecolor=INKS["text"])
    axes.set_xlim(0, max(1, len(values) - 1))
    axes.set_ylim(floor - 0.03 * reach, high + 0.05 * reach)
    axes.set_yticks([tick for tick in axes.get_yticks() if low - 0.01 * reach <= tick <= high])
    return canvas.svg("value, and below it the score")


def _thinned(values: Curve) -> tuple[Curve, Curve]:
    """Steps and values, of long series the least and the greatest of each bin: no peak is lost."""
    if len(values) <= 4 * MOST_POINTS:
        return np.arange(len(values), dtype=np.float64), values
    edges = np.linspace(0, len(values), 2 * MOST_POINTS + 1).astype(int)
    bins = [values[begin:end] for begin, end in pairwise(edges)]
    kept = [
        edge + int(pick(part)) for edge, part in zip(edges[:-1], bins, strict=True) for pick in (np.argmin, np.argmax)
    ]
    places = np.unique(kept)
    return places.astype(np.float64), values[places]


def attention(read: list[str], written: list[str], shares: list[list[float]]) -> str:
    """A square for each unit written, from above, and each unit read, the darker the greater its share.

    Drawn without matplotlib, whose fonts lack most scripts: the reader's browser has them.
    """
    from markupsafe import escape

    left, top = (SQUARE + LETTER * max(map(len, units), default=0) for units in (written, read))
    right, bottom = left + SQUARE * len(read), top + SQUARE * len(written)
    ink = f'font-size="{FONT}" fill="{INKS["text"]}"'
    parts = []
    for i, unit in enumerate(read):
        place = f"translate({left + SQUARE * (i + 0.68):g} {top - 6}) rotate(-90)"
        parts.append(f'<text {ink} transform="{place}">{escape(unit)}</text>')
    for j, unit in enumerate(written):
        y = f"{top + SQUARE * (j + 0.7):g}"
        parts.append(f'<text {ink} text-anchor="end" x="{left - 6}" y="{y}">{escape(unit)}</text>')
        for i, share in enumerate(shares[j]):
            place = f'x="{left + SQUARE * i}" y="{top + SQUARE * j}" width="{SQUARE - 1}" height="{SQUARE - 1}"'
            dark = f'fill="{INKS["train"]}" fill-opacity="{max(share, 0.04):.2f}"'
            parts.append(f"<rect {place} {dark}><title>{share:.2f}</title></rect>")
    return _inked(f'<svg viewBox="0 0 {right} {bottom}" role="img">{"".join(parts)}</svg>')


_NONE: Curve = np.empty(0)


class _Canvas:
    """One set of axes in a figure of so many pixels, drawn without pyplot and its global state."""

    def __init__(self, name: str, width: int, height: int, x_label: str, *, top: float = MARGINS["top"]):
        from matplotlib.figure import Figure

        self.name = name
        with self._style():
            self.figure = Figure(figsize=(width / 72, height / 72), facecolor="none")
            self.axes = self.figure.add_axes(
                (
                    MARGINS["left"] / width,
                    MARGINS["bottom"] / height,
                    1 - (MARGINS["left"] + MARGINS["right"]) / width,
                    1 - (MARGINS["bottom"] + top) / height,
                ),
                facecolor="none",
            )
        axes = self.axes
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.spines["bottom"].set_color(INKS["line"])
        axes.tick_params(length=0, pad=6, colors=INKS["muted"], labelsize=FONT)
        axes.grid(axis="y", color=INKS["line"], linewidth=0.8)
        axes.set_axisbelow(True)
        axes.set_xlabel(x_label, color=INKS["muted"], fontsize=FONT, loc="right", labelpad=4)
        axes.yaxis.set_major_formatter(_plain)
        axes.xaxis.set_major_formatter(_plain)
        axes.locator_params(axis="both", nbins=5)

    def svg(self, y_label: str) -> str:
        """The drawing as an element for an HTML page; y_label: what the vertical axis measures, and in what."""
        self.axes.annotate(
            y_label, (0, 1), xytext=(8 - MARGINS["left"], 10), xycoords="axes fraction", textcoords="offset points",
            color=INKS["muted"], fontsize=FONT,
        )  # fmt: skip
        buffer = io.StringIO()
        with self._style():
            self.figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
        return _for_page(buffer.getvalue())

    def _style(self) -> AbstractContextManager[None]:
        import matplotlib

        # Text stays text: sharp, small, and in the reader's own font. The salt keeps ids apart on one page.
        settings: Any = {
            "svg.fonttype": "none", "svg.hashsalt": self.name, "font.size": FONT, "text.parse_math": False,
        }  # fmt: skip
        return matplotlib.rc_context(settings)


def _for_page(document: str) -> str:
    """matplotlib's SVG document as an HTML element without prolog, fixed size, ids of groups and fixed colours."""
    box = re.search(r'viewBox="([^"]*)"', document)
    assert box is not None
    body = document[document.index(">", document.index("<svg")) + 1 :]
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>", "", body, count=1, flags=re.DOTALL)
    body = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", body)
    return f'<svg viewBox="{box[1]}" role="img">{_inked(body.strip())}'


def _inked(drawing: str) -> str:
    """With the page's colours in place of the fixed ones."""
    for name, colour in INKS.items():
        drawing = drawing.replace(colour, f"var(--{name})")
    return drawing


def _plain(value: float, _position: float | None = None) -> str:
    """A tick's number in few characters: 20000 as 20k."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size * 10 or (abs(value) >= size and letter != "k"):
            return f"{value / size:g}{letter}"
    return f"{value:g}" if abs(value) < 1e3 else f"{value:,.0f}"


def _series(events: list[Event], name: str, join: Callable[[Curve], float] = np.mean) -> tuple[Curve, Curve]:
    """Steps and finite values of one figure, joined to at most MOST_POINTS."""
    pairs = [(e["step"], e[name]) for e in events if math.isfinite(e.get(name, math.nan))]
    points = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    bins = np.array_split(points, min(len(points), MOST_POINTS)) if len(points) else []
    return np.array([b[-1, 0] for b in bins]), np.array([join(b[:, 1]) for b in bins])


def _raw_and_smooth(axes: "Axes", steps: Curve, values: Curve, ink: str) -> None:
    window = len(values) // SMOOTHING
    if window < 2:
        axes.plot(steps, values, color=INKS[ink], linewidth=1.6)
        return
    axes.plot(steps, values, color=INKS[ink], alpha=0.3, linewidth=1)
    kernel = np.ones(window)
    counts = np.convolve(np.ones(len(values)), kernel, mode="same")
    axes.plot(steps, np.convolve(values, kernel, mode="same") / counts, color=INKS[ink], linewidth=1.8)


def _validations(axes: "Axes", steps: Curve, values: Curve, best: Event | None, ink: str = "valid") -> None:
    dots = {"marker": "o", "markersize": 4} if len(steps) <= 60 else {}
    axes.plot(steps, values, color=INKS[ink], linewidth=1.6, **dots)  # type: ignore[arg-type]
    at = [i for i, step in enumerate(steps) if best and step == best["step"]]
    if at:
        point = steps[at[-1]], values[at[-1]]
        axes.plot(*point, marker="o", markersize=9, markerfacecolor="none", markeredgecolor=INKS[ink], clip_on=False)
        axes.annotate(
            f"{point[1]:.3f}", point, xytext=(0, 11), textcoords="offset points", ha="center", fontsize=FONT,
            color=INKS["text"], fontweight="bold",
        )  # fmt: skip


def _span(axes: "Axes", events: Events) -> None:
    axes.set_xlim(0, max(1, events.last["step"] if events.last else 1))


def _log_scale(axes: "Axes", values: Curve) -> None:
    """A logarithmic vertical axis whose ticks are plain numbers."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    positive = values[values > 0]
    if not len(positive):
        return
    low, high = positive.min(), positive.max()
    axes.set_yscale("log")
    wide = high > 12 * low
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 300 * low else (1,)) if wide else MaxNLocator(5))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(_plain)
    axes.set_ylim(low / (high / low) ** 0.06 / 1.02, high * (high / low) ** 0.04 * 1.02)


def _time_axis(axes: "Axes", events: Events) -> None:
    from matplotlib.ticker import MaxNLocator

    passed = [(0.0, 0.0)] + [(e["step"], e["seconds"]) for e in events.steps]
    steps, seconds = np.array(passed).T
    unit, name = next((u, n) for u, n in ((3600.0, "h"), (60.0, "min"), (1.0, "s")) if seconds[-1] >= 2 * u or u == 1)
    times = [t for t in MaxNLocator(8).tick_values(0, seconds[-1] / unit) if 0 < t * unit <= seconds[-1]]
    top = axes.twiny()
    top.set_xlim(axes.get_xlim())
    ticks: list[tuple[float, str]] = []
    for t in times:
        step = float(np.interp(t * unit, seconds, steps))
        # Where the training stood still for a while, many times fall on one step: their labels would overlap.
        # And the axis on the left has its label there.
        if step > 0.17 * steps[-1] and (not ticks or step - ticks[-1][0] > 0.1 * steps[-1]):
            ticks.append((step, f"{t:g} {name}"))
    top.set_xticks([step for step, _ in ticks], [label for _, label in ticks])
    top.tick_params(length=0, pad=4, colors=INKS["muted"], labelsize=FONT)
    for spine in top.spines.values():
        spine.set_visible(False)
