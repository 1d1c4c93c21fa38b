"""Options of an import."""

from dataclasses import dataclass, field
from pathlib import Path

from services.notation.dates import DateOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """The options of `mutua import exchanges` and `mutua import organizations`."""

    map: dict[str, str] = field(default_factory=dict)
    """Field -> column; "" leaves the field out."""
    set: dict[str, str] = field(default_factory=dict)
    """Field -> its text in every row."""
    kind_map: dict[str, str] = field(default_factory=dict)
    """Word of the file -> kind of the contract."""
    batch: str = ""
    """Name of the batch. "" takes the one in a workbook of `import template`, else the file's."""
    sheet: str = ""
    """Sheet to read; "" searches for one with the required columns."""
    header_row: int | None = None
    """Row of the column names; None searches for it."""
    no_header: bool = False
    """Whether no row has column names, so that columns go by number."""
    topic_map: dict[str, str] = field(default_factory=dict)
    """Label of the file -> topic."""
    date_order: DateOrder | None = None
    """What comes first in 01/02/2026; None finds it from the rows."""
    zone: str = ""
    """Zone of times without a zone; "" is UTC."""
    skip_bad: Path | None = None
    """File for rows with errors. None: a row with an error prevents the import."""
    writes_bad_rows: bool = False
    """Whether a dry run, too, writes the file of `skip_bad`."""
    names: Path | None = None
    """File with the organizations of names; written if it does not exist and names are new."""
    name_map: dict[str, str] = field(default_factory=dict)
    """Name of the file -> id or name of its organization; it wins over the file of `names`."""
    party_separator: str = ""
    """An additional separator between several organizations in a cell."""
    as_new: bool = False
    """Whether to record rows whose references another batch has too."""
    accept_changes: bool = False
    """Whether to record changes so large that the file may be another one."""
    accept_missing: bool = False
    """Whether to record as many new rows as are missing, in a file without references."""
    reinstate: bool = False
    """Whether to record fixed rows again whose exchange somebody retracted by hand."""
    dry_run: bool = False
    """Whether to check and report only."""
