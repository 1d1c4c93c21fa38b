"""The options that analyses add to those of every question."""

from typing import Final

import click

from mutua.v1.query_service_pb2 import AttributeFilter
from services.cli.parameters import ParsedParameter
from services.ledger.half_life import MAX_HALF_LIFE_DAYS
from services.ledger.organization import ATTRIBUTES, describe_unknown_attribute


def _parse_attribute_filter(text: str) -> AttributeFilter:
    attribute, equals, value = (part.strip() for part in text.partition("="))
    if not (attribute and equals and value):
        raise ValueError(f"{text!r}: write attribute=value, such as region=North")
    return AttributeFilter(attribute=attribute.replace("-", "_"), value=value)


def _parse_attribute(text: str) -> str:
    attribute = text.strip().replace("-", "_")
    if attribute not in ATTRIBUTES:
        raise ValueError(describe_unknown_attribute(attribute))
    return attribute


WHERE_OPTION: Final = click.option(
    "--where",
    "where",
    type=ParsedParameter("attribute=value", _parse_attribute_filter),
    multiple=True,
    metavar="ATTRIBUTE=VALUE",
    help="Only organizations with this attribute, and the flow among them, such as region=North.",
)
SEED_OPTION: Final = click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Fixes random draws: the same seed gives the same answer.",
)
BY_TOPIC_OPTION: Final = click.option(
    "--by-topic", is_flag=True, help="Also answer for each topic; topics do not add up."
)
HALF_LIFE_OPTION: Final = click.option(
    "--half-life",
    "half_life_days",
    type=click.IntRange(1, MAX_HALF_LIFE_DAYS),
    metavar="DAYS",
    help="Amounts count half for every so many days before the end of the window.",
)
ROLES_BY_OPTION: Final = click.option(
    "--roles-by",
    type=ParsedParameter("attribute", _parse_attribute),
    metavar="ATTRIBUTE",
    help=f"Also count brokerage roles between groups: {', '.join(ATTRIBUTES)}.",
)
