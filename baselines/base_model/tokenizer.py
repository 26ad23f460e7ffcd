"""A CLIP tokenizer of a few hundred tokens: the byte alphabet and the words of the captions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from transformers import CLIPTokenizer

MAX_LENGTH = 16
_START, _END = "<|startoftext|>", "<|endoftext|>"


def byte_alphabet() -> list[str]:
    """The 256 printable stand-ins of bytes that byte-level BPE uses (Radford et al. 2019, GPT-2)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + rank) for rank, _ in enumerate(others)]


def word_merges(words: Iterable[str]) -> list[tuple[str, str]]:
    """Merges that join each word from left to right into one token; shared beginnings appear once."""
    merges: dict[tuple[str, str], None] = {}
    for word in words:
        symbols = [*word[:-1], word[-1] + "</w>"]
        joined = symbols[0]
        for symbol in symbols[1:]:
            merges[(joined, symbol)] = None
            joined += symbol
    return list(merges)


def build_tokenizer(captions: Iterable[str]) -> Any:
    """A CLIPTokenizer in which any text tokenizes (by bytes) and every word of `captions` is one token.

    Padding is the end token, as in Stable Diffusion 1.x; texts are 16 tokens long.
    """
    words = sorted({word for caption in captions for word in caption.lower().split()})
    merges = word_merges(words)
    alphabet = byte_alphabet()
    tokens = [*alphabet, *(f"{letter}</w>" for letter in alphabet)]
    tokens += [left + right for left, right in merges]
    vocab = {token: number for number, token in enumerate(dict.fromkeys([*tokens, _START, _END]))}
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=MAX_LENGTH)
