"""The reviews of DPDK, from the folder of real data, with their golden numbers."""

import csv
import gzip
import os
import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Final

import pytest

from mutua.v1.event_pb2 import Event
from mutua.v1.types_pb2 import EXCHANGE_KIND_ADVICE

_REAL_DATA: Final = os.environ.get("MUTUA_REAL_DATA")
needs_real_data: Final = pytest.mark.skipif(
    _REAL_DATA is None, reason="MUTUA_REAL_DATA does not name the folder of the real data"
)
Window = tuple[date | None, date | None]
ALWAYS: Final[Window] = (None, None)


def get_year(number: int) -> Window:
    return date(number, 1, 1), date(number + 1, 1, 1)


SIZES: Final = [
    pytest.param(ALWAYS, 321, 20_850, 334, 758, id="all"),
    pytest.param(get_year(2016), 76, 1_110, 44, 101, id="2016"),
    pytest.param(get_year(2018), 81, 2_461, 60, 146, id="2018"),
    pytest.param(get_year(2020), 88, 2_967, 78, 202, id="2020"),
    pytest.param(get_year(2022), 73, 1_533, 61, 164, id="2022"),
    pytest.param(get_year(2023), 66, 1_730, 62, 126, id="2023"),
    pytest.param(get_year(2025), 51, 971, 33, 95, id="2025"),
    pytest.param((None, date(2021, 1, 1)), 235, 11_984, 223, 506, id="to-2020"),
]
"""Window; numbers of organizations, exchanges, pairs in both directions and in one direction."""
BALANCES_OF_2023: Final = [
    ("smartsharesystems.com", 156, 9),
    ("amd.com", 196, 62),
    ("intel.com", 405, 318),
    ("redhat.com", 198, 335),
    ("arknetworks.am", 1, 123),
    ("networkplumber.org", 61, 133),
]
"""Organization, given, received."""
NETS: Final = {
    "nxp.com": 620,
    "smartsharesystems.com": 466,
    "networkplumber.org": -620,
    "monjalon.net": -604,
    "mellanox.com": -431,
}
PAIRS: Final = [
    ("xilinx.com", "oktetlabs.ru", "count", 232, 244),
    ("nxp.com", "intel.com", "count", 511, 674),
    ("amazon.com", "semihalf.com", "count", 188, 201),
    ("6wind.com", "mellanox.com", "days", 161, 221),
    ("intel.com", "huawei.com", "days", 141, 190),
    ("smartsharesystems.com", "linux.microsoft.com", "days", 34, 34),
]
"""Giver, receiver, unit, the amount from giver to receiver, the amount in both directions."""


def read_events() -> Iterator[Event]:
    with gzip.open(Path(_REAL_DATA or "", "dpdk-reviews.csv.gz"), "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            reference = str(uuid.uuid5(uuid.NAMESPACE_URL, row["event_ref"]))
            event = Event(event_id=reference, programme_id="dpdk")
            event.occur_time.FromJsonString(row["occurred_at"])
            event.report_time.FromJsonString(row["recorded_at"])
            content = event.exchange_recorded.exchange
            content.giver_ids.append(row["giver"])
            content.receiver_ids.append(row["receiver"])
            content.kind = EXCHANGE_KIND_ADVICE
            yield event
