"""Who published what: read off the files of rules and samplers, each of which begins with its source."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .errors import UsageError
from .expression import Call, Value, parse_call
from .guidance import RULES
from .samplers import SAMPLERS

EQUATION = r"(?:eq\.|[sS]ec\.|app\.|Alg\.|Algorithms?|Theorem|Table) [\w.-]+(?:(?:, | and )\d[\w.-]*)*"


@dataclass(frozen=True)
class Citation:
    """A rule or a sampler, and where it is from."""

    name: str
    source: str  # authors, year, arXiv number, equations

    @property
    def arxiv(self) -> list[str]:
        """The papers' numbers."""
        return re.findall(r"arXiv:(\d{4}\.\d{4,5})", self.source)

    @property
    def equation(self) -> list[str]:
        return [found.rstrip(".") for found in re.findall(EQUATION, self.source)]


def source(doc: str | None) -> str:
    """Paper and equation: what follows the first sentence of a module's first paragraph, or all of it."""
    paragraph = " ".join((doc or "").split("\n\n")[0].split())
    head, _, tail = paragraph.partition(". ")
    return tail or head


def cited(thing: object) -> str:
    """The source of what is defined in a file of its own."""
    return source(sys.modules[thing.__module__].__doc__)


def citations(texts: Iterable[str]) -> list[Citation]:
    """Of every rule and sampler in these expressions, each once, by name. What is not known here is passed over."""
    names = {name.lower() for text in texts for name in _names(text)}
    known = {**SAMPLERS, **RULES}
    return [Citation(name, cited(known[name])) for name in sorted(names & set(known))]


def _names(text: str) -> Iterator[str]:
    try:
        yield from _called(parse_call(text))
    except UsageError:  # the text of somebody else's rule
        return


def _called(value: Value) -> Iterator[str]:
    """The names of a call, and of all calls inside it."""
    if isinstance(value, tuple):
        yield from (name for each in value for name in _called(each))
    if isinstance(value, Call):
        yield value.name
        yield from (name for each in (*value.args, *(v for _, v in value.keywords)) for name in _called(each))
