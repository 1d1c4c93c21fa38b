"""Reads the roster of the generated programme: invented organizations in roster.csv."""

import csv
from datetime import date
from itertools import product
from pathlib import Path
from typing import Final

from mutua.v1.event_pb2 import OrganizationContent
from mutua.v1.types_pb2 import Date, OrganizationType

_FILE: Final = Path(__file__).with_name("roster.csv")


def read_roster(*, copies: int) -> list[OrganizationContent]:
    """Reads the roster `copies` times; copies share no name, core system or grouping."""
    with _FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    width = len(str(copies * len(rows)))
    return [
        _to_organization(row, f"T-{number:0{width}}", f" {copy + 1}" if copy else "")
        for number, (copy, row) in enumerate(product(range(copies), rows), start=1)
    ]


def _to_organization(row: dict[str, str], organization_id: str, suffix: str) -> OrganizationContent:
    def name(field: str) -> str:
        return row[field] and row[field] + suffix

    return OrganizationContent(
        organization_id=organization_id,
        name=name("name"),
        aliases=filter(None, [name("aliases")]),
        type=OrganizationType.Value(f"ORGANIZATION_TYPE_{row['type'].upper()}"),
        sector=row["sector"],
        region=row["region"],
        size=row["size"],
        core_system=name("core_system"),
        strategic_group=name("strategic_group"),
        role=row["role"],
        open_date=_to_date(row["open_date"]),
        close_date=_to_date(row["close_date"]),
    )


def _to_date(text: str) -> Date | None:
    if not text:
        return None
    day = date.fromisoformat(text)
    return Date(year=day.year, month=day.month, day=day.day)
