"""`make demo`: a language model of Python's own documentation in under three minutes, against a compressor."""

import lzma
import shutil
from pathlib import Path

import recurra
from recurra.cli._display import TrainingDisplay

FOLDER = Path("runs/demo")
# Leaves the rest of three minutes to the evaluation, the samples and the report.
MINUTES = 2.5


def xz_bytes(text: str) -> int:
    return len(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))


def main() -> None:
    if (FOLDER / "config.toml").exists():
        shutil.rmtree(FOLDER)  # an earlier demo's
    run = recurra.train("language-model", "pydoc", out=FOLDER, minutes=MINUTES, display=TrainingDisplay())
    bits = run.evaluate()["metrics"]["bits_per_token"]

    train, held_out = (frame["text"].iloc[0] for frame in (run.splits.train, run.splits.test))
    alone = 8 * xz_bytes(held_out) / len(held_out)
    after = 8 * (xz_bytes(train + held_out) - xz_bytes(train)) / len(held_out)
    print("\nBits per character of the held-out text (less is better)")
    print(f"  this model                        {bits:.3f}")
    print(f"  xz -9e, having seen the same text {after:.3f}")
    print(f"  xz -9e, on its own                {alone:.3f}")
    print("\nA sample, continuing 'The ':\n")
    print("The " + "".join(run.generate("The ", 300, temperature=0.6, seed=1)))
    print(f"\nThe report is {FOLDER / 'report.html'}")


if __name__ == "__main__":
    main()
