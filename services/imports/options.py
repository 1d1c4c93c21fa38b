"""Options of an import."""

from dataclasses import dataclass, field
from pathlib import Path

from services.notation.dates import DateOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """`map`: field to column, "" leaves the field out. `set`: field to the text of every row.

    `kind_map`: a word of the file to one of our kinds. `topic_map`: a label of the file to a topic.
    `date_order`: what comes first in 01/02/2026; None finds it out from the rows. `zone`: where
    times without a zone are from, "" is UTC. `batch`: when empty, the name that
    a workbook of `import template` carries, else the file's.
    `skip_bad`: a file for rows that cannot be taken; without it one such row keeps all back.
    `header_row`: the row that names the columns, None to search. `no_header`: no row does, and
    columns go by number.
    `names`: a file that says which organizations names of the file mean; it is written when it is
    not there and names are new. `party_separator` also stands between several organizations in a
    cell. `as_new` records rows also when their references stand in another batch, `accept_changes`
    also when they change so much that another file may have been meant, `accept_missing` also when,
    without references, as many rows are new as are missing. `reinstate` records mended
    rows again whose exchange somebody retracted by hand.
    """

    map: dict[str, str] = field(default_factory=dict)
    set: dict[str, str] = field(default_factory=dict)
    kind_map: dict[str, str] = field(default_factory=dict)
    batch: str = ""
    sheet: str = ""
    header_row: int | None = None
    no_header: bool = False
    topic_map: dict[str, str] = field(default_factory=dict)
    date_order: DateOrder | None = None
    zone: str = ""
    skip_bad: Path | None = None
    names: Path | None = None
    party_separator: str = ""
    as_new: bool = False
    accept_changes: bool = False
    accept_missing: bool = False
    reinstate: bool = False
    dry_run: bool = False
