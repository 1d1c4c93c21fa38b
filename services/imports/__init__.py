"""Tables of people become facts, recorded through `mutua.Client`."""

from services.imports.report import (
    ImportInterrupted,
    ImportRefused,
    ImportReport,
    Overlap,
    RowError,
)
from services.imports.run import ImportOptions, import_exchanges, import_organizations

__all__ = [
    "ImportInterrupted",
    "ImportOptions",
    "ImportRefused",
    "ImportReport",
    "Overlap",
    "RowError",
    "import_exchanges",
    "import_organizations",
]
