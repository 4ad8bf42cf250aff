"""Who may import whom. An arrow that is not in the table fails; so does an entry of the table that nothing uses."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "src" / "lodestar"
NOUNS = {"core", "errors"}
ROOMS = {
    "version": set(),
    "errors": set(),
    "expression": {"errors"},
    "files": {"errors"},
    "gradients": {"errors"},
    "plotting": {"errors"},
    "precision": set(),
    "core": {"errors"},
    "oracle": NOUNS,
    "process": NOUNS | {"expression"},
    "conditions": NOUNS,
    "guidance": NOUNS | {"expression"},
    "samplers": NOUNS | {"expression"},
    "pictures": {"errors", "files"},
    "networks": NOUNS | {"conditions", "expression"},
    "data": NOUNS | {"conditions"},
}
ROOMS["request"] = NOUNS | {"conditions", "guidance", "process", "samplers"}
ROOMS["citing"] = {"errors", "expression", "guidance", "samplers"}
ROOMS["figure"] = ROOMS["request"] | {"expression", "oracle", "plotting"}
ROOMS["result"] = NOUNS | {"conditions", "files", "guidance", "pictures"}
ROOMS["start"] = NOUNS | {"pictures", "samplers"}
ROOMS["job"] = ROOMS["request"] | {"pictures", "request", "start", "version"}
ROOMS["generate"] = {"conditions", "errors", "guidance", "job", "request", "result", "samplers"}
ROOMS["model_folder"] = {"errors", "files", "version"}
ROOMS["model"] = (
    ROOMS["request"] | ROOMS["generate"] | {"files", "generate", "model_folder", "networks", "precision", "version"}
)
ABOVE = ROOMS["model"] | {"data", "model", "pictures"}
ROOMS["likelihood"] = NOUNS | {"conditions", "data", "model", "model_folder", "process"}
ROOMS["train"] = ABOVE | {"likelihood", "precision"}
ROOMS["measure"] = ABOVE | {"citing", "expression", "likelihood", "plotting"}
ROOMS["systems"] = ABOVE
LEAVES = {"cli", "__init__", "__main__"}  # may import everything
# Packages that belong to certain rooms; the heavy ones are imported inside the function that needs them.
LIGHT = {"rich": {"cli", "train"}, "tyro": {"cli"}, "PIL": {"pictures", "data"}}
HEAVY = {"datasets": {"data"}, "accelerate": {"train"}, "tensorboard": {"train"}, "tokenizers": {"conditions"}}
HEAVY |= {"optuna": {"measure"}, "torch_fidelity": {"measure"}, "transformers": {"conditions", "measure"}}
HEAVY |= {"diffusers": {"adapters"}, "matplotlib": {"figure", "measure", "plotting"}, "plotly": {"measure"}}


def files() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imports(path: Path, text: str | None = None) -> Iterator[tuple[str, bool]]:
    """Every module that a file imports, as a dotted name, and whether it does so on being imported itself."""
    tree = ast.parse(path.read_text("utf-8") if text is None else text)
    package = ["lodestar", *path.relative_to(ROOT).parts[:-1]]
    for node, at_once in _walk(tree, True):
        if isinstance(node, ast.Import):
            yield from ((alias.name, at_once) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            bare = node.level and not node.module
            yield from ((f"{name}.{a.name}", at_once) for a in node.names) if bare else ((name, at_once) for _ in (0,))


def _walk(node: ast.AST, at_once: bool) -> Iterator[tuple[ast.AST, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield child, at_once and not inside
        yield from _walk(child, at_once and not inside)


def own(path: Path) -> set[str]:
    """The rooms that a file imports."""
    parts = [name.split(".") for name, _ in imports(path)]
    return {p[1] for p in parts if p[0] == "lodestar" and len(p) > 1} - {room(path)}


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_arrows(path: Path) -> None:
    if room(path) in LEAVES:
        return
    assert room(path) in ROOMS, f"{room(path)} is a new room: give it a line in the table"
    assert own(path) <= ROOMS[room(path)], f"{path.name} may not import {own(path) - ROOMS[room(path)]}"


def test_nothing_imports_a_leaf() -> None:
    for path in files():
        assert room(path) in LEAVES or not own(path) & LEAVES


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_packages_stay_in_their_rooms(path: Path) -> None:
    for name, at_once in imports(path):
        top = name.split(".")[0]
        home = (LIGHT | HEAVY).get(top, {room(path)})
        assert room(path) in home, f"{top} belongs to {home}"
        assert top not in HEAVY or not at_once, f"import {top} inside the function that needs it"


def test_the_walk_sees_relative_and_lazy_imports() -> None:
    text = "from .a.b import c\nfrom . import d\nimport torch\ndef f():\n    import datasets\n"
    found = dict(imports(ROOT / "networks" / "sample.py", text))
    assert found == {"lodestar.networks.a.b": True, "lodestar.networks.d": True, "torch": True, "datasets": False}
