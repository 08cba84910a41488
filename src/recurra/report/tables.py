"""The tables of a report: figures beside each other, confusions, spans, and the rows that went wrong."""

from typing import Any

from recurra.report import words
from recurra.report.events import Events

# A matrix with more labels than this shows colours without numbers; with more than that, only its worst confusions.
LABELS_WITH_NUMBERS = 12
LABELS_SHOWN = 60
MOST_CONFUSIONS = 10
LONGEST_TEXT = 400
FOUND_SHOWN = 3


def beside(events: Events, others: dict[str, dict[str, float]]) -> dict[str, Any] | None:
    """The figures as a table, this model's and those of what one could use instead."""
    if not (events.evaluation and others):
        return None
    rows = [
        (
            words.name(metric),
            *(words.number(way[metric]) if metric in way else "" for way in (figures, *others.values())),
        )
        for figures in [events.evaluation["metrics"]]
        for metric in figures
    ]
    return {"heads": ("on the same rows", "this model", *others), "rows": rows}


def confusion(labels: list[str], counts: list[list[int]]) -> dict[str, Any]:
    """Counts with each cell's share of its row, and the most frequent confusions."""
    rows = []
    for label, row in zip(labels, counts, strict=True):
        total = sum(row)
        cells = [(count, count / total if total else 0.0) for count in row]
        rows.append({"label": label, "total": total, "cells": cells})
    wrong = [(counts[i][j], labels[i], labels[j]) for i in range(len(labels)) for j in range(len(labels)) if i != j]
    most = sorted((w for w in wrong if w[0]), reverse=True)[:MOST_CONFUSIONS]
    worst = [(words.number(count), label, predicted) for count, label, predicted in most]
    return {
        "labels": labels,
        "rows": rows if len(labels) <= LABELS_SHOWN else [],
        "numbers": len(labels) <= LABELS_WITH_NUMBERS,
        "worst": worst if len(labels) > LABELS_WITH_NUMBERS else [],
    }


def asked(rows: list[dict[str, Any]]) -> list[list[str]]:
    """A row for each text that asked, with the best of what it found; right ones are ticked."""
    return [
        [
            cut(row["asked"]),
            *(f"{'✓ ' if one['right'] else ''}{cut(one['text'])}" for one in row["found"]),
            *[""] * (FOUND_SHOWN - len(row["found"])),
            words.number(row["place"]),
        ]
        for row in rows
    ]


def spans(kinds: list[dict[str, Any]]) -> list[list[str]]:
    """A row for each kind of span."""
    scores, counts = ("f1", "precision", "recall"), ("true", "predicted")
    return [
        [row["kind"], *(f"{row[key]:.3f}" for key in scores), *(words.number(row[key]) for key in counts)]
        for row in kinds
    ]


def worst(details: dict[str, Any]) -> dict[str, Any] | None:
    """A table of the rows that went most wrong: of labels those it was surest of, of numbers the largest errors."""
    if rows := details.get("most_wrong"):
        return {
            "note": "The wrong predictions it was surest of.",
            "heads": ("text", "label", "read as", "probability"),
            "rows": [(cut(r["text"]), r["label"], r["predicted"], f"{r['probability']:.3f}") for r in rows],
        }
    if rows := details.get("largest_errors"):
        return {
            "note": "The largest errors.",
            "heads": ("row", "number", "predicted"),
            "rows": [(cut(r["text"]), words.number(r["number"]), words.number(r["predicted"])) for r in rows],
        }
    return None


def cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT].rstrip() + " …"
