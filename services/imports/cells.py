"""How cells are read: `services.notation`, under the names that imports use.

What a value may be is said by the core alone; it judges the facts that cells become.
"""

from services.notation.dates import DAY_FIRST, MONTH_FIRST, DateOrder, Moment
from services.notation.dates import TimeReader as DateReader
from services.notation.durations import DurationReader
from services.notation.errors import DateOrderError, WordError
from services.notation.errors import NotationError as CellError
from services.notation.topics import TopicReader
from services.notation.words import (
    join_list,
    map_enum_words,
    normalize_word,
    read_list,
    read_word,
    split_at_commas,
)

__all__ = [
    "DAY_FIRST",
    "MONTH_FIRST",
    "CellError",
    "DateOrder",
    "DateOrderError",
    "DateReader",
    "DurationReader",
    "Moment",
    "TopicReader",
    "WordError",
    "join_list",
    "map_enum_words",
    "normalize_word",
    "read_list",
    "read_word",
    "split_at_commas",
]
