"""CITATION.cff says of a release what CHANGELOG.md says, and nothing before there is one."""

import re
from pathlib import Path

from lodestar.version import __version__

ROOT = Path(__file__).parent.parent


def test_what_is_cited_is_the_last_release() -> None:
    released = re.findall(r"^## \[?(\d+\.\d+\.\d+)\]? - (\d{4}-\d{2}-\d{2})$", read("CHANGELOG.md"), re.M)
    cited = dict(re.findall(r"^(version|date-released): (\S+)$", read("CITATION.cff"), re.M))
    assert cited == (dict(zip(("version", "date-released"), released[0], strict=True)) if released else {})


def test_a_package_without_unreleased_changes_is_the_last_release() -> None:
    newest = re.findall(r"^## (.+)$", read("CHANGELOG.md"), re.M)[0]
    assert newest == "Unreleased" or newest.strip("[").startswith(__version__)


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")
