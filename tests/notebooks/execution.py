"""Executes the notebooks of this folder: `python -m tests.notebooks.execution` writes them anew."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from nbclient import NotebookClient
from nbformat import v4

NOTEBOOKS: Final = sorted(Path(__file__).parent.glob("*.ipynb"))
_V4: Final[Any] = v4  # its functions have no types
TIMEOUT_SECONDS: Final = 120


def read(path: Path) -> Any:
    return _V4.reads(path.read_text())


def execute(path: Path) -> Any:
    """The notebook after running all its cells, without what differs from run to run.

    Raises CellExecutionError if a cell fails.
    """
    notebook = read(path)
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT_SECONDS,
        coalesce_streams=True,  # a slow cell sends what it prints in several pieces
        resources={"metadata": {"path": path.parent}},
    )
    client.execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata.pop("language_info", None)
    return notebook


def list_texts(notebook: Any) -> Iterator[tuple[str, str]]:
    """The source of each cell that prints, with the text it prints."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            yield cell.source, output["text"] if "text" in output else output.data["text/plain"]


def list_streams(notebook: Any) -> set[str]:
    """Where cells print to."""
    return {
        output["name"]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "stream"
    }


if __name__ == "__main__":
    for each in NOTEBOOKS:
        each.write_text(_V4.writes(execute(each)) + "\n")
