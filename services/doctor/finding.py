"""Findings of checks, and the function that runs the checks."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from services.ledger.errors import MutuaError


class FindingState(StrEnum):
    OK = "ok"
    NOTE = "note"
    """It works, but an operator should know."""
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check: what is the case, and a remedy unless it is OK."""

    state: FindingState
    message: str
    remedy: str = ""


Check = Callable[[], Iterable[Finding]]
_T = TypeVar("_T")


def memoize(read: Callable[[], _T]) -> Callable[[], _T]:
    """Returns a function that calls `read` once, and then repeats its result or MutuaError."""
    outcome = Future[_T]()

    def read_once() -> _T:
        if not outcome.done():
            try:
                outcome.set_result(read())
            except MutuaError as error:
                outcome.set_exception(error)
        return outcome.result()

    return read_once


def run_checks(checks: Mapping[str, Check]) -> Iterator[tuple[str, Finding]]:
    """Runs every check, and yields its name with every finding.

    A check that raises MutuaError or OSError yields it as a problem; repetitions are not repeated.
    """
    messages: set[str] = set()
    for name, check in checks.items():
        try:
            yield from ((name, finding) for finding in check())
        except (MutuaError, OSError) as error:
            yield name, _skip() if str(error) in messages else from_error(error)
            messages.add(str(error))


def ok(message: str) -> Finding:
    return Finding(FindingState.OK, message)


def note(message: str, remedy: str) -> Finding:
    return Finding(FindingState.NOTE, message, remedy)


def problem(message: str, remedy: str) -> Finding:
    return Finding(FindingState.PROBLEM, message, remedy)


def from_error(error: MutuaError | OSError) -> Finding:
    """A problem with the error's remedy, or with a general one if the error has none."""
    message = error.problem if isinstance(error, MutuaError) else str(error)
    remedy = error.remedy if isinstance(error, MutuaError) else ""
    return problem(message, remedy or "check that it runs, and the settings")


def _skip() -> Finding:
    return note("not checked", "fix the problem above first")


def format_size(count: int) -> str:
    """Formats a number of bytes in MiB or GiB."""
    return f"{count / 2**30:,.1f} GiB" if count >= 2**30 else f"{count / 2**20:,.0f} MiB"
