"""Graph files: a writer for each suffix."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from services.exports.export_file import ByteSink, UnusableFileError
from services.exports.gexf import write_gexf
from services.exports.graph_tables import GraphTables
from services.exports.graphml import write_graphml

GraphWriter = Callable[[GraphTables, ByteSink], None]
WRITERS: Final[Mapping[str, GraphWriter]] = {".graphml": write_graphml, ".gexf": write_gexf}


def find_writer(path: Path) -> GraphWriter:
    """What writes a file of this name. Raises UnusableFileError for another suffix."""
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise UnusableFileError(
            f"{path} is no graph file by its name",
            remedy="end it in .graphml (networkx, igraph, R) or .gexf (Gephi, with time)",
        )
    return writer
