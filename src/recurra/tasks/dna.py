"""What a sequence of DNA, RNA or protein is."""

from recurra.tasks.base import Task

dna = Task(
    name="dna",
    summary="tells what a sequence of DNA, RNA or protein is: a splice site, a promoter, a family",
    shape="many to one",
    input="symbols",
    output="category",
    roles=("symbols", "label"),
    dataset="dna_splice",
    defaults={
        "trunk.cell": "gru",
        "trunk.bidirectional": True,
        "trunk.hidden": 64,
    },
)
