"""Tables with a step of a recording in each row: what is found in them, and that no step is lost."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.datasets import DataConfig, load, read_rows
from recurra.datasets.logs import Log, recordings
from recurra.datasets.tables import frame_of
from recurra.errors import DataError, InputError, UnknownNameError

GESTURE, SEGMENTATION = ("series", "label"), ("series", "tags")


def table(people: int = 2, each: int = 6) -> pd.DataFrame:
    """Each person rests for half of the steps and walks for the others."""
    steps = people * each
    return frame_of(
        {
            "subject": [f"p{i // each}" for i in range(steps)],
            "t": [0.02 * (i % each) for i in range(steps)],
            "x": [str(i) for i in range(steps)],
            "y": [-i for i in range(steps)],
            "activity": ["rest" if i % each < each // 2 else "walk" for i in range(steps)],
        }
    )


def log(frame: pd.DataFrame, roles: tuple[str, ...] = GESTURE, **settings: str | int) -> Log:
    window = int(settings.pop("window", 0))
    found = recordings(frame, "log.csv", roles, {k: str(v) for k, v in settings.items()}, {}, window)
    assert found is not None
    return found


def test_a_label_that_changes_makes_rows_of_its_stretches() -> None:
    found = log(table())
    assert list(found.table["label"]) == ["rest", "walk"] * 2
    assert found.table.index.tolist() == [1, 4, 7, 10]
    assert found.table["series"][4].tolist() == [[3.0, -3.0], [4.0, -4.0], [5.0, -5.0]]
    assert found.columns == {"series": "x,y", "id": "subject", "time": "t", "label": "activity"}
    (note,) = found.notes
    assert note.startswith(
        "log.csv: a step in each row, 2 recordings with 4 stretches of one label, of 3 to 3 steps: "
        "channels x, y; id is subject; time is t; label is activity"
    )


def test_a_tag_for_each_step_where_tags_are_wanted() -> None:
    frame = table()
    frame.loc[[2, 8], "activity"] = ""
    found = log(frame, SEGMENTATION)
    assert list(found.table["tags"]) == [("rest", "none", "rest", "walk", "walk", "walk")] * 2
    assert "2 steps without a tag, which have the tag none" in found.notes[1]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from("ab")), min_size=1, max_size=40), st.integers(0, 7))
def test_no_step_is_lost_and_none_is_in_two_recordings(steps: list[tuple[int, str]], window: int) -> None:
    frame = frame_of(
        {"id": [i for i, _ in steps], "v": [float(i) for i in range(len(steps))], "label": [k for _, k in steps]}
    )
    if frame["id"].nunique() == len(frame):
        return
    found = log(frame, window=window)
    seen = [set(series[:, 0].astype(int).tolist()) for series in found.table["series"]]
    assert set().union(*seen) == set(range(len(steps)))
    for series, label, at in zip(found.table["series"], found.table["label"], seen, strict=True):
        assert {steps[i] for i in at} == {(steps[min(at)][0], label)}
        assert not window or len(series) <= window
    if not window:
        assert sum(map(len, seen)) == len(steps)


def test_windows_reach_to_the_end_and_stay_with_their_recording() -> None:
    frame = frame_of({"time": list(range(25)), "v": list(range(25)), "label": ["a"] * 11 + ["b"] * 14})
    found = log(frame, window=4)
    assert [int(series[0, 0]) for series in found.table["series"]] == [0, 2, 4, 6, 7, 11, 13, 15, 17, 19, 21]
    assert {len(series) for series in found.table["series"]} == {4}
    assert found.table["recording"].nunique() == 2
    assert "2 stretches of one label, cut into 11 windows" in found.notes[0]


def test_a_recording_ends_where_time_goes_back() -> None:
    frame = table().drop(columns="subject")
    found = log(frame, SEGMENTATION)
    assert [len(series) for series in found.table["series"]] == [6, 6]
    frame.loc[5, "t"] = 9.0
    assert "1 gaps in time" in "".join(log(frame, SEGMENTATION).notes)


def test_what_is_said_goes_before_what_is_guessed() -> None:
    frame = table().rename(columns={"subject": "who", "activity": "doing"}).assign(level=1.0, device="left")
    found = log(frame, series="x", id="who", time="t", label="doing")
    assert found.columns == {"series": "x", "id": "who", "time": "t", "label": "doing"}
    assert found.notes[-1] == "log.csv: columns that are not read: y, level, device"
    with pytest.raises(UnknownNameError, match="whoo"):
        log(frame, series="x", id="whoo", label="doing")
    with pytest.raises(InputError, match="which column is the label"):
        log(frame)


def test_what_counts_the_rows_is_no_channel() -> None:
    frame = table().assign(id=range(12))
    assert log(frame).columns["series"] == "x,y"


@pytest.mark.parametrize(
    "frame",
    [
        frame_of({"series": ["1 2 3", "4 5"], "label": ["a", "b"], "id": [1, 1]}),
        frame_of({"samples": [[1.0, 2.0]] * 4, "label": ["a", "b"] * 2, "user": [1, 1, 2, 2]}),
        frame_of({"samples": [np.zeros((3, 2))] * 2, "label": ["a", "b"]}),
        frame_of({**{f"t{i}": [0.5] * 4 for i in range(9)}, "label": ["a", "a", "b", "b"]}),
        frame_of({**{f"t{i}": [0.5] * 4 for i in range(128)}, "label": ["a", "a", "b", "b"], "subject": [1, 1, 2, 2]}),
        frame_of({"x": [1, 2, 3, 4], "label": ["a", "b", "a", "b"]}),
    ],
    ids=["cells", "lists", "arrays", "windows", "windows of people", "one number each"],
)
def test_series_in_rows_are_no_log(frame: pd.DataFrame) -> None:
    assert recordings(frame, "f.csv", GESTURE, {}, {}) is None


def test_channels_and_a_label_that_stays_are_enough() -> None:
    frame = table().drop(columns=["subject", "t"])
    assert list(log(frame).table["label"]) == ["rest", "walk", "rest", "walk"]


def test_a_cell_that_is_no_number_is_named() -> None:
    frame = table()
    frame.loc[9, "x"] = "o.5"
    with pytest.raises(DataError, match=r"log\.csv, row 9, column x: expected a number, got 'o\.5'"):
        log(frame)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    table(people=20, each=8).to_csv(path, index=False)
    return path


def test_people_are_held_out_as_wholes(file: Path) -> None:
    splits = load(DataConfig(source=str(file)), GESTURE)
    people = [set(part["recording"]) for part in (splits.train, splits.valid, splits.test)]
    assert [len(one) for one in people] == [16, 2, 2]
    assert len(set().union(*people)) == 20
    again = load(DataConfig(source=str(file), columns=splits.columns), GESTURE)
    assert again.train.equals(splits.train)


def test_one_long_recording_is_divided_in_time_where_each_step_has_a_tag(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    table(people=1, each=100).to_csv(path, index=False)
    splits = load(DataConfig(source=str(path)), SEGMENTATION)
    assert splits.valid is not None and splits.test is not None
    assert [len(part["tags"].iloc[0]) for part in (splits.train, splits.valid, splits.test)] == [80, 10, 10]
    assert splits.test["series"].iloc[0][:, 0].tolist() == list(range(90, 100))


def test_to_predict_a_recording_is_a_row(file: Path) -> None:
    rows = read_rows(file, ("series",), {}, familiar={"series": "x,y"}, gaps=("series",))
    assert [len(series) for series in rows.frame["series"]] == [8] * 20


def test_a_line_that_was_cut_off_is_named(file: Path) -> None:
    file.write_text(file.read_text()[:-12])
    with pytest.raises(DataError, match=r"log\.csv, line 161: .* it is the last line: was the file cut off\?"):
        load(DataConfig(source=str(file)), GESTURE)


def test_stretches_without_a_label_are_left_out_and_counted(tmp_path: Path) -> None:
    frame = table(people=20, each=8)
    frame.loc[1:4, "activity"] = None
    frame.to_csv(tmp_path / "log.csv", index=False)
    splits = load(DataConfig(source=str(tmp_path / "log.csv")), GESTURE)
    assert any("1 of 40 rows left out: 1 without label" in note for note in splits.notes)


def test_a_label_that_training_has_not_is_named_with_its_row(file: Path) -> None:
    import recurra

    run = recurra.train("gesture", file, out=file.parent / "run", epochs=1, hidden=4, device="cpu", window=3)
    assert np.isfinite(run.evaluate(file)["metrics"]["nats"])
    assert len(run.predict(run.read(file))) == 20 * 6
    other = table(each=8)
    other.loc[13:, "activity"] = "jump"
    with pytest.raises(DataError, match=r"row 13, column activity: 'jump' never occurs in training"):
        run.evaluate(other)


def test_columns_of_a_log_are_chosen_as_those_of_the_task_are(file: Path) -> None:
    import recurra

    options = {"epochs": 1, "hidden": 4, "device": "cpu"}
    run = recurra.train("gesture", file, out=file.parent / "run", series="x", id="activity", label="subject", **options)
    assert run.splits.columns == {"series": "x", "id": "activity", "time": "t", "label": "subject"}
