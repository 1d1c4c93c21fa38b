"""What the dashboard sends: a line of JSON with the file's name and options, then the file."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple

from services.imports.options import ImportOptions
from services.ledger.errors import InvalidArgumentError
from services.notation.dates import DAY_FIRST, MONTH_FIRST

MAX_FILE_BYTES: Final = 16 << 20
MAX_HEAD_BYTES: Final = 1 << 20
"""Maximum size of the line before the file, which may bind hundreds of names."""
_MAX_NAME_BYTES: Final = 200
"""Shorter than the 255 bytes of file systems, so that other files get names made of it."""
_TEXTS: Final = ("batch", "sheet", "zone", "party_separator")
_MAPS: Final = ("map", "set", "kind_map", "topic_map", "name_map")
_FLAGS: Final = ("no_header", "as_new", "accept_changes", "accept_missing", "reinstate")


class Upload(NamedTuple):
    """A file and how it is read. With `skips_bad` rows with errors do not prevent the others."""

    file_name: str
    programme: str
    options: ImportOptions
    skips_bad: bool
    content: bytes


def read_upload(body: bytes) -> Upload:
    """Raises InvalidArgumentError, which names the member of the line that cannot be read."""
    head, newline, content = body.partition(b"\n")
    if not newline or len(head) > MAX_HEAD_BYTES:
        raise InvalidArgumentError(
            "the body does not begin with a line of JSON",
            remedy='send {"file": NAME}, then the file',
        )
    document = read_object(head)
    options = document.get("options", {})
    if not isinstance(options, dict):
        raise InvalidArgumentError.for_field("options", "is no object")
    return Upload(
        file_name=_clean_name(_read(document, "file", str, "")),
        programme=_read(document, "programme", str, "") or "default",
        options=_read_options(options),
        skips_bad=_read(options, "skip_bad", bool, False),
        content=content,
    )


def read_object(text: bytes) -> dict[str, Any]:
    """An object of JSON. Raises InvalidArgumentError."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidArgumentError(f"this is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise InvalidArgumentError("this is JSON, but no object")
    return document


def _read_options(document: Mapping[str, Any]) -> ImportOptions:
    known = {*_TEXTS, *_MAPS, *_FLAGS, "skip_bad", "header_row", "date_order"}
    if unknown := sorted(document.keys() - known):
        raise InvalidArgumentError.for_field(unknown[0][:40], "is no option")
    order = _read(document, "date_order", str, "")
    if order not in ("", DAY_FIRST, MONTH_FIRST):
        raise InvalidArgumentError.for_field("date_order", f"is not {DAY_FIRST} or {MONTH_FIRST}")
    values: dict[str, Any] = {name: _read(document, name, str, "") for name in _TEXTS}
    values |= {name: _read_map(document, name) for name in _MAPS}
    values |= {name: _read(document, name, bool, False) for name in _FLAGS}
    header_row = _read(document, "header_row", int, 0)
    if header_row < 0:
        raise InvalidArgumentError.for_field("header_row", "is negative")
    return ImportOptions(**values, date_order=order or None, header_row=header_row or None)


def _read_map(document: Mapping[str, Any], name: str) -> dict[str, str]:
    pairs: dict[str, str] = _read(document, name, dict, {})
    if not all(isinstance(text, str) for text in pairs.values()):
        raise InvalidArgumentError.for_field(name, "has a value that is no text")
    return pairs


def _read(document: Mapping[str, Any], name: str, kind: type, default: Any) -> Any:
    value = document.get(name, default)
    if type(value) is not kind:
        raise InvalidArgumentError.for_field(name, "is of the wrong type")
    return value


def _clean_name(sent: str) -> str:
    """A name that a file system takes, without folders, with the ending that tells its format."""
    name = PurePosixPath(sent.replace("\\", "/").replace("\0", "")).name
    text = "".join(each for each in name if unicodedata.category(each)[0] != "C").strip()
    path = PurePosixPath(text.lstrip(".") or "file")
    suffix = "".join(path.suffixes[-2:]).encode()[-20:]
    stem = path.name.encode()[: _MAX_NAME_BYTES - len(suffix)]
    if len(path.name.encode()) <= _MAX_NAME_BYTES:
        return path.name
    return stem.decode(errors="ignore") + suffix.decode(errors="ignore")
