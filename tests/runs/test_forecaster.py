"""From a frame in the long form to forecasts, in Python and on the command line."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import recurra
from recurra.cli import main
from recurra.errors import DataError, DataNote, InputError, RunError

SMALL = {"hidden": 6, "epochs": 1}


def sales(series: int = 3, days: int = 60) -> pd.DataFrame:
    draw, ds = np.random.default_rng(0), pd.date_range("2024-01-01", periods=days, freq="D")
    week = 3 * np.sin(np.arange(days) * 2 * np.pi / 7)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "unique_id": f"shop {i}",
                    "ds": ds,
                    "y": 10 + i + week + draw.normal(0, 0.3, days),
                    "promo": draw.integers(0, 2, days),
                }
            )
            for i in range(series)
        ],
        ignore_index=True,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> recurra.Forecaster:
    folder = tmp_path_factory.mktemp("forecaster")
    kinds = pd.DataFrame({"unique_id": [f"shop {i}" for i in range(3)], "kind": ["a", "b", "a"]})
    forecaster = recurra.Forecaster(7, future=["promo"], static=["kind"], out=folder / "run", **SMALL)
    return forecaster.fit(sales(), kinds)


def ahead(days: int = 7) -> pd.DataFrame:
    ds = pd.date_range("2024-03-01", periods=days, freq="D")
    return pd.concat([pd.DataFrame({"unique_id": f"shop {i}", "ds": ds, "promo": 1}) for i in range(3)])


def test_forecasts_every_series_as_far_as_it_is_asked(trained: recurra.Forecaster) -> None:
    found = trained.predict(X_df=ahead(), level=[80, 95])
    assert list(found) == [
        "unique_id", "ds", "Recurra", "Recurra-lo-80", "Recurra-hi-80", "Recurra-lo-95", "Recurra-hi-95",
    ]  # fmt: skip
    assert len(found) == 21
    assert found["ds"].iloc[0] == pd.Timestamp("2024-03-01")
    for inner, outer in (("lo-80", "lo-95"), ("hi-95", "hi-80")):
        assert (found[f"Recurra-{inner}"] >= found[f"Recurra-{outer}"] - 1e-6).all()
    assert ((found["Recurra-lo-80"] <= found["Recurra"]) & (found["Recurra"] <= found["Recurra-hi-80"])).all()
    short = trained.predict(2, X_df=ahead())
    pd.testing.assert_series_equal(short["Recurra"], found.groupby("unique_id").head(2)["Recurra"], check_index=False)


def test_what_is_not_known_or_not_learnt_is_refused(trained: recurra.Forecaster) -> None:
    with pytest.raises(InputError, match="shop 0: promo is not known at 2024-03-01"):
        trained.predict()
    with pytest.raises(InputError, match="expected h from 1 to the horizon of 7, got 8"):
        trained.predict(8, X_df=ahead())
    for level, said in (([99], "percents.* 95, got 99"), (-5, "percents.* got -5"), (["80"], "numbers, got '80'")):
        with pytest.raises(InputError, match=f"level: expected {said}"):
            trained.predict(X_df=ahead(), level=level)
    for h, said in ((2.5, "a whole number, got 2.5"), ("3", "a whole number, got '3'"), (0, "at least 1, got 0")):
        with pytest.raises(InputError, match=f"h: expected {said}"):
            trained.predict(h)
    with pytest.raises(InputError, match=r"quantiles: expected shares from 0\.025 to 0.975, got 80"):
        trained.predict(quantiles=[80])
    with pytest.raises(DataError, match=r"^X_df, row 3, column promo: expected a finite number, or nothing, got 'yes'"):
        trained.predict(X_df=ahead().assign(promo=[1, 1, "yes", *[1] * 18]))
    with pytest.raises(DataError, match=r"row 1, column y: expected numbers up to 1e\+35, got 1e\+200"):
        recurra.Forecaster(7, **SMALL).fit(sales().assign(y=1e200))
    with pytest.raises(InputError, match="call fit first"):
        recurra.Forecaster(7).predict(df=sales())
    with pytest.raises(InputError, match="call fit first"):
        recurra.Forecaster(7).predict()
    with pytest.raises(InputError, match="a run folder does not hold the series"):
        recurra.Forecaster.load(trained.run.path).predict()


def test_one_level_no_level_and_quantiles(trained: recurra.Forecaster) -> None:
    start = ["unique_id", "ds", "Recurra"]
    assert list(trained.predict(X_df=ahead(), level=80)) == [*start, "Recurra-lo-80", "Recurra-hi-80"]
    assert list(trained.predict(X_df=ahead(), level=[])) == start
    found = trained.predict(X_df=ahead(), level=80, quantiles=[0.1, 0.5])
    assert list(found)[5:] == ["Recurra-q-10", "Recurra-q-50"]
    pd.testing.assert_series_equal(found["Recurra-q-10"], found["Recurra-lo-80"], check_names=False)
    pd.testing.assert_series_equal(found["Recurra-q-50"], found["Recurra"], check_names=False)


def test_only_the_steps_that_are_asked_for_need_their_covariates(trained: recurra.Forecaster) -> None:
    short = trained.predict(3.0, X_df=ahead(3))
    whole = trained.predict(X_df=ahead()).groupby("unique_id").head(3).reset_index(drop=True)
    pd.testing.assert_frame_equal(short, whole)
    with pytest.raises(InputError, match=r"^X_df, series shop 0: promo is not known at 2024-03-04.* 4 steps to come"):
        trained.predict(4, X_df=ahead(3))


def test_what_is_left_out_is_said(trained: recurra.Forecaster) -> None:
    frame = sales().assign(kind=np.repeat(["a", "b", "a"], 60))
    frame["y"] = frame["y"].where(frame["unique_id"] != "shop 1")
    future = ahead().query("unique_id != 'shop 1'")
    with pytest.warns(DataNote, match="1 series without any y left out: shop 1") as said:
        found = trained.predict(df=frame.sample(frac=1, random_state=0), X_df=future)
    assert set(found["unique_id"]) == {"shop 0", "shop 2"}
    assert {one.filename for one in said} == {__file__}
    assert any("not in the order of time, and are sorted" in note for note in trained.notes)
    assert sum("left out" in note for note in trained.notes) == len(said) == 1
    trained.predict(X_df=ahead())
    assert trained.notes == []


def test_a_training_says_what_it_left_out_and_what_it_found(tmp_path: Path) -> None:
    frame = sales(2)[["unique_id", "ds", "y"]]
    frame = pd.concat([frame, frame.head(2)])
    forecaster = recurra.Forecaster(0, out=tmp_path / "run", **SMALL)
    with pytest.warns(DataNote, match="frame: 2 rows that repeat another one are left out") as said:
        forecaster.fit(frame)
    assert len(said) == 1
    assert any("season 7, horizon 7" in note for note in forecaster.notes)
    assert len(forecaster.predict()) == 14  # which has been said; a horizon of 0 is one season, as None is


def test_trained_again_the_run_goes_beside_the_one_before(tmp_path: Path) -> None:
    frame = sales(2)[["unique_id", "ds", "y"]]
    short = frame[(frame["unique_id"] == "shop 0") & (frame["ds"] < "2024-01-06")].assign(unique_id="short")
    forecaster = recurra.Forecaster(3, out=tmp_path / "run", **SMALL)
    with pytest.warns(DataNote, match="1 series are too short for 2 windows of 3 steps, 3 apart, and left out: short"):
        found = forecaster.cross_validation(pd.concat([frame, short]), 3, n_windows=2)
    assert set(found["unique_id"]) == {"shop 0", "shop 1"}
    forecaster.fit(frame)
    assert forecaster.run.path == tmp_path / "run-2"
    with pytest.raises(RunError, match=r"already exists; choose another folder \(out\)"):
        recurra.Forecaster(3, out=tmp_path / "run", **SMALL).fit(frame)


def test_columns_of_other_names_and_whole_numbers_as_series(tmp_path: Path) -> None:
    frame = sales()[["unique_id", "ds", "y"]].rename(columns={"ds": "day", "y": "sold"})
    frame["shop"] = frame.pop("unique_id").map({"shop 0": 10, "shop 1": 2, "shop 2": 3})
    names = {"id_col": "shop", "time_col": "day", "target_col": "sold"}
    forecaster = recurra.Forecaster(3, out=tmp_path / "run", **SMALL).fit(frame, **names)
    found = forecaster.predict()
    assert list(found)[:3] == ["shop", "day", "Recurra"]
    assert found["shop"].tolist() == [2, 2, 2, 3, 3, 3, 10, 10, 10]
    assert found["day"].dtype == frame["day"].dtype
    pd.testing.assert_frame_equal(recurra.Forecaster.load(tmp_path / "run").predict(df=frame), found)
    checked = forecaster.cross_validation(frame, 3, **names)
    assert list(checked)[:4] == ["shop", "day", "cutoff", "sold"]
    assert len(checked.merge(frame, on=["shop", "day", "sold"])) == 9


def test_hours_with_a_zone_come_back_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ds = pd.date_range("2024-03-28", periods=96, freq="h", tz="Europe/Berlin")
    frame = pd.DataFrame({"unique_id": "a", "ds": ds, "y": np.sin(np.arange(96) * np.pi / 12)})
    forecaster = recurra.Forecaster(24, out=tmp_path / "run", **SMALL).fit(frame)
    wanted = pd.date_range(ds[-1], periods=25, freq="h")[1:]
    found = forecaster.predict(level=[])["ds"]
    assert found.dtype == frame["ds"].dtype and found.tolist() == list(wanted)
    told = forecaster.run.predict(forecaster.run.windows(frame)[0])[0]["times"]
    assert told[0] == wanted[0].tz_convert("UTC").strftime("%Y-%m-%d %H:%M:%SZ")


def test_one_value_alone_has_no_intervals(tmp_path: Path) -> None:
    frame = sales(2)[["unique_id", "ds", "y"]]
    point = {"head__error": "absolute", "head__conformal": False}
    forecaster = recurra.Forecaster(3, out=tmp_path / "run", **point, **SMALL).fit(frame)
    assert list(forecaster.predict()) == ["unique_id", "ds", "Recurra"]
    with pytest.raises(InputError, match=r"head\.error=absolute a model that is not calibrated has no intervals"):
        forecaster.predict(level=80)
    assert not {"crps", "coverage_80"} & forecaster.run.evaluate(frame)["metrics"].keys()
    calibrated = recurra.Forecaster(3, out=tmp_path / "other", head__error="absolute", **SMALL).fit(frame)
    found = calibrated.predict(level=80)
    assert (found["Recurra-lo-80"] < found["Recurra-hi-80"]).all()


def test_loaded_again_it_forecasts_the_same(trained: recurra.Forecaster) -> None:
    again = recurra.Forecaster.load(trained.run.path)
    frame = sales().assign(kind=np.repeat(["a", "b", "a"], 60))
    pd.testing.assert_frame_equal(again.predict(df=frame, X_df=ahead()), trained.predict(X_df=ahead()))


def test_its_report_shows_what_it_forecasts(trained: recurra.Forecaster) -> None:
    page = (trained.run.path / "report.html").read_text(encoding="utf-8")
    assert "What it forecasts" in page
    assert "best forecast without a model" in page
    evaluation = trained.run.events[-1]
    assert {"naive", "seasonal naive", "drift"} <= evaluation["details"]["beside"].keys()


def test_cross_validation_never_trains_on_what_it_forecasts(tmp_path: Path) -> None:
    frame = sales(2)[["unique_id", "ds", "y"]]
    forecaster = recurra.Forecaster(out=tmp_path / "one", **SMALL)
    found = forecaster.cross_validation(pl.from_pandas(frame), 5, n_windows=2, step_size=3)
    assert isinstance(found, pl.DataFrame)
    assert found.shape == (20, 9)
    table = found.to_pandas()
    assert set(table["cutoff"].astype(str)) == {"2024-02-21", "2024-02-24"}
    merged = table.merge(frame, on=["unique_id", "ds"])
    np.testing.assert_allclose(merged["y_x"], merged["y_y"])
    # Other values after the first cutoff change no forecast from it.
    changed = frame.assign(y=np.where(frame["ds"] > "2024-02-21", 99.0, frame["y"]))
    again = recurra.Forecaster(out=tmp_path / "two", **SMALL).cross_validation(changed, 5, 2, step_size=3)
    first = table[table["cutoff"] == "2024-02-21"]["Recurra"].to_numpy()
    np.testing.assert_array_equal(first, again[again["cutoff"] == "2024-02-21"]["Recurra"].to_numpy())


def test_from_a_file_to_forecasts_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def called(*arguments: object) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["recurra", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        assert end.value.code == 0, said.err
        return said.out, said.err

    file, out = tmp_path / "sales.csv", tmp_path / "run"
    frame = sales().rename(columns={"unique_id": "shop", "ds": "date", "y": "sales"})
    frame.to_csv(file, index=False)
    small = ("--hidden", 6, "--epochs", 1, "--column", "unique_id=shop", "--column", "past=promo")
    _, said = called("train", "forecast", file, "--horizon", 5, "--out", out, *small)
    assert "a step each day, season 7, horizon 5" in said
    assert "best forecast without a model" in said
    printed, _ = called("predict", out, "--file", file, "--json")
    rows = [json.loads(row) for row in printed.splitlines()]
    assert [row["id"] for row in rows] == ["shop 0", "shop 1", "shop 2"]
    assert [len(row["forecast"]) for row in rows] == [5] * 3
    table, said = called("predict", out, "--file", file)
    assert len(table.splitlines()) == 15
    assert said.splitlines()[-1].split("\t") == ["unique_id", "ds", "Recurra", "Recurra-lo-80", "Recurra-hi-80"]
    wide, _ = called("predict", out, "--file", file, "--level", "50,90")
    assert [len(line.split("\t")) for line in wide.splitlines()] == [7] * 15
    for ending, read in (("csv", pd.read_csv), ("parquet", pd.read_parquet)):
        called("predict", out, "--file", file, "--level", "80", "--out", tmp_path / f"found.{ending}")
        found = read(tmp_path / f"found.{ending}")
        assert [f"{v:.6g}" for v in found["Recurra-hi-80"]] == [line.split("\t")[4] for line in table.splitlines()]
    measured, _ = called("evaluate", out, file, "--json")
    assert json.loads(measured)["metrics"]["mae"] > 0


def test_one_covariate_is_a_name_and_not_its_letters() -> None:
    assert recurra.Forecaster(future="promo").covariates["future"] == ("promo",)


def test_a_frequency_is_kept_as_the_data_have_it(tmp_path: Path) -> None:
    months = sales(2, 40)
    months["ds"] = [*pd.date_range("2020-01-01", periods=40, freq="MS").strftime("%d/%m/%Y")] * 2
    found = recurra.Forecaster(3, freq="MS", out=tmp_path / "months", **SMALL).fit(months)
    assert found.run.config.modality.frequency == "M"
    assert str(found.predict()["ds"].iloc[0])[:10] == "2023-05-01"
    counted = sales(2, 40).assign(ds=[*range(40)] * 2)
    found = recurra.Forecaster(3, freq=1, out=tmp_path / "counted", **SMALL).fit(counted)
    assert found.run.config.modality.frequency == "step"
    assert found.predict()["ds"].iloc[0] == 40
    with pytest.raises(InputError, match="rows lie 7 steps of one step apart"):
        found.predict(df=counted.assign(ds=counted["ds"] * 7))


def test_columns_of_static_df_are_static_beside_others_that_are_named(tmp_path: Path) -> None:
    frame = sales()[["unique_id", "ds", "y"]].assign(price=1.5)
    names = sorted(frame["unique_id"].unique())
    static = pd.DataFrame({"unique_id": names, "kind": [f"k{i % 2}" for i in range(len(names))]})
    forecaster = recurra.Forecaster(2, future=["price"], out=tmp_path / "run", epochs=1, hidden=4).fit(frame, static)
    assert forecaster.run.config.data.columns["static"] == "kind"
    with pytest.raises(InputError, match="static_df goes with df"):
        forecaster.predict(static_df=static)
