"""XML files, written element by element, that every reader accepts."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Final
from xml.sax.saxutils import XMLGenerator

from services.exports.export_file import ByteSink

_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has no form for, such as U+FFFF."""
_INDENT: Final = "  "


class XmlFile:
    """Writes elements, each on a line of its own. Text may have any character.

    A character that XML has no form for becomes its escape, such as `\\uffff`, so that ids that
    differ still do.
    """

    def __init__(self, file: ByteSink) -> None:
        self._generator = XMLGenerator(file, "utf-8", short_empty_elements=True)
        self._depth = 0

    @contextmanager
    def write_document(self, name: str, attributes: Mapping[str, str]) -> Iterator[None]:
        """Writes the document whose root is this element; the block writes its content."""
        self._generator.startDocument()
        with self.write_element(name, attributes):
            yield
        self._generator.ignorableWhitespace("\n")
        self._generator.endDocument()

    @contextmanager
    def write_element(self, name: str, attributes: Mapping[str, str]) -> Iterator[None]:
        """Writes an element; the block writes the elements in it."""
        self._start(name, attributes)
        self._depth += 1
        yield
        self._depth -= 1
        self._generator.ignorableWhitespace("\n" + _INDENT * self._depth)
        self._generator.endElement(name)

    def write_leaf(self, name: str, attributes: Mapping[str, str], text: str = "") -> None:
        """Writes an element without elements in it."""
        self._start(name, attributes)
        if text:
            self._generator.characters(_escape(text))
        self._generator.endElement(name)

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        if self._depth:  # XMLGenerator ends the line of the declaration itself
            self._generator.ignorableWhitespace("\n" + _INDENT * self._depth)
        escaped = {key: _escape(value) for key, value in attributes.items()}
        self._generator.startElement(name, escaped)  # type: ignore[arg-type]


def format_value(value: str | float | date) -> str:
    """The text of a value: numbers exact, flags true and false, dates YYYY-MM-DD."""
    match value:
        case bool():
            return "true" if value else "false"
        case date():
            return value.isoformat()
        case _:
            return str(value)


def _escape(text: str) -> str:
    return _NO_XML.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
