"""What each base of a sequence is."""

from recurra.tasks.base import Task

dna_tags = Task(
    name="dna-tags",
    summary="tells what each base or residue is: exon or intron, a gene's parts, secondary structure",
    shape="many to many, aligned",
    input="symbols",
    output="tags",
    roles=("symbols", "tags"),
    dataset="reading_frames",
    defaults={
        "trunk.cell": "gru",
        "trunk.bidirectional": True,
        "trunk.hidden": 64,
    },
)
