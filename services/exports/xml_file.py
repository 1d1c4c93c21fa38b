"""XML files, written element by element, that every reader accepts."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from services.exports.export_file import ByteSink

_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has no form for, such as U+FFFF."""
_UNUSUAL: Final = re.compile("[^ !#-%'-;=?-~]")
"""Characters that may need another form. Most text has none, and is written as it is."""


class XmlFile:
    """Writes elements, each on a line of its own. Text may have any character.

    A character that XML has no form for becomes its escape, such as `\\uffff`, so that ids that
    differ still do.
    """

    def __init__(self, file: ByteSink) -> None:
        self._file = file
        self._indent = ""

    @contextmanager
    def write_document(self, name: str, attributes: Mapping[str, str]) -> Iterator[None]:
        """Writes the document whose root is this element; the block writes its content."""
        self._write_line('<?xml version="1.0" encoding="utf-8"?>')
        with self.write_element(name, attributes):
            yield

    @contextmanager
    def write_element(self, name: str, attributes: Mapping[str, str]) -> Iterator[None]:
        """Writes an element; the block writes the elements in it."""
        self._write_line(f"<{_format_tag(name, attributes)}>")
        outer, self._indent = self._indent, f"{self._indent}  "
        yield
        self._indent = outer
        self._write_line(f"</{name}>")

    def write_leaf(self, name: str, attributes: Mapping[str, str], text: str = "") -> None:
        """Writes an element without elements in it."""
        tag = _format_tag(name, attributes)
        if not text:
            self._write_line(f"<{tag}/>")
            return
        escaped = escape(escape_non_xml(text)) if _UNUSUAL.search(text) else text
        self._write_line(f"<{tag}>{escaped}</{name}>")

    def _write_line(self, line: str) -> None:
        self._file.write(f"{self._indent}{line}\n".encode())


def _format_tag(name: str, attributes: Mapping[str, str]) -> str:
    return name + "".join(f" {key}={_quote(value)}" for key, value in attributes.items())


def _quote(value: str) -> str:
    return quoteattr(escape_non_xml(value)) if _UNUSUAL.search(value) else f'"{value}"'


def format_value(value: str | float | date) -> str:
    """The text of a value: numbers exact, flags true and false, dates YYYY-MM-DD."""
    match value:
        case bool():
            return "true" if value else "false"
        case date():
            return value.isoformat()
        case _:
            return str(value)


def escape_non_xml(text: str) -> str:
    """The text with an escape, such as `\\uffff`, for each character that XML has no form for."""
    return _NO_XML.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
