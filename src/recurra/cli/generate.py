"""recurra generate"""

import sys
from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = 'recurra generate runs/demo --prompt "The " --length 300 --temperature 0.7 --seed 1'


def generate(
    run: Annotated[Path, typer.Argument(help="The run folder of a language model.")],
    prompt: Annotated[str, typer.Option(help="Text to continue.")] = "",
    length: Annotated[int, typer.Option(help="Tokens to draw.")] = 200,
    temperature: Annotated[float, typer.Option(help="0: always the most likely; 1: as the model believes.")] = 0.8,
    top_k: Annotated[int, typer.Option(help="Draw from this many most likely tokens; 0: all.")] = 0,
    top_p: Annotated[float, typer.Option(help="Draw from the most likely tokens that reach this probability.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 0,
) -> None:
    """Continues a text; what is drawn appears as it is drawn."""
    from recurra import runs

    pieces = runs.load(run).generate(prompt, length, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
    sys.stdout.write(prompt)
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")
