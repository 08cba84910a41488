"""Text from a language model, token by token."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from recurra.errors import InputError
from recurra.heads.next import Next
from recurra.model import Model
from recurra.streaming import Stream

# Tokens that are decoded again with each new one: how a token is written can depend on its neighbours.
CONTEXT_TOKENS = 8
# Tokens of the prompt that are read at once: only the scores after the last one are of use.
PROMPT_TOKENS = 256
# What a decoder gives for the first bytes of a character whose last bytes are still to come.
INCOMPLETE = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn. temperature 0: always the most likely. top_k 0, top_p 1: from all tokens.

    top_p is nucleus sampling (Holtzman et al. 2020, https://arxiv.org/abs/1904.09751).
    """

    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise InputError(f"temperature: expected 0 or more, got {self.temperature}")
        if self.top_k < 0:
            raise InputError(f"top_k: expected 0 (all) or more, got {self.top_k}")
        if not 0 < self.top_p <= 1:
            raise InputError(f"top_p: expected more than 0 and at most 1, got {self.top_p}")
        if not 0 <= self.seed < 1 << 63:
            raise InputError(f"seed: expected a number from 0 to 2**63 - 1, got {self.seed}")

    def draw(self, logits: Tensor, generator: torch.Generator) -> int:
        """logits: [V]. Returns one token's number."""
        if self.temperature == 0:
            return int(logits.argmax())
        # From the largest down, which is 0: a temperature near 0 must not overflow.
        scores, tokens = ((logits - logits.max()) / self.temperature).sort(descending=True)
        kept = scores.shape[0] if not self.top_k else min(self.top_k, scores.shape[0])
        probability = scores[:kept].softmax(-1)
        # The smallest set whose probability reaches top_p: a token stays while those before it have not reached it.
        probability = probability * (probability.cumsum(-1) - probability < self.top_p)
        return int(tokens[torch.multinomial(probability, 1, generator=generator)])


def generate(model: Model, prompt: str, length: int, sampling: Sampling = Sampling()) -> Iterator[str]:
    """``length`` tokens that continue ``prompt``, as pieces of text, each as soon as it is known.

    Raises InputError where the model is not a language model, or does not know all tokens of the prompt.
    """
    if not isinstance(model.head, Next):
        raise InputError(f"generate needs a language model; this run's head is {model.config.output!r}")
    if length < 1:
        raise InputError(f"length: expected at least 1, got {length}")
    tokens = model.running([prompt])
    if unknown := model.tokens.unknown(prompt):
        named = ", ".join(map(repr, unknown[:5])) + (" ..." if len(unknown) > 5 else "")
        raise InputError(f"prompt: the model has never seen {named}; leave out what its training text did not hold")
    return _pieces(model, tokens, length, sampling)


def _pieces(model: Model, tokens: Tensor, length: int, sampling: Sampling) -> Iterator[str]:
    generator, stream = torch.Generator().manual_seed(sampling.seed), Stream(model)
    for part in torch.split(tokens, PROMPT_TOKENS):
        following = stream.feed(part)[-1]
    context, fresh = tokens[1:].tolist()[-CONTEXT_TOKENS:], list[int]()
    for _ in range(length):
        logits = following.float().cpu()
        logits[model.tokens.unknown_id] = -torch.inf
        token = sampling.draw(logits, generator)
        following = stream.feed(token)
        fresh.append(token)
        before = model.modality.decode(context)
        piece = model.modality.decode(context + fresh)[len(before) :]
        if piece and not piece.endswith(INCOMPLETE):
            yield piece
            context, fresh = (context + fresh)[-CONTEXT_TOKENS:], []
    if fresh:
        yield piece
