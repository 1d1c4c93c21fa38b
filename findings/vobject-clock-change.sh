#!/bin/sh
# Meetings that vobject expands may keep the offset of the first one when the clocks change.
#
# Versions: vobject 0.9.9, pytz 2026.6, icalendar 7.3.2, recurring-ical-events 3.8.2 (November 2026).
# Run: getrruleset of a meeting in London at 09:00 from Thursday 26 March 2026 on (the clocks change on the
#   29th), also with EXDATE, UNTIL and RDATE, from a calendar without a VTIMEZONE, as caldav servers and web
#   pages send it for the zones of the IANA database (RFC 7809), and from one with it.
# Expected: 09:00 in London each time, 08:00 UTC from the 29th on, as recurring-ical-events has it.
# Seen: without VTIMEZONE vobject says 09:00+00:00 from the 29th on, which is 10:00 in London: a pytz zone at
#   one offset is carried along. A meeting that EXDATE takes out after the change is still there, and the
#   last one, which UNTIL (08:00 UTC) includes, is missing. In autumn they are an hour early. With
#   VTIMEZONE all are right, unless a calendar without one was read before in the same process. Nothing is
#   raised.
# Bites: calendars of several organizations read in one run: for half of the year meetings are an hour late,
#   a cancelled one counts as an exchange, a series ends one short, and the order of files decides which.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
  vobject==0.9.9 pytz==2026.6 icalendar==7.3.2 recurring-ical-events==3.8.2
cat >"$folder/expand.py" <<'PYTHON'
import sys
from datetime import UTC, date

import recurring_ical_events
import vobject
from icalendar import Calendar

ZONE = """BEGIN:VTIMEZONE
TZID:Europe/London
BEGIN:DAYLIGHT
TZOFFSETFROM:+0000
TZOFFSETTO:+0100
DTSTART:19810329T010000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:+0100
TZOFFSETTO:+0000
DTSTART:19961027T020000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
"""


def expand(zone, start, rule, exception="X-NONE:"):
    text = (
        f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//finding//EN\n{zone}BEGIN:VEVENT\nUID:1\n"
        f"DTSTAMP:20260301T000000Z\nDTSTART;TZID=Europe/London:{start}T090000\nDURATION:PT1H\n"
        f"RRULE:FREQ={rule}\n{exception}\nEND:VEVENT\nEND:VCALENDAR\n"
    ).replace("\n", "\r\n")
    events = recurring_ical_events.of(Calendar.from_ical(text)).between(
        date(2026, 1, 1), date(2026, 12, 31)
    )
    right = sorted(event.start.astimezone(UTC) for event in events)
    seen = [time.astimezone(UTC) for time in vobject.readOne(text).vevent.getrruleset(addRDate=True)]
    return [" ".join(f"{time:%d.%H}" for time in times) for times in (right, seen)]


def series(zone):
    return [
        expand(zone, "20260326", "DAILY;COUNT=5"),
        expand(zone, "20260326", "DAILY;COUNT=5", "EXDATE;TZID=Europe/London:20260330T090000"),
        expand(zone, "20260326", "DAILY;UNTIL=20260330T080000Z"),
        expand(zone, "20260326", "DAILY;COUNT=2", "RDATE;TZID=Europe/London:20260402T090000"),
        expand(zone, "20261023", "DAILY;COUNT=4"),
    ]


right = [
    "26.09 27.09 28.09 29.08 30.08",
    "26.09 27.09 28.09 29.08",
    "26.09 27.09 28.09 29.08 30.08",
    "26.09 27.09 02.08",
    "23.08 24.08 25.09 26.09",
]
wrong = [
    "26.09 27.09 28.09 29.09 30.09",
    "26.09 27.09 28.09 29.09 30.09",
    "26.09 27.09 28.09 29.09",
    "26.09 27.09 02.08",
    "23.08 24.08 25.08 26.08",
]
for zone in sys.argv[1:]:
    seen = series(ZONE if zone == "with" else "")
    print(f"{zone} VTIMEZONE, day.hour in UTC: right, by vobject", *seen, sep="\n")
    expected = wrong if sys.argv[1] == "without" else right
    assert seen == [list(pair) for pair in zip(right, expected)]
PYTHON
"$folder/venv/bin/python" -W ignore "$folder/expand.py" with without
"$folder/venv/bin/python" -W ignore "$folder/expand.py" without with
