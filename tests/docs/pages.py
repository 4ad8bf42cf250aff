"""A page of docs/: its sections, the code in them, and its links."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def text(page: str) -> str:
    return (DOCS / page).read_text("utf-8")


def sections(page: str) -> dict[str, str]:
    """The text under each heading of the second level; what comes before them is called ""."""
    first, *others = re.split(r"^## ", text(page), flags=re.M)
    return {"": first, **{s.partition("\n")[0]: s.partition("\n")[2] for s in others}}


def blocks(markdown: str) -> list[str]:
    """Its blocks of Python."""
    return re.findall(r"```python\n(.*?)```", markdown, re.S)


def dead_links(page: str) -> list[str]:
    """Links into the repository that lead nowhere."""
    links = re.findall(r"\]\(([^)#]+)\)", text(page))
    assert links
    return [link for link in links if not link.startswith("http") and not (DOCS / link).exists()]
