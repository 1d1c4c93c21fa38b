"""What a check finds, and how checks are run."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from services.ledger.errors import MutuaError


class FindingState(StrEnum):
    OK = "ok"
    NOTE = "note"
    """It works; somebody may want to know."""
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, and where it is no good what to do about it."""

    state: FindingState
    message: str
    remedy: str = ""


Check = Callable[[], Iterable[Finding]]
_T = TypeVar("_T")


def memoize(look: Callable[[], _T]) -> Callable[[], _T]:
    """Looks when it is asked first; then tells the same, also when that is an error."""
    seen = Future[_T]()

    def tell() -> _T:
        if not seen.done():
            try:
                seen.set_result(look())
            except MutuaError as error:
                seen.set_exception(error)
        return seen.result()

    return tell


def run_checks(checks: Mapping[str, Check]) -> Iterator[tuple[str, Finding]]:
    """Runs checks by name; what one raises is found there, and the others go on."""
    raised: set[str] = set()
    for name, check in checks.items():
        try:
            yield from ((name, found) for found in check())
        except (MutuaError, OSError) as error:
            yield name, _again() if str(error) in raised else _of(str(error))
            raised.add(str(error))


def ok(said: str) -> Finding:
    return Finding(FindingState.OK, said)


def note(said: str, remedy: str) -> Finding:
    return Finding(FindingState.NOTE, said, remedy)


def parse_problem(told: str) -> Finding:
    """Of a sentence as errors are told: what is wrong; what to do."""
    said, _, remedy = told.partition("; ")
    return Finding(FindingState.PROBLEM, said, remedy)


def _again() -> Finding:
    return note("not looked at", "mend what is told above first")


def _of(raised: str) -> Finding:
    found = parse_problem(raised)
    return found if found.remedy else replace(found, remedy="see that it runs, and what is set")


def format_size(count: int) -> str:
    """Bytes in words."""
    return f"{count / 2**30:,.1f} GiB" if count >= 2**30 else f"{count / 2**20:,.0f} MiB"
