"""Where rules and samplers are from, as their own files say."""

from lodestar.citing import Citation, citations, source


def test_a_source_is_what_follows_the_first_sentence():
    assert source("Some guidance. A & B 2022,\narXiv:1, eq. 6.\n\nMore.") == "A & B 2022, arXiv:1, eq. 6."
    assert source("Nobody's") == "Nobody's"


def test_a_citation_has_its_papers_and_equations():
    found = Citation("x", "A 2022, arXiv:2207.12598, eq. 6 and 7; B 2023, arXiv:2305.08891, sec. 3.4.")
    assert found.arxiv == ["2207.12598", "2305.08891"]
    assert found.equation == ["eq. 6 and 7", "sec. 3.4"]


def test_every_rule_inside_another_is_cited_once():
    found = citations(["interval(cfg(4), lo=.28)", "rescale(CFG(2))", "ddim"])
    assert [c.name for c in found] == ["cfg", "ddim", "interval", "rescale"]
    assert all(c.source for c in found)
    assert found[0].arxiv == ["2207.12598"]


def test_rules_in_lists_are_cited():
    assert [c.name for c in citations(["somebodys([cfg(2), apg(3)])"])] == ["apg", "cfg"]


def test_what_is_no_expression_or_no_rule_is_passed_over():
    assert citations(["cfg(", "</script>", "", "mine(3)"]) == []
