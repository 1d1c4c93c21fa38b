"""The bar that shows that an answer takes a while."""

from __future__ import annotations

import io
import sys

import pytest

from services.cli.waiting_bar import show_waiting
from tests.waiting import wait_until


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_moves_on_a_terminal_and_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with show_waiting(silent_seconds=0):
        wait_until(lambda: terminal.getvalue().count("Waiting") > 1, "the bar moves")
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_is_silent_for_quick_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with show_waiting(silent_seconds=600):
        pass
    assert terminal.getvalue() == ""


def test_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with show_waiting(silent_seconds=0):
        pass
    assert capsys.readouterr() == ("", "")
