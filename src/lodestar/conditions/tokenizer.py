"""Byte-level BPE (Sennrich et al. 2016, arXiv:1508.07909) by the `tokenizers` library.

Trained on the captions of a data set. It can spell every text, and it remembers which words it was trained on, so that
a prompt with other words can be answered with a warning. Case and runs of spaces do not matter, as in CLIP.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Backend

PAD = 0
TEXT = 1  # the start of every text, and all there is of the empty one
NULL = 2  # a null that is not the empty text
SPECIALS = ("<pad>", "<text>", "<null>")
SMALLEST = len(SPECIALS) + 256  # a vocabulary of the specials and of every byte
WORDS = 50_000  # the most words remembered, the most frequent first
FORMAT = 1


@dataclass(frozen=True)
class Tokenizer:
    """Text to token ids. Equal tokenizers have equal vocabularies and words."""

    bpe: str = field(repr=False)  # the library's own JSON
    words: frozenset[str] = field(repr=False)

    @classmethod
    def train(cls, texts: Iterable[str], vocab: int) -> Tokenizer:
        """A vocabulary of at most `vocab` tokens, learnt from texts; the same texts give the same tokenizer."""
        if vocab < SMALLEST:
            raise UsageError(f"a byte-level vocabulary has at least {SMALLEST} tokens, got {vocab}")
        seen: Counter[str] = Counter()
        bpe = _train(_counting(texts, seen), vocab)
        if not seen:
            raise UsageError("a tokenizer needs texts with words in them to learn from, got none")
        return cls(bpe, frozenset(word for word, _ in seen.most_common(WORDS)))

    @classmethod
    def from_json(cls, text: str) -> Tokenizer:
        """The tokenizer that `to_json` wrote. Raises UsageError if it is not one."""
        try:
            data = json.loads(text)
            tokenizer = cls(json.dumps(data["bpe"]), frozenset(data["words"]))
            specials = tuple(map(tokenizer._backend.id_to_token, range(len(SPECIALS))))
        except Exception as error:  # the library raises no narrower one on a damaged vocabulary
            raise UsageError(f"not a tokenizer of Lodestar, or a damaged one: {type(error).__name__} {error}") from None
        if data.get("format") != FORMAT or specials != SPECIALS:
            raise UsageError(f"not a tokenizer of Lodestar's format {FORMAT}: train one with Tokenizer.train")
        return tokenizer

    def having_read(self, texts: Iterable[str]) -> Tokenizer:
        """The same vocabulary, which also remembers the words of these texts."""
        return replace(self, words=self.words.union(*map(_words, texts)))

    def to_json(self) -> str:
        return json.dumps({"format": FORMAT, "words": sorted(self.words), "bpe": json.loads(self.bpe)})

    @property
    def size(self) -> int:
        """Number of token ids."""
        return self._backend.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        """The ids of a text, of any length, the start token first; "" is the start token alone."""
        return [TEXT, *self._backend.encode(text, add_special_tokens=False).ids]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of these ids, as it was read: in lower case, with single spaces."""
        return self._backend.decode(list(ids)).strip()

    def unseen(self, text: str) -> list[str]:
        """The words of a text that were in no training text, in order, each once."""
        return [w for w in dict.fromkeys(_words(text)) if w not in self.words]

    @cached_property
    def _backend(self) -> Backend:
        from tokenizers import Tokenizer as Backend
        from tokenizers import decoders

        backend = Backend.from_str(self.bpe)
        backend.decoder = decoders.ByteLevel()
        backend.encode_special_tokens = True  # "<null>" in a prompt is a word like any other
        return backend


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _counting(texts: Iterable[str], seen: Counter[str]) -> Iterator[str]:
    for text in texts:
        seen.update(_words(text))
        yield text


def _train(texts: Iterator[str], vocab: int) -> str:
    from tokenizers import Regex, models, normalizers, pre_tokenizers, trainers
    from tokenizers import Tokenizer as Backend

    backend = Backend(models.BPE())
    clean = [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip(), normalizers.Lowercase()]
    backend.normalizer = normalizers.Sequence(clean)
    # The prefix space makes the first word the same token as anywhere else.
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=vocab, special_tokens=list(SPECIALS), initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(texts, trainer)
    return json.dumps(json.loads(backend.to_str()))  # as it comes back from a file
