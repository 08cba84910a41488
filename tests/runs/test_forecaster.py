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
from recurra.errors import InputError

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
    with pytest.raises(InputError, match="level: expected 0 to 95, got 99"):
        trained.predict(X_df=ahead(), level=[99])
    with pytest.raises(InputError, match="call fit first"):
        recurra.Forecaster(7).predict(df=sales())


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
    table, _ = called("predict", out, "--file", file)
    assert len(table.splitlines()) == 15
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
