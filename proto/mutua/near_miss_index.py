"""Finds the names that resemble a spelling, among thousands of them in milliseconds."""

import difflib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final

from mutua.spelling import core_words, name_key

MIN_SIMILARITY: Final = 0.8
"""Below this, difflib's likeness of two names is chance rather than a slip of the finger."""
_MOST_WITH_FIRST_WORDS: Final = 10
"""More names than this with the same first words, such as "University", are no near misses."""


class NearMissIndex:
    """An index of name keys; see `name_key`."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._by_core: dict[str, list[str]] = defaultdict(list)
        self._by_first_words: dict[tuple[str, ...], list[str]] = defaultdict(list)
        sorted_keys = sorted(keys)
        for key in sorted_keys:
            core = core_words(key)
            self._by_core[" ".join(core)].append(key)
            for count in range(1, len(core)):
                self._by_first_words[core[:count]].append(key)
        self._by_core.pop("", None)
        self._keys = TypoIndex(sorted_keys)
        self._cores = TypoIndex(self._by_core)

    def find(self, text: str) -> list[str]:
        """The keys that resemble a spelling, best first, its own left out.

        Names with the same core words come first, then names that begin with them, then names that
        differ by a slip of the finger, with or without legal forms. Equally near ones come in order
        of code points.
        """
        key, core = name_key(text), core_words(text)
        if not key:
            return []
        longer = self._by_first_words.get(core, [])
        matches = [
            *self._by_core.get(" ".join(core), []),
            *(longer if len(longer) <= _MOST_WITH_FIRST_WORDS else []),
            *self._keys.find_similar(key),
        ]
        for other_core in self._cores.find_similar(" ".join(core)):
            matches += self._by_core[other_core]
        return [each for each in dict.fromkeys(matches) if each != key]


class TypoIndex:
    """Texts, to find those from which another one differs by a slip of the finger."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = list(texts)
        self._words = [text.split() for text in self._texts]
        # A bit for each bigram that any text has, so that what two have in common is one operation.
        self._bits: dict[tuple[str, int], int] = {}
        self._masks = [
            sum(self._bits.setdefault(each, 1 << len(self._bits)) for each in _bigrams(text))
            for text in self._texts
        ]

    def find_similar(self, text: str) -> list[str]:
        """The texts with a difflib ratio of ALIKE or more, most alike first.

        So alike must also be what is left when the words that both have are taken away, unless
        nothing is left of one: names of hospitals are alike by "University Hospitals" alone.
        """
        words = text.split()
        matcher = difflib.SequenceMatcher(b=text)
        ratios = []
        for place in self._candidates(text):
            if not _differ_by_a_slip(words, self._words[place]):
                continue
            matcher.set_seq1(self._texts[place])
            if (ratio := matcher.ratio()) >= MIN_SIMILARITY:
                ratios.append((-ratio, self._texts[place]))
        return [candidate for _, candidate in sorted(ratios)]

    def find_candidates(self, text: str) -> list[str]:
        """A superset of the texts whose difflib ratio is ALIKE or more.

        Let two texts have T characters together, of which M are matched in k blocks, so that the
        ratio is 2M/T. Between two blocks a character is unmatched, so k <= T - 2M + 1, and the
        blocks have M - k >= 3M - T - 1 bigrams in common: T/5 - 1, where the ratio is 4/5.
        """
        return [self._texts[place] for place in self._candidates(text)]

    def _candidates(self, text: str) -> list[int]:
        mask = sum(self._bits.get(each, 0) for each in _bigrams(text))
        least = len(text) - 5
        return [
            place
            for place, other in enumerate(self._masks)
            if 5 * (mask & other).bit_count() >= least + len(self._texts[place])
        ]


def _differ_by_a_slip(words: Sequence[str], others: Sequence[str]) -> bool:
    rest = "".join([word for word in words if word not in others])
    other_rest = "".join([word for word in others if word not in words])
    if not rest or not other_rest:
        return True
    length = len(rest) + len(other_rest)
    if 2 * min(len(rest), len(other_rest)) < MIN_SIMILARITY * length:
        return False
    characters = set(rest)
    most = sum(map(min, map(rest.count, characters), map(other_rest.count, characters)))
    return 2 * most >= MIN_SIMILARITY * length and _ratio(rest, other_rest) >= MIN_SIMILARITY


@lru_cache(maxsize=10_000)
def _ratio(text: str, other: str) -> float:
    return difflib.SequenceMatcher(None, text, other).ratio()


def _bigrams(key: str) -> list[tuple[str, int]]:
    """Each two characters in sequence, numbered where they come again."""
    counts: Counter[str] = Counter()
    bigrams = []
    for pair in map("".join, pairwise(key)):
        bigrams.append((pair, counts[pair]))
        counts[pair] += 1
    return bigrams
