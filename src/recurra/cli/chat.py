"""recurra chat"""

import sys
from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = "recurra chat runs/helper"


def chat(
    run: Annotated[Path, typer.Argument(help="The run folder of the task chat.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a turn.")] = False,
) -> None:
    """Talks: each line of standard input is answered, knowing the turns before it. An empty line begins anew."""
    from recurra import runs
    from recurra.cli._output import print_json, say

    trained = runs.load(run)
    talk = trained.converse()
    if sys.stdin.isatty():
        say("A line is answered, an empty one begins anew, Ctrl-D ends.")
    for line in sys.stdin:
        if not line.strip():
            talk = trained.converse()
            continue
        prompt = line.rstrip("\r\n")
        reply = talk.say(prompt)
        if json:
            print_json({"prompt": prompt, "reply": reply})
        else:
            print(reply, flush=True)
