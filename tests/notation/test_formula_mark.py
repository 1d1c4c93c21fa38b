"""Text in CSV that a spreadsheet would run as a formula."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notation.formula_mark import mark_formula, unmark_formulas

TEXTS = st.text("'=+-@\t\ra1 ")


@given(st.lists(TEXTS))
def test_marked_texts_are_read_as_they_were(texts: list[str]) -> None:
    assert unmark_formulas(list(map(mark_formula, texts))) == texts


@given(TEXTS)
def test_marked_text_is_no_formula(text: str) -> None:
    assert mark_formula(text)[:1] not in tuple("=+-@\t\r")


@pytest.mark.parametrize("text", ["", "oak", "'", "'oak'", "O'Brien", "a=b", "3-4"])
def test_other_text_stays(text: str) -> None:
    assert mark_formula(text) == text
    assert unmark_formulas([text]) == [text]
