"""The notebooks run, and print what they show."""

from pathlib import Path

import pytest

from tests.notebooks.execution import NOTEBOOKS, execute, list_streams, list_texts, read

UPDATE = "run `python -m tests.notebooks.execution`, read the new outputs, and commit them"


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_prints_what_it_shows(path: Path) -> None:
    notebook = execute(path)
    assert list_streams(notebook) <= {"stdout"}, "a cell warns"
    assert list(list_texts(notebook)) == list(list_texts(read(path))), UPDATE
