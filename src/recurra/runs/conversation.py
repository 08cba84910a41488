"""A conversation with a run: prompts whose replies depend on what was said before."""

from collections.abc import Iterable

from recurra.datasets.turns import Turn, conversed
from recurra.errors import InputError
from recurra.model import Model


class Conversation:
    """Replies to one prompt after another; ``turns``, all of them with their replies, are its whole state.

    ``reach``: how many of the turns before it a prompt is read after. To go on later, keep ``turns`` (as JSON) and give
    them back.

    >>> talk = recurra.load("runs/chat").converse()  # doctest: +SKIP
    >>> talk.say("What does list.pop do?")           # doctest: +SKIP
    'Remove and return item at index (default last).'
    >>> talk.say("And insert?")                      # doctest: +SKIP
    'Insert object before index.'
    """

    def __init__(self, model: Model, reach: int, turns: Iterable[Turn] = ()):
        self.model, self.reach = model, reach
        self.turns: list[Turn] = [(prompt, reply) for prompt, reply in turns]

    def say(self, prompt: str) -> str:
        """The reply. Raises InputError for what is not a text."""
        if not isinstance(prompt, str):
            raise InputError(f"say: expected a text, got {type(prompt).__name__}")
        earlier = self.turns[max(0, len(self.turns) - self.reach) :]
        reply: str = self.model.predict([conversed(earlier, prompt)])[0]["text"]
        self.turns.append((prompt, reply))
        return reply
