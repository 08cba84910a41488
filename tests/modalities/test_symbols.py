"""Symbols: alphabets, codes for several letters, and both strands of DNA."""

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.config import override
from recurra.errors import InputError
from recurra.heads import HEADS
from recurra.modalities.symbols import Symbols, SymbolsConfig
from recurra.model import Model
from recurra.runs.config import defaults
from recurra.sequences import Ragged
from recurra.tasks import TASKS

DNA = Symbols.fit(SymbolsConfig(strands="both"), ["ACGT"])
CODES = "ACGTRYSWKMBDHVN"
COMPLEMENTS = dict(zip(CODES, "TGCAYRSWMKVHDBN", strict=True))


@settings(deadline=None, max_examples=50)
@given(st.text(CODES, max_size=30))
def test_the_other_strand_is_the_reverse_complement_of_every_code(row: str) -> None:
    mirrored = DNA.mirrored(DNA.encode_all([row, "AC"]))
    assert mirrored is not None
    one, other = mirrored.unbind()
    assert DNA.decode(one) == "".join(COMPLEMENTS[x] for x in reversed(row))
    assert DNA.decode(other) == "GT"
    assert DNA.decode(DNA.encode(row)) == row


def test_codes_share_their_step_evenly_and_small_letters_are_large_ones() -> None:
    assert torch.equal(DNA.encode("acgun"), DNA.encode("ACGTN"))
    assert DNA.encode("N").tolist() == [[0.25] * 4]
    assert torch.allclose(DNA.encode("B").sum(-1), torch.ones(1))


@pytest.mark.parametrize(
    ("rows", "letters"),
    [
        (["ACGT", "nnry"], "ACGT"),
        (["MKV", "GGX"], "ACDEFGHIKLMNPQRSTVWYUO*"),
        (["HHEE", "hc-"], "-EHch"),
        (["01", "110"], "01"),
    ],
)
def test_the_alphabet_is_found(rows: list[str], letters: str) -> None:
    found = Symbols.fit(SymbolsConfig(), rows)
    assert found.alphabet.letters == letters
    assert found.natural_width(7) == len(letters)


def test_what_is_no_symbol_is_named_with_its_place() -> None:
    with pytest.raises(InputError, match=r"sequence 2, position 3 .*: '-' is no symbol"):
        DNA.encode_all(["ACGT", "AC-T"])
    with pytest.raises(InputError, match="'É' is no symbol"):
        DNA.encode("É")
    with pytest.raises(InputError, match="'X' is no symbol"):
        Symbols.fit(SymbolsConfig(alphabet="dna"), ["ACX"])
    with pytest.raises(InputError, match="nothing but empty sequences in 2 training rows"):
        Symbols.fit(SymbolsConfig(), ["", ""])
    with pytest.raises(InputError, match="expected a str, got int"):
        DNA.encode(3)


def test_only_dna_has_two_strands() -> None:
    with pytest.raises(InputError, match="both is for alphabet dna"):
        Symbols.fit(SymbolsConfig(strands="both"), ["MKVL"])
    with pytest.raises(InputError, match="both is for alphabet dna, not for protein"):
        SymbolsConfig(strands="both", alphabet="protein")
    assert Symbols.fit(SymbolsConfig(), ["ACGT"]).mirrored(DNA.encode_all(["A"])) is None


def net(task: str, rows: list[str], targets: dict[str, list[str]], strands: str, **settings: object) -> Model:
    kind = TASKS.get(task)
    config = override(defaults(kind), {"trunk.hidden": 5, "modality.strands": strands, **settings})
    modality = Symbols.fit(config.modality, rows)
    learnt = HEADS.get(kind.output).learn(config.head, pd.DataFrame({"symbols": rows, **targets}))
    return Model(config.model, modality, learnt).double()


def other(row: str) -> str:
    return "".join(COMPLEMENTS[x] for x in reversed(row))


@pytest.mark.parametrize("pool", ["max", "mean", "attention", "last"])
def test_a_prediction_is_the_mean_of_both_strands_scores(pool: str) -> None:
    rows, labels = ["ACGTTG", "GGC"], {"label": ["x", "y"]}
    both = net("dna", rows, labels, "both", **{"head.pool": pool})
    one = net("dna", rows, labels, "one", **{"head.pool": pool})
    one.load_state_dict(both.state_dict())
    for row in rows:
        said, mirrored = both.predict([row, other(row)])
        assert said["probabilities"] == pytest.approx(mirrored["probabilities"], rel=1e-9)
        logs = torch.tensor([[*map(list, (p["probabilities"].values() for p in one.predict([row, other(row)])))]]).log()
        mean = logs[0].mean(0).softmax(-1).tolist()
        assert list(said["probabilities"].values()) == pytest.approx(mean, rel=1e-6)


def test_tags_stay_with_their_bases_on_either_strand() -> None:
    rows, tags = ["ACGTTG", "GGCA"], {"tags": ["a b a b b a", "b b a a"]}
    both = net("dna-tags", rows, tags, "both")
    for row in rows:
        said, mirrored = both.predict([row, other(row)])
        assert said["tags"] == mirrored["tags"][::-1]
        assert said["probabilities"] == pytest.approx(mirrored["probabilities"][::-1], rel=1e-9)


def test_in_training_either_strand_is_read_and_targets_follow() -> None:
    """Tags that each base has by itself are learnt; a reading whose targets did not follow would blur them."""
    torch.manual_seed(0)
    draw = torch.Generator().manual_seed(0)
    rows = ["".join("ACGT"[i] for i in torch.randint(4, (12,), generator=draw)) for _ in range(20)]
    frame = pd.DataFrame({"symbols": rows, "tags": [" ".join("uw"[x in "AT"] for x in row) for row in rows]})
    model = net("dna-tags", rows, {"tags": list(frame["tags"])}, "both", **{"trunk.dropout": 0.0})
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    seen = set()
    encode = model.modality.mirrored

    def watched(inputs: Ragged) -> Ragged | None:
        found = encode(inputs)
        seen.add(model.training)
        return found

    model.modality.mirrored = watched  # type: ignore[method-assign]
    for _ in range(30):
        for batch in model.batches(frame, "test", tokens=500, truncation=0, shuffle=False).epoch(0, 0):
            total, count, _ = model(batch.inputs, batch.targets, None)
            optimizer.zero_grad()
            (total / count).backward()
            optimizer.step()
    assert model.measure(model.evaluation_batches(frame, "test")).metrics()["accuracy"] > 0.98
    assert seen == {True, False}


def test_one_odd_record_makes_no_protein_of_dna() -> None:
    rows = ["ACGTTGA", "GATTACA"] * 30
    with pytest.raises(
        InputError, match=r"60 of 61 sequences are dna, which sequence 31 is not, by its letter 'J' at 4"
    ):
        Symbols.fit(SymbolsConfig(), [*rows[:30], "ACGJT", *rows[30:]])
    said = Symbols.fit(SymbolsConfig(alphabet="protein"), [*rows, "ACGJT"])
    assert said.kind == "protein" and said.notes(rows) == []
    found = Symbols.fit(SymbolsConfig(), rows)
    assert found.notes(rows) == ["alphabet dna: A C G T (found; modality.alphabet says otherwise)"]
    assert Symbols.fit(SymbolsConfig(), [*rows, *["MKVLE"] * 30]).kind == "protein"


def test_strands_are_of_dna_and_what_is_none_is_named() -> None:
    with pytest.raises(InputError, match=r"both is for alphabet dna, which sequence 2 is not, by its letter 'E' at 3"):
        Symbols.fit(SymbolsConfig(strands="both"), ["ACGT", "ACEF"])
