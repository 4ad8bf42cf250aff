"""Texts that could be taken for rules, most of which are none, in a process of its own that sees what they touch.

    python tests/guidance/fuzzing.py COUNT SEED        what became of them, as JSON

Run by test_fuzz.py.
"""

from __future__ import annotations

import json
import resource
import string
import sys
import time
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from random import Random
from typing import Any

from lodestar.errors import UsageError
from lodestar.expression import show
from lodestar.guidance import RULES, parse
from lodestar.guidance.schedules import SHAPES

HOSTILE = [
    "__import__('os').system('touch pwned')",
    "__import__('subprocess').run(['touch', 'pwned'])",
    "open('pwned', 'w').write('x')",
    "open(0)",
    "exec('import os')",
    "eval('1 + 1')",
    "compile('1', '', 'eval')",
    "().__class__.__bases__[0].__subclasses__()",
    "cfg.__init__.__globals__['__builtins__']",
    "cfg(4).__class__.mro()",
    "cfg(__class__)",
    "cfg(scale=__import__)",
    "cfg(__init__=4)",
    "cfg(__class__=4)",
    "cfg(_inside=4)",
    "cfg(past=[])",
    "apg(4, past=[1])",
    "cfg(self=4)",
    "cfg(*[1, 2])",
    "cfg(**{'scale': 4})",
    "cfg(scale:=4)",
    "[x for x in [1, 2]]",
    "(lambda: 0)()",
    "cfg(4) if 1 else cfg(5)",
    "cfg(1 + 1)",
    "cfg(2 ** 99999999)",
    "cfg(1_000)",
    "cfg(0x10)",
    "cfg(1j)",
    "cfg(4); import os",
    "cfg(4)\nimport os",
    "import os",
    "f'{open(0)}'",
    "'%s' % 4",
    "'{0.__class__}'.format(4)",
    "cfg('${HOME}')",
    "cfg(`id`)",
    "cfg($(id))",
    "!!python/object/apply:os.system ['id']",
    "cos\nsystem\n(S'id'\ntR.",
    "/etc/passwd",
    "file:///etc/passwd",
    "../../etc/passwd",
    "energy(cfg, '/etc/passwd')",
    "negative(open)",
    "rule(cfg)",
    "wrapper(cfg)",
    "against(4)",
    "parse('cfg')",
    "type(cfg)",
    "getattr(cfg, 'mro')",
    "globals()",
    "torch.load('x')",
    "cfg(tensor([1]))",
    "cfg(\u202e4)",
    "ｃｆｇ(4)",
    "cfg(٤)",
    "cfg(ınf)",
    "cfg(+ınf)",
    "cfg(-İNF)",
    "\ud800(4)",
    "cfg('\ud800')",
    "under(cfg, name='\x1b[2J\u2028\x85')",
    "cfg('\x1b[2J\u2028\x85')",
    "cfg(['\u2028'])",
]
WORDS = ["none", "true", "false", "inf", "nan", "-inf", "+nan", "x0", "eps", "score", "mean", "ad", "std", "other"]
ALPHABET = [*string.printable, *"()[],='\"\\.-+eE0123456789" * 4, *"éßłж中😀\u202e\u2028\x00\x1b\x85\ufeff\ud800ı٤²Ⅷ"]
HARMLESS = {"builtins.id"}  # what a dataclass takes to print itself
SLOW = 0.25  # seconds of the CPU, for one text
KEPT = 20  # of the failures


class Texts:
    """Where they come from: a function of the seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.ways = [self.rule, self.mutated, self.mutated, self.noise, self.hostile, self.spliced, self.huge]

    def __call__(self) -> str:
        return self.random.choice(self.ways)()

    def rule(self, depth: int = 0) -> str:
        """A rule or a schedule by the grammar, with values that may be wrong."""
        registry: dict[str, Any] = self.random.choice([RULES, RULES, RULES, SHAPES])
        name = self.random.choice(list(registry))
        known = [f for f in fields(registry[name]) if f.init]
        some = self.random.sample(known, self.random.randint(0, len(known)))
        given = [f for f in known if f.default is MISSING or f in some]
        return f"{name}({', '.join(f'{f.name}={self.of(f, depth + 1)}' for f in given)})"

    def of(self, field: Field[Any], depth: int) -> str:
        """What the field is by default, or something else."""
        if field.default is MISSING or self.random.random() < 0.3:
            return self.value(depth, field.name)
        return show(field.default)

    def value(self, depth: int, field: str = "") -> str:
        if depth < 4 and (field in ("inner", "inside", "shape") or self.random.random() < 0.1):
            return self.rule(depth)
        if depth < 4 and self.random.random() < 0.2:
            return f"[{', '.join(self.value(depth + 1) for _ in range(self.random.randint(0, 4)))}]"
        plain = self.random.choice([-1, 0, 0.5, 1, 2, 3, 1e9, 1e-9, "1e400", ".5", "7.", "10" * 40])
        return str(self.random.choice([plain, plain, plain, self.random.choice(WORDS), f"'{self.noise()[:5]}'"]))

    def mutated(self) -> str:
        """A rule with some of its characters gone, repeated, exchanged, or others."""
        text = list(self.rule())
        for _ in range(self.random.randint(1, 4)):
            i, j = sorted(self.random.randint(0, len(text)) for _ in range(2))
            new = [[], text[i:j] * 2, text[i:j][::-1], [self.random.choice(ALPHABET)]]
            text[i : min(j, i + 8)] = self.random.choice(new)
        return "".join(text)

    def noise(self) -> str:
        return "".join(self.random.choices(ALPHABET, k=self.random.randint(0, 30)))

    def hostile(self) -> str:
        return self.random.choice(HOSTILE)

    def spliced(self) -> str:
        """Something hostile in the place of a value."""
        text = self.rule()
        i, j = sorted(self.random.randint(0, len(text)) for _ in range(2))
        return text[:i] + self.hostile() + text[j:]

    def huge(self) -> str:
        """Deep, long, or with more digits than a number has."""
        n = self.random.choice([40, 51, 60, 300, 3000])
        digits = str(self.random.randint(1, 9)) * n
        return self.random.choice(
            [
                f"{'interval(' * n}cfg{')' * n}",
                f"{'[' * n}{']' * n}",
                f"cfg({'[' * n}1{']' * n})",
                f"{'f(' * n}",
                f"cfg({digits})",
                f"cfg({digits}e{digits})",
                f"cfg(1e-{digits})",
                f"alternate(cfg, every={digits})",
                f"slg(cfg, layers=[{digits}])",
                f"icg(seed={digits})",
                f"cfg([{'1, ' * n}])",
                f"cfg({'1, ' * n})",
                f"cfg({', '.join(f'a{i}=1' for i in range(n))})",
                f"{'a' * n}(4)",
                f"cfg('{'a' * n}')",
                f"cfg('{'a' * n}",
                '"' * n,
                "\\" * n,
                "'\\" * n,
                " " * n + "cfg(4)",
                "cfg(" + "+" * n + "1)",
            ]
        )


class Watch:
    """What the interpreter reports while a function runs: imports, files, code that is compiled or executed."""

    def __init__(self) -> None:
        self.on, self.events = False, set[str]()
        sys.addaudithook(self._heard)

    def _heard(self, event: str, args: object) -> None:
        if self.on:
            self.events.add(event)

    def __call__(self, function: Callable[[], Any]) -> set[str]:
        self.events, self.on = set(), True
        try:
            function()
        finally:
            self.on = False
        return self.events - HARMLESS


def wrong(text: str, watch: Watch) -> tuple[bool, str]:
    """Whether it is a rule, and what is wrong with how it was taken; nothing, if nothing is."""
    said, made = "", []
    try:
        events = watch(lambda: made.append(parse(text)))
    except UsageError as error:
        events, said = watch.events - HARMLESS, str(error)
    except BaseException as error:
        return False, f"{type(error).__name__}: {error}"
    if events:
        return False, f"touched {sorted(events)}"
    if made:
        fine = type(made[0]) in RULES.values() and parse(str(made[0])) == made[0]
        return True, "" if fine else f"is {made[0]!r}"
    return False, "" if len(said.splitlines()) == 1 and len(said) < 1100 else f"says {said[:200]!r}"


def main(count: int, seed: int) -> dict[str, Any]:
    texts, watch, failures, rules, slowest = Texts(seed), Watch(), [], 0, 0.0
    control = sorted(watch(lambda: eval("__import__('colorsys')")))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(count):
        text, start = texts(), time.process_time()
        is_rule, why = wrong(text, watch)
        seconds = time.process_time() - start
        slowest, rules = max(slowest, seconds), rules + is_rule
        if why or seconds > SLOW:
            failures.append([text[:200], why or f"took {seconds:.2f} s"])
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    found = {"count": count, "rules": rules, "failures": failures[:KEPT], "failed": len(failures)}
    return {**found, "control": control, "slowest": slowest, "megabytes": more}


if __name__ == "__main__":
    print(json.dumps(main(*map(int, sys.argv[1:]))))
