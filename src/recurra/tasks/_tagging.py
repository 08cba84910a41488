"""What the tasks that tag words have in common."""

# Words are looked up in small letters and with digits as 0; how they are written is read from their characters.
TAGGING: dict[str, object] = {
    "modality.lower": True,
    "modality.zero_digits": True,
    "modality.characters": 50,
    "modality.capitals": 8,
    "modality.rare_dropout": 0.5,
    "trunk.bidirectional": True,
    "trunk.hidden": 128,
    "trunk.embedding": 158,
    "trunk.input_dropout": 0.5,
    "trunk.dropout": 0.5,
    "training.batch_tokens": 1024,
    "training.rate": 4e-3,
    "training.patience": 5,
}
