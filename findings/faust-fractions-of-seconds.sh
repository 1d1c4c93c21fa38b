#!/bin/sh
# Faust takes the milliseconds of a time for microseconds, unless ciso8601 happens to be installed.
#
# Versions: faust-streaming 0.15.3, ciso8601 2.4.1 (as of November 2026).
# Run: faust.utils.iso8601.parse, and a faust.Record with coerce=True that uses it for its field of type
#   datetime, on times as JavaScript, .NET, Go and PostgreSQL write them; then the same with ciso8601,
#   which `pip install faust-streaming[fast]` brings.
# Expected: 14:05:00.250 is a quarter of a second past for every parser, and +02 is two hours ahead of UTC.
# Seen: without ciso8601, .250 becomes 250 microseconds, .25 becomes 25, .7 becomes 7. Seven or nine digits,
#   which .NET and Go write, are refused ("microsecond must be in 0..999999"). An offset of hours alone,
#   as PostgreSQL prints it, is dropped: the time comes without a zone. With ciso8601 all are right.
#   Six digits, as Python and Faust write them, are right with both.
# Bites: agents that read what another language sent. Each time is up to a second early and two exchanges
#   of one second change places (.9 before .10), on the machines that lack an optional package.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check faust-streaming==0.15.3
cat >"$folder/parse.py" <<'PYTHON'
import datetime

import faust
from faust.utils import iso8601


class Exchange(faust.Record, coerce=True):
    start: datetime.datetime


def read(text):
    try:
        [start] = {iso8601.parse(text), Exchange.from_data({"start": text}).start}
    except ValueError as error:
        return str(error)
    return start.isoformat().partition("T")[2]


for fraction in (".250Z", ".25Z", ".7Z", ".250000Z", ".2500000Z", ".250000000Z", "+02"):
    print(fraction, read("2026-03-02T14:05:00" + fraction))
PYTHON
check() {
  seen=$("$folder/venv/bin/python" "$folder/parse.py")
  echo "$seen"
  [ "$seen" = "$1" ]
}
check ".250Z 14:05:00.000250+00:00
.25Z 14:05:00.000025+00:00
.7Z 14:05:00.000007+00:00
.250000Z 14:05:00.250000+00:00
.2500000Z microsecond must be in 0..999999
.250000000Z microsecond must be in 0..999999
+02 14:05:00"
echo "with ciso8601:"
"$folder/venv/bin/pip" install -q --disable-pip-version-check ciso8601==2.4.1
check ".250Z 14:05:00.250000+00:00
.25Z 14:05:00.250000+00:00
.7Z 14:05:00.700000+00:00
.250000Z 14:05:00.250000+00:00
.2500000Z 14:05:00.250000+00:00
.250000000Z 14:05:00.250000+00:00
+02 14:05:00+02:00"
