"""Forty thousand lines of Shakespeare, the usual first text for a character model."""

from collections.abc import Mapping

from recurra.datasets.base import Columns, Dataset, File


def _read(files: Mapping[str, bytes]) -> dict[str, Columns]:
    text = files["text"].decode()
    # Held out as in nanoGPT: the last tenth. What decides on the best weights is cut from the middle of the rest,
    # not from its end: that is the first half of the play that the test goes on with, and a model that has not
    # read it does 0.1 nats worse.
    held_out = int(0.9 * len(text))
    begin, end = int(0.485 * held_out), int(0.515 * held_out)
    parts = {"train": text[:begin] + text[end:held_out], "valid": text[begin:end], "test": text[held_out:]}
    return {part: {"text": [content]} for part, content in parts.items()}


TINYSHAKESPEARE = Dataset(
    name="tinyshakespeare",
    summary="40,000 lines of Shakespeare's plays",
    size="1,115,394 characters, 65 different; the last 10 % test, 3 % from the middle of the rest valid",
    task="language-model",
    running=True,
    licence="public domain",
    source="Karpathy 2015, https://github.com/karpathy/char-rnn",
    read=_read,
    files={
        "text": File(
            path="tinyshakespeare/input.txt.xz",
            hash="sha256:86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            url="https://raw.githubusercontent.com/karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e"
            "/data/tinyshakespeare/input.txt",
        )
    },
    defaults={"modality.unit": "char"},
)
