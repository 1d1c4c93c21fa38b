"""Rows about organizations become facts: registered, updated, or nothing."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from mutua.ids import uuid7
from mutua.v1.event_pb2 import Event, ExternalId, OrganizationContent
from mutua.v1.query_service_pb2 import Organization
from mutua.v1.types_pb2 import Date, OrganizationType
from services.imports import cells
from services.imports.cells import CellError
from services.imports.changes import Batch, Decision
from services.imports.columns import Plan
from services.imports.report import Problem

_SETS: Final = ("aliases", "external_ids")


class OrganizationChanges:
    """Compares rows with the roster. Fields that the file does not have are kept as they are."""

    def __init__(
        self, batch: Batch, fields: Iterable[str], organizations: Iterable[Organization]
    ) -> None:
        self._batch = batch
        self._fields = tuple(fields)
        self._types = cells.enum_words(OrganizationType.items())
        self._roster: dict[str, OrganizationContent] = {}
        # Every id and alias that is spoken for, and by whom.
        self._bound: dict[str, str] = {}
        self._earlier_rows: dict[str, tuple[int, OrganizationContent]] = {}
        for organization in organizations:
            content = _content(organization)
            if organization.registered:
                self._roster[content.organization_id] = content
                self._bound[content.organization_id] = content.organization_id
            for alias in content.aliases:
                self._bound[alias] = content.organization_id

    def read(self, plan: Plan, texts: Sequence[str]) -> tuple[OrganizationContent, list[Problem]]:
        """What a row says, and what is wrong with it."""
        content = OrganizationContent()
        problems = plan.read(texts, content, self.read_field)
        if content.HasField("close_date") and _ordered(content.close_date) < _ordered(
            content.open_date
        ):
            problems.append(
                Problem("close_date", "", CellError("is before open_date; are they exchanged?"))
            )
        return content, problems

    def read_field(self, content: OrganizationContent, field: str, text: str) -> None:
        """Raises CellError."""
        match field:
            case "organization_id":
                content.organization_id = cells.read_id(text)
            case "aliases":
                content.aliases.extend(sorted({cells.read_id(a) for a in cells.read_list(text)}))
            case "type":
                value = cells.read_word(text, self._types)
                content.type = OrganizationType.ValueType(value)
            case "external_ids":
                content.external_ids.extend(map(_external_id, cells.read_list(text)))
            case "open_date":
                content.open_date.CopyFrom(cells.read_date(text))
            case "close_date":
                content.close_date.CopyFrom(cells.read_date(text))
            case _:
                setattr(content, field, cells.read_label(text))

    def decide(self, line: int, said: OrganizationContent) -> Decision | Problem:
        organization_id = said.organization_id
        first_line, first = self._earlier_rows.setdefault(organization_id, (line, said))
        if first_line != line:
            if first == said:
                return Decision("skipped")
            error = CellError(f"stands on line {first_line:,} too, with other content")
            return Problem("organization_id", organization_id, error)
        standing = self._roster.get(organization_id)
        content = self._overlaid(standing, said)
        for word in (organization_id, *content.aliases):
            if (owner := self._bound.setdefault(word, organization_id)) != organization_id:
                field = "organization_id" if word == organization_id else "aliases"
                return Problem(field, word, CellError(f"already means the organization {owner}"))
        return self._fact(standing, content)

    def _fact(self, standing: OrganizationContent | None, content: OrganizationContent) -> Decision:
        event = Event(
            programme_id=self._batch.programme,
            source=self._batch.source(content.organization_id),
        )
        if standing is None:
            event.event_id = self._batch.organization_event_id(content.organization_id)
            event.organization_registered.organization.CopyFrom(content)
            return Decision("recorded", event)
        if content == self._overlaid(standing, OrganizationContent(), fields=()):
            return Decision("unchanged")
        event.event_id = uuid7()
        event.organization_updated.organization.CopyFrom(content)
        return Decision("corrected", event)

    def _overlaid(
        self,
        standing: OrganizationContent | None,
        said: OrganizationContent,
        fields: Iterable[str] | None = None,
    ) -> OrganizationContent:
        """`said` laid over what stands. Aliases are added, for nothing can take one away."""
        merged = OrganizationContent()
        if standing is not None:
            merged.CopyFrom(standing)
        for name in self._fields if fields is None else fields:
            if name != "aliases":
                merged.ClearField(name)  # type: ignore[arg-type]
        merged.MergeFrom(said)
        merged.aliases[:] = sorted({*merged.aliases} - {merged.organization_id})
        pairs = sorted({(each.scheme, each.value) for each in merged.external_ids})
        del merged.external_ids[:]
        merged.external_ids.extend(ExternalId(scheme=s, value=v) for s, v in pairs)
        return merged


def _content(organization: Organization) -> OrganizationContent:
    names = OrganizationContent.DESCRIPTOR.fields_by_name
    known: Mapping[str, Any] = {
        field.name: value for field, value in organization.ListFields() if field.name in names
    }
    return OrganizationContent(**known)


def _external_id(text: str) -> ExternalId:
    scheme, colon, value = text.partition(":")
    if not (colon and scheme.strip() and value.strip()):
        raise CellError("must be scheme:value, such as ods:R1A, with ; between several")
    return ExternalId(
        scheme=cells.read_label(scheme.strip()), value=cells.read_label(value.strip())
    )


def _ordered(date: Date) -> tuple[int, int, int]:
    return date.year, date.month, date.day
