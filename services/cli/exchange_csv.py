"""Exchanges as a CSV file that `mutua import exchanges` reads as it is."""

import csv
import io
from collections.abc import Sequence

from mutua.v1.query_service_pb2 import Exchange
from services.cli.organization_names import CommandLineDirectory
from services.exports.exchange_rows import COLUMNS, list_exchange_rows


def exchange_csv(exchanges: Sequence[Exchange], directory: CommandLineDirectory) -> str:
    """A header and one row per exchange: its current revision, or the retracted one."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(list_exchange_rows(exchanges, directory))
    return text.getvalue().removesuffix("\n")
