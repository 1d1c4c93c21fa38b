"""What a view is: questions, and a pure function from their answers to what the page draws."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from services.ledger.errors import ImpossibleQuestionError
from services.query.dashboard.asker import Asker

Choices: TypeAlias = Mapping[str, str]
"""What a view is asked for beyond the filters, such as the organization that is selected."""


class ViewContent(NamedTuple):
    """What a view shows, and the response whose question, coverage and warnings it states.

    `question` is what it answers if that depends on its choices, else empty.
    """

    data: Mapping[str, Any]
    basis: Any
    question: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A view of the dashboard.

    `ask` asks its questions, and `make` turns the answers into its content without effects, on a
    thread of its own. `question` is what it answers, before the filters are named. A view with a
    `title` is a page, drawn by the module of its `name` in `static/pages/`; a view without is a
    part that pages share. `choices` are the parameters that it takes beyond the filters.
    """

    name: str
    ask: Callable[[Asker, Choices], Awaitable[Any]]
    make: Callable[[Any, Choices], ViewContent]
    question: str
    title: str = ""
    choices: tuple[str, ...] = ()


def read_choice(choices: Choices, name: str, words: Sequence[str]) -> str:
    """A choice that is one of some words, the first by default. Raises ImpossibleQuestionError."""
    word = choices[name] or words[0]
    if word not in words:
        remedy = f"choose one of {', '.join(words)}"
        raise ImpossibleQuestionError.for_field(name, f"is {word[:40]!r}", remedy)
    return word
