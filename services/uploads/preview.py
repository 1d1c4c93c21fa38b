"""Makes of what the importer finds what the page shows. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from services.imports.changes import Doubt, NewRow, RowChange
from services.imports.column_mapping import EXCHANGE_FIELDS
from services.imports.column_preview import TablePreview
from services.imports.headerless_table import HeaderlessError
from services.imports.report import ImportReport
from services.imports.undo import UndoReport
from services.notation.exchange_cells import PARTY_COLUMN_BY_FIELD
from services.notation.words import read_quoted_list
from services.uploads.page_wording import reword

Document = dict[str, Any]
MAX_CELL_CHARACTERS: Final = 200
"""Longer cells are cut, so that a page of samples stays small."""
_MAX_NOTES: Final = 20
_NAMES_NOTE: Final = "New and not on the roster"
"""Begins a note that the page shows as a list to choose from."""
_PARTY_FIELDS: Final = frozenset(PARTY_COLUMN_BY_FIELD.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a dry run finds.

    `refusal` says why the file cannot be read, `question` what has to be decided first: `no_header`
    (then `no_header_map` has the suggested columns by number) or `date_order`. `report` is None in
    these cases, and while required fields have no column.
    """

    table: TablePreview | None = None
    report: ImportReport | None = None
    refusal: str = ""
    question: str = ""
    no_header_map: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    """Names of organizations by id."""


def list_fields() -> list[Document]:
    """The fields of a file of exchanges, in their order."""
    return [{"name": each.name, "is_required": each.required} for each in EXCHANGE_FIELDS]


def preview_headerless(error: HeaderlessError) -> Preview:
    """A file whose first row looks like data: it asks whether no row has column names."""
    return Preview(
        refusal=error.question, question="no_header", no_header_map=error.column_by_field
    )


def make_preview(preview: Preview) -> Document:
    return {
        "table": _describe_table(preview.table) if preview.table is not None else None,
        "refusal": reword(preview.refusal),
        "question": preview.question,
        "no_header_map": dict(preview.no_header_map),
        "report": describe_report(preview.report, preview.labels) if preview.report else None,
    }


def describe_report(report: ImportReport, labels: Mapping[str, str] | None = None) -> Document:
    """The report in the words of the page, with names of organizations where there are any."""
    notes = [reword(each) for each in report.notes if not each.startswith(_NAMES_NOTE)]
    return {
        "batch": report.batch,
        "generation": report.generation,
        "ok": report.ok,
        "counts": asdict(report.counts),
        "fact_count": report.acknowledged,
        "position": report.position,
        "notes": notes[:_MAX_NOTES],
        "errors": [
            {
                "row": each.row,
                "row_count": each.row_count,
                "field": each.field,
                "value": cut(each.value),
                "message": reword(each.message),
            }
            for each in report.errors
        ],
        "error_count": report.error_count,
        "new_rows": [_describe_row(each, labels or {}) for each in report.new_rows],
        "changes": [_describe_change(each) for each in report.changes[:_MAX_NOTES]],
        "doubts": [_describe_doubt(each) for each in report.doubts],
        "new_names": [
            {
                "name": each.name,
                "row_count": each.row_count,
                "similar": [
                    {"id": id_, "label": label}
                    for id_, label in zip(each.similar_ids, each.similar_labels, strict=True)
                ],
            }
            for each in report.new_names
        ],
        "unknown_kinds": list(report.unknown_kinds),
    }


def describe_undo(report: UndoReport) -> Document:
    return {
        "batch": report.batch,
        "retracted_count": report.retracted_count,
        "corrected_by_hand_count": report.corrected_by_hand_count,
        "ended_pairing_count": report.ended_pairing_count,
        "position": report.position,
    }


def cut(text: str) -> str:
    if len(text) <= MAX_CELL_CHARACTERS:
        return text
    return f"{text[: MAX_CELL_CHARACTERS - 1]}…"


def _describe_table(table: TablePreview) -> Document:
    return {
        "columns": [
            {
                "name": each.name,
                "label": cut(each.name),
                "field": each.field,
                "samples": list(map(cut, each.samples)),
            }
            for each in table.columns
        ],
        "missing_fields": list(table.missing_fields),
        "sheet": table.sheet,
        "sheets": list(table.sheets),
    }


def _describe_row(row: NewRow, labels: Mapping[str, str]) -> Document:
    cells = {
        name: _label_parties(text, labels) if name in _PARTY_FIELDS else cut(text)
        for name, text in row.cells.items()
    }
    return {"row": row.row, "cells": cells}


def _label_parties(text: str, labels: Mapping[str, str]) -> str:
    return cut(", ".join(labels.get(id_) or id_ for id_, _ in read_quoted_list(text)))


def _describe_change(change: RowChange) -> Document:
    return {
        "row": change.row,
        "reference": change.reference,
        "lines": list(map(cut, change.format_lines())),
    }


def _describe_doubt(doubt: Doubt) -> Document:
    return {
        "option": doubt.option,
        "statement": doubt.statement,
        "remedy": reword(doubt.remedy),
        "question": doubt.question,
        "changes": [_describe_change(each) for each in doubt.changes],
    }
