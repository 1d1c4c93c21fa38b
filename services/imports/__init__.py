"""Tables of people become facts, recorded through `mutua.Client`."""

from services.imports.changes import Change, Doubt
from services.imports.date_order import UnknownDateOrderError
from services.imports.headerless import HeaderlessError
from services.imports.options import ImportOptions
from services.imports.report import (
    ImportInterrupted,
    ImportRefused,
    ImportReport,
    Overlap,
    RowError,
)
from services.imports.run import import_exchanges, import_organizations

__all__ = [
    "Change",
    "Doubt",
    "HeaderlessError",
    "ImportInterrupted",
    "ImportOptions",
    "ImportRefused",
    "ImportReport",
    "Overlap",
    "RowError",
    "UnknownDateOrderError",
    "import_exchanges",
    "import_organizations",
]
