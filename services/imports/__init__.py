"""Tables of people become facts, recorded through `mutua.Client`."""

from services.imports.changes import Doubt, RowChange
from services.imports.date_order import UnknownDateOrderError
from services.imports.file_import import (
    import_exchanges,
    import_organizations,
    import_pairings,
)
from services.imports.headerless_table import HeaderlessError
from services.imports.options import ImportOptions
from services.imports.report import (
    BatchOverlap,
    ImportInterruptedError,
    ImportRefusedError,
    ImportReport,
    RowProblem,
)

__all__ = [
    "BatchOverlap",
    "Doubt",
    "HeaderlessError",
    "ImportInterruptedError",
    "ImportOptions",
    "ImportRefusedError",
    "ImportReport",
    "RowChange",
    "RowProblem",
    "UnknownDateOrderError",
    "import_exchanges",
    "import_organizations",
    "import_pairings",
]
