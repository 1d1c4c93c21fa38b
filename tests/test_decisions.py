"""Every decision is cited by the code it shapes, and every citation names a decision."""

import re
from functools import cache
from pathlib import Path

import pytest

from tests.test_tidy import ROOT, list_sources, name

DECISIONS = ROOT / "services/decisions"
MAX_LINES = 25
_CITATION = re.compile(r"decision (\d{4})\b")
_CODE = re.compile(r"^Code: (.*?)\.\n\n", re.MULTILINE | re.DOTALL)
_STATUS = re.compile(r"^Status: (accepted|superseded by (\d{4}))\b.*\.$", re.MULTILINE)


def list_decisions() -> dict[str, Path]:
    """The files by number."""
    return {path.name[:4]: path for path in sorted(DECISIONS.glob("[0-9]*.md"))}


@cache
def find_citations() -> dict[str, set[str]]:
    """The Python files that cite a decision, by its number."""
    citing_files: dict[str, set[str]] = {}
    for path in list_sources():
        for number in _CITATION.findall(path.read_text()):
            citing_files.setdefault(number, set()).add(name(path))
    return citing_files


def read_code_files(text: str) -> set[str]:
    match = _CODE.search(text)
    return set(re.findall(r"`([^`]+)`", match[1])) if match else set()


@pytest.mark.parametrize("number", list_decisions())
class TestDecision:
    def test_has_its_sections(self, number: str) -> None:
        text = list_decisions()[number].read_text()
        assert text.startswith(f"# {number} ")
        sections = re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE)
        assert sections == ["Context", "Decision", "Consequences"]
        assert text.count("\n") <= MAX_LINES

    def test_superseded_one_names_an_existing_successor(self, number: str) -> None:
        status = _STATUS.search(list_decisions()[number].read_text())
        assert status, "write `Status: accepted.` or `Status: superseded by NNNN.`"
        assert status[2] is None or status[2] in list_decisions()

    def test_lists_exactly_the_files_that_cite_it(self, number: str) -> None:
        assert read_code_files(list_decisions()[number].read_text()) == find_citations().get(
            number, set()
        )


def test_every_citation_names_a_decision() -> None:
    assert find_citations().keys() <= list_decisions().keys()
