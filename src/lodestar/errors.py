"""What a user's mistake raises: one line that says what is wrong and how to mend it."""

from collections.abc import Iterable
from difflib import get_close_matches

MOST = 1000  # characters of a message; of a longer one the middle is left out
NEAR = 0.65  # of difflib's ratio: what is alike enough to be meant


class UsageError(ValueError):
    """A mistake of the caller's, worded for them. The command line prints it as one line and exits with 2.

    Whatever the message quotes, it is one line of what can be printed.
    """

    def __init__(self, message: str) -> None:
        line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(message.split()))
        super().__init__(line if len(line) <= MOST else f"{line[: MOST // 2]} ... {line[-MOST // 2 :]}")


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that is not there: the nearest one, or else all of them."""
    names = sorted(known)
    plain = {n: n.lower().lstrip("-") for n in names}  # the dashes of options are no likeness
    meant = name.lower().lstrip("-")
    near = get_close_matches(meant, plain.values(), n=3, cutoff=NEAR)
    near = near or [n for n in plain.values() if len(n) > 2 and meant.startswith(n)]  # eps is short for epsilon
    if near:  # of several, one that begins alike: hardly anybody mistypes the first letter
        found = next((n for n in near if n[0] == meant[0]), near[0])
        best = next(n for n in names if plain[n] == found)
        return UsageError(f"unknown {kind} '{name}': did you mean '{best}'?")
    return UsageError(f"unknown {kind} '{name}': there are {', '.join(names) or 'none'}")
