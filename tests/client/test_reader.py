"""The blocking modules equal what their sources generate."""

from pathlib import Path

import pytest

from tests.client.blocking_reader import TARGETS, generate


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_blocking_module_is_generated_from_its_async_twin(target: Path) -> None:
    assert target.read_text() == generate(target), "run make proto and commit what it generates"
