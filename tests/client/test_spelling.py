"""name_key and core_words compare spellings; NearMissIndex finds similar ones."""

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutua.near_miss_index import MIN_SIMILARITY, NearMissIndex, TypoIndex
from mutua.spelling import core_words, describe_hidden_characters, name_key, quote
from services.ledger.spelling import name_key as server_name_key

WORDS = (
    "ashcombe",
    "oakdale",
    "oakdle",
    "general",
    "genral",
    "hospital",
    "hospitals",
    "trust",
    "st",
)
names = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)


class TestNameKey:
    @given(st.text())
    def test_is_idempotent(self, text: str) -> None:
        assert name_key(name_key(text)) == name_key(text)

    @given(st.text())
    def test_is_the_same_for_client_and_server(self, text: str) -> None:
        assert name_key(text) == server_name_key(text)

    @given(
        names,
        st.sampled_from("\u00a0\u2009\u3000\t\n"),
        st.sampled_from("\u200b\ufeff\u00ad\u200e\ufe0f"),
    )
    def test_hidden_characters_and_blanks_make_no_difference(
        self, name: str, blank: str, invisible: str
    ) -> None:
        disguised = name.replace(" ", f"{blank} ").replace("a", f"a{invisible}").upper()
        assert name_key(f"{blank}{disguised}{invisible}") == name

    @pytest.mark.parametrize(
        ("one", "other"),
        [("Straße", "STRASSE"), ("Zoe\u0308", "Zo\u00eb"), ("\u0390", "\u0399\u0308\u0301")],
    )
    def test_folds_case_and_composes(self, one: str, other: str) -> None:
        assert name_key(one) == name_key(other)


class TestCoreWords:
    @pytest.mark.parametrize(
        ("name", "core"),
        [
            ("Oakdale Trust", ("oakdale",)),
            ("Oakdale NHS Foundation Trust", ("oakdale",)),
            ("Smith & Co. Ltd.", ("smith",)),
            ("Trust", ("trust",)),
            ("NHS England", ("nhs", "england")),
            ("The St. Mary's", ("saint", "marys")),
            ("Acme S.A.", ("acme",)),
            ("...", ()),
        ],
    )
    def test_omits_legal_forms_and_common_words(self, name: str, core: tuple[str, ...]) -> None:
        assert core_words(name) == core


class TestDescribeHiddenCharacters:
    @pytest.mark.parametrize(
        ("text", "difference"),
        [
            ("Oakdale Trust", ""),
            ("Oakdale\u00a0Trust", "has a non-breaking space"),
            ("Oakdale  Trust ", "has two blanks together and a blank at an end"),
            ("\ufeffOak\u00addale", "has a byte order mark and a soft hyphen"),
            ("Oak\u2009dale", "has a thin space"),
        ],
    )
    def test_names_every_hidden_character(self, text: str, difference: str) -> None:
        assert describe_hidden_characters(text) == difference
        assert quote(text) == (f"'{text}' ({difference})" if difference else f"'{text}'")


class TestNearMissIndex:
    @given(st.lists(names, unique=True, max_size=12), names)
    def test_finds_every_typo_that_difflib_finds(self, spellings: list[str], typed: str) -> None:
        near = NearMissIndex(spellings).find(typed)
        for name in spellings:
            missing_words = {*typed.split()} <= {*name.split()}
            ratio = difflib.SequenceMatcher(None, name, typed).ratio()
            if missing_words and ratio >= MIN_SIMILARITY and name != typed:
                assert name in near

    @given(
        st.lists(st.text("abc ", max_size=9), unique=True, max_size=12), st.text("abc ", max_size=9)
    )
    def test_candidates_include_those_of_difflib(self, spellings: list[str], typed: str) -> None:
        candidates = TypoIndex(spellings).find_candidates(typed)
        for name in spellings:
            if difflib.SequenceMatcher(None, name, typed).ratio() >= MIN_SIMILARITY:
                assert name in candidates

    def test_common_words_alone_are_no_similarity(self) -> None:
        spellings = ["ashcombe university hospitals nhs foundation trust"]
        assert (
            NearMissIndex(spellings).find("Oakdale University Hospitals NHS Foundation Trust") == []
        )
        assert (
            NearMissIndex(spellings).find("Ashcomb University Hospitals NHS Foundation Trust")
            == spellings
        )
        assert NearMissIndex(spellings).find("Ashcomb University Hospitals") == spellings
