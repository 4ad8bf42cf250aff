"""The example in CONTRIBUTING.md is the code itself."""

from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_example_rule_is_the_one_in_the_library() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    rule = (ROOT / "src/lodestar/guidance/rules/combine/cfg.py").read_text("utf-8")
    assert f"```python\n{rule}```" in text
