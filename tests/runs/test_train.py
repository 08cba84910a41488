"""From a file to a run: what is learnt, what is left behind, what can be done with it."""

import json
import random
import tomllib
from typing import Any

import pandas as pd
import pytest
import torch

import recurra
from recurra.errors import DataError, InputError, MissingFileError, RunError, UnknownNameError
from recurra.runs.config import defaults, from_run
from recurra.tasks import TASKS

SMALL: dict[str, Any] = {"hidden": 8, "epochs": 2, "batch_tokens": 256, "device": "cpu"}


def reviews(rows: int = 60) -> pd.DataFrame:
    draw = random.Random(0)
    good, bad = ["fine", "great", "lovely"], ["awful", "dull", "poor"]
    made = []
    for i in range(rows):
        words = [draw.choice(good if i % 2 else bad), *draw.choices(["film", "plot", "cast", "the", "a"], k=3), str(i)]
        made.append({"review": " ".join(words), "stars": "up" if i % 2 else "down"})
    return pd.DataFrame(made)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory) -> recurra.Run:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("classifier")
    reviews().to_csv(folder / "reviews.csv", index=False)
    return recurra.train(
        "sentiment", folder / "reviews.csv", out=folder / "run", text="review", label="stars",
        hidden=8, epochs=25, device="cpu", batch_tokens=64, rate=0.02, min_count=2, patience=0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def writer(tmp_path_factory) -> recurra.Run:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("writer")
    (folder / "text.txt").write_text("the cat sat on the mat\n" * 300)
    return recurra.train("language-model", folder / "text.txt", out=folder / "run", hidden=24, epochs=8,
                         batch_tokens=256, rate=0.01, device="cpu")  # fmt: skip


def test_a_run_folder_holds_what_the_design_says(classifier):
    names = {p.name for p in classifier.path.iterdir()}
    assert names == {"config.toml", "model.safetensors", "vocab.json", "metrics.jsonl", "report.html", "checkpoint"}
    config = tomllib.loads((classifier.path / "config.toml").read_text())
    assert config["task"] == "sentiment"
    assert config["data"]["columns"] == {"text": "review", "label": "stars"}
    assert [e["event"] for e in classifier.events if e["event"] != "step"][:2] == ["start", "valid"]
    assert [e["event"] for e in classifier.events][-2:] == ["end", "evaluation"]


def test_learns_from_a_file_and_predicts(classifier):
    result = classifier.evaluate()
    assert result["task"] == "sentiment"
    assert result["split"] == "test"
    assert set(result["metrics"]) == {"accuracy", "macro_f1", "nats"}
    assert result["metrics"]["accuracy"] == 1.0
    first, second = classifier.predict(["great film", "awful film"])
    assert (first["label"], second["label"]) == ("up", "down")
    assert sum(first["probabilities"].values()) == pytest.approx(1.0)


def test_what_a_label_rests_on_is_what_told_it(classifier):
    for text, telling in (("the great film", 1), ("dull plot a", 0)):
        (found,) = classifier.predict([text], explain=True)
        assert max(range(3), key=found["contributions"].__getitem__) == telling
        assert found["contributions"][telling] > 0
    explained = classifier.events[-1]["details"]["explained"]
    assert explained and all(len(one["tokens"]) == len(one["contributions"]) for one in explained)
    assert all(one["wanted"] == one["label"] for one in explained)  # its accuracy is 1
    html = (classifier.path / "report.html").read_text()
    assert "What it rests on" in html and 'class="for"' in html


def test_alone_equals_batched(classifier):
    texts = ["great film", "", "a very long text about the plot " * 20, "🎬", "awful"]
    together = classifier.predict(texts)
    for text, expected in zip(texts, together, strict=True):
        assert classifier.predict([text])[0]["probability"] == pytest.approx(expected["probability"], abs=1e-5)


def test_a_loaded_run_is_the_trained_one(classifier):
    again = recurra.load(classifier.path)
    assert again.predict(["great plot"]) == classifier.predict(["great plot"])
    assert again.config == classifier.config


def test_a_saved_run_is_whole_and_overwrites_nothing(classifier, tmp_path):
    classifier.save(tmp_path / "copy")
    assert recurra.load(tmp_path / "copy").predict(["dull"]) == classifier.predict(["dull"])
    with pytest.raises(RunError, match="already exists"):
        classifier.save(tmp_path / "copy")


def test_evaluates_on_another_file_and_frame(classifier, tmp_path):
    frame = reviews(10)
    frame.to_csv(tmp_path / "more.csv", index=False)
    on_file = classifier.evaluate(tmp_path / "more.csv")
    assert on_file["metrics"] == classifier.evaluate(frame)["metrics"]
    assert on_file["data"].endswith("more.csv")


def test_a_label_never_trained_on_is_named(classifier):
    frame = reviews(4)
    frame.loc[2, "stars"] = "sideways"
    with pytest.raises(DataError, match=r"row 3, column (label|stars|verdict): 'sideways' never occurs in training"):
        classifier.evaluate(frame)


def test_reads_a_file_to_predict_without_labels(classifier, tmp_path):
    reviews(3)[["review"]].to_csv(tmp_path / "in.csv", index=False)
    assert classifier.read(tmp_path / "in.csv") == list(reviews(3)["review"])


def test_a_language_model_learns_and_continues(writer):
    metrics = writer.evaluate()["metrics"]
    assert set(metrics) == {"nats_per_token", "bits_per_token", "perplexity"}
    assert metrics["nats_per_token"] < 0.5
    text = "".join(writer.generate("the cat", 60, temperature=0))
    assert "sat on the mat" in text
    assert len(text) == 60


def test_generation_follows_its_seed(writer):
    def draw(seed: int) -> str:
        return "".join(writer.generate("the", 40, temperature=1.5, seed=seed))

    assert draw(1) == draw(1) != draw(2)
    assert "".join(writer.generate("the", 30, temperature=2.0, top_k=1)) == "".join(
        writer.generate("the", 30, temperature=0)
    )


def test_generation_refuses_what_it_cannot_do(writer, classifier):
    with pytest.raises(InputError, match="the model has never seen 'Ω'"):
        writer.generate("ΩΩΩ")
    with pytest.raises(InputError, match="needs a language model"):
        classifier.generate("a")
    for wrong in ({"temperature": -1.0}, {"top_p": 0.0}, {"top_k": -1}, {"length": 0}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            writer.generate("the", **wrong)


def test_whole_documents_instead_of_truncation(tmp_path):
    frame = pd.DataFrame({"text": [f"{'ab' * (i % 9)}." for i in range(80)]})
    run = recurra.train(
        "language-model", frame, out=tmp_path / "run", truncation=0, rate=0.02, **{**SMALL, "epochs": 15}
    )
    assert run.evaluate(frame)["metrics"]["nats_per_token"] < 1.2


def test_python_and_settings_agree(tmp_path):
    run = recurra.train("topic", reviews(), out=tmp_path / "run", text="review", label="stars", cell="gru",
                        training__rate=0.5e-3, seed=3, **SMALL)  # fmt: skip
    config = from_run(tomllib.loads((run.path / "config.toml").read_text()))
    assert (config.trunk.cell, config.training.rate, config.seed) == ("gru", 0.5e-3, 3)
    assert run.events[0]["seed"] == 3


def test_the_same_seed_gives_the_same_weights(tmp_path):
    def weights(name: str, seed: int) -> bytes:
        run = recurra.train("topic", reviews(), out=tmp_path / name, text="review", label="stars", seed=seed, **SMALL)
        return (run.path / "model.safetensors").read_bytes()

    assert weights("a", 1) == weights("b", 1) != weights("c", 2)


def test_minutes_without_epochs_lift_the_limit_on_epochs(tmp_path):
    small = {k: v for k, v in SMALL.items() if k != "epochs"}
    run = recurra.train("topic", reviews(), out=tmp_path / "run", text="review", label="stars", minutes=0.02,
                        patience=0, **small)  # fmt: skip
    end = next(e for e in run.events if e["event"] == "end")
    assert end["reason"] == "minutes"
    assert end["seconds"] < 5


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"hiden": 3}, UnknownNameError, "did you mean 'hidden'"),
        ({"cell": "lstn"}, UnknownNameError, "unknown cell 'lstn': did you mean 'lstm'"),
        ({"training__optimizer": "adam"}, UnknownNameError, "did you mean 'adamw'"),
        ({"epochs": "many"}, InputError, "epochs: expected int, got 'many'"),
        ({"epochs": 0}, InputError, "would never end"),
        ({"dropout": 1.0}, InputError, "could be"),
        ({"trunk__dropout": 1.0}, InputError, "trunk.dropout: expected 0 up to but not 1"),
        ({"label": "sterne"}, InputError, "sterne"),
        ({"config": "nowhere.toml"}, MissingFileError, "nowhere.toml"),
        ({"device": "gpu"}, UnknownNameError, "training.device 'gpu'"),
        ({"device": "cuda"}, InputError, "no CUDA device"),
    ],
)
def test_a_wrong_option_is_named_and_nothing_is_written(tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        recurra.train("topic", reviews(), out=tmp_path / "run", **{"text": "review", "label": "stars", **options})
    assert not (tmp_path / "run").exists()


def test_a_language_model_may_not_read_both_ways(tmp_path):
    with pytest.raises(InputError, match=r"trunk\.bidirectional: a model of the next token must not read it"):
        recurra.train("language-model", reviews(), out=tmp_path / "run", text="review", bidirectional=True, **SMALL)
    assert not (tmp_path / "run").exists()


def test_one_label_only(tmp_path):
    frame = reviews().assign(stars="up")
    with pytest.raises(DataError, match="only one value, 'up'"):
        recurra.train("topic", frame, out=tmp_path / "run", text="review", label="stars")


def test_an_existing_folder_is_left_alone(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    with pytest.raises(RunError, match="already exists; choose another folder"):
        recurra.train("topic", reviews(), out=tmp_path / "run", text="review", label="stars")
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["thesis.txt"]


def test_folders_that_are_no_runs(tmp_path, classifier):
    with pytest.raises(MissingFileError, match="no such run folder"):
        recurra.load(tmp_path / "none")
    with pytest.raises(RunError, match="not a run folder"):
        recurra.load(tmp_path)
    copy = tmp_path / "copy"
    classifier.save(copy)
    text = (copy / "config.toml").read_text()
    (copy / "config.toml").write_text(text.replace("format = 1", "format = 99"))
    with pytest.raises(RunError, match="made by a newer Recurra"):
        recurra.load(copy)
    (copy / "config.toml").write_text(text.replace("hidden =", "hiden ="))
    with pytest.raises(UnknownNameError, match="did you mean 'hidden'"):
        recurra.load(copy)
    (copy / "config.toml").write_text(text)
    (copy / "vocab.json").write_text("{}")
    with pytest.raises(RunError, match=r"vocab\.json"):
        recurra.load(copy)
    (copy / "model.safetensors").unlink()
    with pytest.raises(RunError, match="not kept any weights"):
        recurra.load(copy)


def test_every_task_has_a_configuration_that_survives_its_file():
    for task in TASKS.all().values():
        from recurra.config import to_dict

        config = defaults(task)
        assert from_run(json.loads(json.dumps(to_dict(config)))) == config


def parity(rows: int, seed: int) -> pd.DataFrame:
    draw = random.Random(seed)
    texts = ["".join(draw.choices("01", k=draw.randint(1, 8))) for _ in range(rows)]
    return pd.DataFrame({"text": texts, "label": ["odd" if t.count("1") % 2 else "even" for t in texts]})


def test_toy_parity(tmp_path):
    """Many to one: whether a string holds an odd number of ones; no step can be left out."""
    run = recurra.train("topic", parity(600, 0), out=tmp_path / "run", unit="char", bidirectional=False, cell="gru",
                        hidden=16, pool="last", input_dropout=0, trunk__dropout=0, head__dropout=0, rate=0.02,
                        epochs=60, batch_tokens=512, patience=0, device="cpu", schedule="one-cycle")  # fmt: skip
    assert run.evaluate(parity(200, 1))["metrics"]["accuracy"] > 0.95


def test_toy_first_symbol_after_noise(tmp_path):
    """Many to one, read from behind: the label is the first of many symbols."""
    draw = random.Random(0)
    texts = ["".join(draw.choices("abcd", k=20)) for _ in range(400)]
    frame = pd.DataFrame({"text": texts, "label": [t[0] for t in texts]})
    run = recurra.train("topic", frame, out=tmp_path / "run", unit="char", pool="last", hidden=16, input_dropout=0,
                        trunk__dropout=0, head__dropout=0, rate=0.02, epochs=10, batch_tokens=512,
                        device="cpu")  # fmt: skip
    assert run.evaluate()["metrics"]["accuracy"] > 0.95


def test_toy_copy(tmp_path):
    """Many to many, shifted by one: what stands before the bar comes again after it, for words never seen too."""
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdef", k=3)) for _ in range(1500)]
    frame = pd.DataFrame({"text": [f"{w}|{w}" for w in words]})
    run = recurra.train("language-model", frame, out=tmp_path / "run", truncation=0, hidden=64, rate=0.01, epochs=10,
                        batch_tokens=200, device="cpu")  # fmt: skip
    unseen = sorted(set(run.splits.test["text"]))[:20]
    copied = ["".join(run.generate(text[:4], 3, temperature=0)) == text[4:] for text in unseen]
    assert sum(copied) >= 18
