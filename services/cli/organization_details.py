"""The options that describe an organization, and its description in words."""

import shlex
from collections.abc import Iterator
from typing import Any, Final, Literal

import click

from mutua.v1.event_pb2 import ExternalId, OrganizationContent
from mutua.v1.query_service_pb2 import Organization
from mutua.v1.types_pb2 import Date, OrganizationType
from services.cli.dates import parse_date
from services.cli.parameters import EnumChoice, ParsedParameter, words_by_number

NONE_WORD: Final = "none"
"""The word that clears a type, a date or the external ids; an empty text clears other fields."""
TEXT_FIELDS: Final = ("name", "sector", "region", "core_system", "strategic_group", "size", "role")
DATE_FIELDS: Final[tuple[Literal["open_date", "close_date"], ...]] = ("open_date", "close_date")
TYPE_WORDS: Final = words_by_number(OrganizationType.items())
ALIAS_IS_FINAL: Final = "An alias cannot be taken away."
OrganizationValues = dict[str, Any]


class TypeOrNone(EnumChoice):
    """A type of organization, or the word for none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return 0 if value == NONE_WORD else super().convert(value, param, ctx)


def parse_external_id(typed: str) -> ExternalId:
    """Reads scheme:value; an empty one for the word for none. Raises ValueError without a colon."""
    scheme, colon, value = map(str.strip, typed.partition(":"))
    if typed != NONE_WORD and not (scheme and colon and value):
        raise ValueError(f"{typed!r} is no external id: type it like ods:R1A.")
    return ExternalId(scheme=scheme, value=value) if colon else ExternalId()


def parse_day(typed: str) -> Date:
    """Reads a date; an empty one for the word for none."""
    return Date() if typed == NONE_WORD else parse_date(typed)


DAY: Final = ParsedParameter("date", parse_day)
ORGANIZATION_OPTIONS: Final = (
    click.option("--name", help="The name that people use."),
    click.option(
        "--alias", "aliases", multiple=True, help="Another id or spelling; it stays for good."
    ),
    click.option("--type", type=TypeOrNone(OrganizationType.items()), help="What sort it is."),
    click.option("--sector", help="Such as acute."),
    click.option("--region", help="Such as Y55."),
    click.option("--core-system", help="The main record system it runs."),
    click.option("--strategic-group", help="The grouping it belongs to."),
    click.option("--size", help="A size band, such as large."),
    click.option("--role", help="Such as exemplar; boundary is outside the programme."),
    click.option(
        "--external-id",
        "external_ids",
        type=ParsedParameter("scheme:value", parse_external_id),
        multiple=True,
        help="Its id in another register, such as ods:R1A.",
    ),
    click.option("--open-date", type=DAY, help=f"First day in force; {NONE_WORD}: always was."),
    click.option(
        "--close-date", type=DAY, help=f"First day no longer in force; {NONE_WORD}: still is."
    ),
)


def apply_values(
    content_before: OrganizationContent, values: OrganizationValues
) -> OrganizationContent:
    """The content with the options laid over it."""
    content = OrganizationContent()
    content.CopyFrom(content_before)
    for field in TEXT_FIELDS:
        if values[field] is not None:
            setattr(content, field, values[field].strip())
    if values["type"] is not None:
        content.type = values["type"]
    if values["external_ids"]:
        del content.external_ids[:]
        content.external_ids.extend(each for each in values["external_ids"] if each.scheme)
    for field in DATE_FIELDS:
        if values[field] is not None:
            content.ClearField(field)
            if values[field] != Date():
                getattr(content, field).CopyFrom(values[field])
    aliases = {*content.aliases, *(alias.strip() for alias in values["aliases"])}
    content.aliases[:] = sorted(aliases - {content.organization_id})
    return content


def content_of(organization: Organization) -> OrganizationContent:
    fields = OrganizationContent.DESCRIPTOR.fields_by_name
    values = {
        field.name: value for field, value in organization.ListFields() if field.name in fields
    }
    return OrganizationContent(**values)


def details(content: OrganizationContent) -> dict[str, str]:
    """The content of an organization, by option; absent values are left out."""
    values = {field.replace("_", "-"): getattr(content, field) for field in TEXT_FIELDS}
    values["type"] = TYPE_WORDS.get(content.type, "")
    values["external-id"] = ", ".join(
        f"{each.scheme}:{each.value}" for each in content.external_ids
    )
    for field in DATE_FIELDS:
        if content.HasField(field):
            day = getattr(content, field)
            text = f"{day.year:04}-{day.month:02}-{day.day:02}"
            values[field.replace("_", "-")] = text
    values["alias"] = ", ".join(content.aliases)
    return {option: value for option, value in values.items() if value}


def describe_organization(content: OrganizationContent) -> str:
    """Such as "Elmwood Trust (elm-3), type acute, region Y55"."""
    values = details(content)
    name = values.pop("name", "")
    label = f"{name} ({content.organization_id})" if name else content.organization_id
    return ", ".join([label, *(f"{option} {value}" for option, value in values.items())])


def describe_changes(before: OrganizationContent, after: OrganizationContent) -> list[str]:
    """Lines such as "region: Y55 -> Y56"."""
    old, new = details(before), details(after)
    return [
        f"{option}: {old.get(option, 'nothing')} -> {new.get(option, 'nothing')}"
        for option in dict.fromkeys((*old, *new))
        if old.get(option) != new.get(option)
    ]


def undo_lines(
    command: str, before: OrganizationContent, after: OrganizationContent
) -> Iterator[str]:
    old, new = details(before), details(after)
    words = []
    for option in dict.fromkeys((*old, *new)):
        if old.get(option) == new.get(option) or option in ("alias", "external-id"):
            continue
        nothing = NONE_WORD if option == "type" or option.endswith("-date") else ""
        words += [f"--{option}", old.get(option, nothing)]
    if old.get("external-id") != new.get("external-id"):
        ids = [f"{each.scheme}:{each.value}" for each in before.external_ids] or [NONE_WORD]
        words += [word for each in ids for word in ("--external-id", each)]
    if words:
        yield f"To undo it: {command} {shlex.join(words)}"
    if old.get("alias") != new.get("alias"):
        yield ALIAS_IS_FINAL
