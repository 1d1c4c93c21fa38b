"""Checks rows about organizations and decides what each of them changes."""

from collections.abc import Iterable, Mapping
from typing import Any

from mutua.ids import uuid7
from mutua.v1.event_pb2 import Event, ExternalId, OrganizationContent
from mutua.v1.query_service_pb2 import Organization
from mutua.v1.types_pb2 import OrganizationType
from services.imports.batches import ImportBatch
from services.imports.changes import MAX_LISTED_ROWS, RowChange
from services.imports.column_mapping import ColumnMapping
from services.imports.row_checker import ParsedRow, RowChecker, RowDecision, overlay
from services.imports.table import TableRow
from services.notation.dates import TimeReader
from services.notation.errors import NotationError
from services.notation.words import join_list, map_enum_words, read_list, read_word


class OrganizationRowChecker(RowChecker):
    """Compares rows with the roster. Fields that the file does not have keep their value."""

    fact_field = "organization_registered"
    key_field = "organization_id"

    def __init__(
        self,
        mapping: ColumnMapping,
        programme: str,
        import_batch: ImportBatch,
        *,
        organizations: Iterable[Organization],
        dates: TimeReader,
    ) -> None:
        super().__init__(mapping, programme, import_batch)
        self.changes: list[RowChange] = []
        """The first rows that change an organization."""
        self._dates = dates
        self._types = map_enum_words(OrganizationType.items())
        self._replaced_fields = mapping.sources.keys() - {"aliases"}
        self._roster: dict[str, OrganizationContent] = {}
        # Every id and alias in use -> its organization.
        self._owners: dict[str, str] = {}
        for organization in organizations:
            organization_id = organization.organization_id
            if organization.registered:
                self._roster[organization_id] = _content(organization)
                self._owners[organization_id] = organization_id
            self._owners |= dict.fromkeys(organization.aliases, organization_id)

    def read_field(self, event: Event, field: str, text: str) -> None:
        content = event.organization_registered.organization
        match field:
            case "aliases":
                content.aliases.extend(read_list(text))
            case "type":
                value = read_word(text, self._types)
                content.type = OrganizationType.ValueType(value)
            case "external_ids":
                content.external_ids.extend(map(_external_id, dict.fromkeys(read_list(text))))
            case "open_date":
                content.open_date.CopyFrom(self._dates.read_day(text).date)
            case "close_date":
                content.close_date.CopyFrom(self._dates.read_day(text).date)
            case _:
                setattr(content, field, text)

    def get_reference(self, event: Event) -> str:
        return event.organization_registered.organization.organization_id

    def normalize(self, event: Event) -> None:
        super().normalize(event)
        content = event.organization_registered.organization
        if content.organization_id in content.aliases:
            content.aliases.remove(content.organization_id)

    def decide(self, row: TableRow, parsed_row: ParsedRow) -> RowDecision:
        event = parsed_row.parse_event()
        content = event.organization_registered.organization
        organization_id = content.organization_id
        current = self._roster.get(organization_id)
        merged = overlay(current or OrganizationContent(), content, self._replaced_fields)
        # Aliases are only added, because no fact removes one.
        merged.aliases[:] = sorted({*merged.aliases})
        names = (organization_id, *merged.aliases)
        for id_or_alias in names:
            if (owner := self._owners.get(id_or_alias, organization_id)) != organization_id:
                field = "organization_id" if id_or_alias == organization_id else "aliases"
                raise NotationError(
                    f"{id_or_alias!r} already means the organization {owner}", field=field
                )
        self._owners |= dict.fromkeys(names, organization_id)
        if current is None:
            return RowDecision("recorded")
        if merged == current:
            return RowDecision("unchanged")
        event.organization_updated.organization.CopyFrom(merged)
        event.event_id = uuid7()
        if len(self.changes) < MAX_LISTED_ROWS:
            self.changes.append(_change(row.line, current, merged))
        return RowDecision("corrected", event)


def _change(line: int, before: OrganizationContent, after: OrganizationContent) -> RowChange:
    old, new = _cells(before), _cells(after)
    fields = [
        name for name in OrganizationContent.DESCRIPTOR.fields_by_name if _differ(name, old, new)
    ]
    return RowChange(
        row=line,
        reference=after.organization_id,
        exchange_id="",
        before={field: old.get(field, "") for field in fields},
        after={field: new.get(field, "") for field in fields},
    )


def _cells(content: OrganizationContent) -> dict[str, str]:
    """The fields that have a value, each as a cell of a file."""
    return {field.name: _cell(field.name, value) for field, value in content.ListFields()}


def _differ(field: str, old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    return old.get(field, "") != new.get(field, "")


def _cell(field: str, value: Any) -> str:
    match field:
        case "type":
            word = OrganizationType.Name(value).removeprefix("ORGANIZATION_TYPE_")
            return word.lower().replace("_", " ")
        case "aliases":
            return join_list(value)
        case "external_ids":
            return join_list(f"{external_id.scheme}:{external_id.value}" for external_id in value)
        case "open_date" | "close_date":
            return f"{value.year:04}-{value.month:02}-{value.day:02}"
        case _:
            return str(value)


def _content(organization: Organization) -> OrganizationContent:
    names = OrganizationContent.DESCRIPTOR.fields_by_name
    fields = {
        field.name: value for field, value in organization.ListFields() if field.name in names
    }
    return OrganizationContent(**fields)


def _external_id(text: str) -> ExternalId:
    scheme, colon, value = text.partition(":")
    if not colon:
        raise NotationError("must be scheme:value, such as ods:R1A, with ; between several")
    return ExternalId(scheme=scheme, value=value)
