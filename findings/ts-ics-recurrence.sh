#!/bin/sh
# Monthly meetings that ts-ics expands are at midnight, on the wrong day or missing.
#
# Versions: ts-ics 2.4.6, ical.js 2.2.1, icalendar 7.3.2, recurring-ical-events 3.8.2 (November 2026).
# Run: extendByRecurrenceRule of rules that calendars offer for meetings, from the start of the event to a
#   year later, beside ical.js and recurring-ical-events.
# Expected: the same days and hours; these two agree on each. RFC 5545 (3.3.10) has BYDAY=1MO for the first
#   Monday and BYMONTHDAY=-1 for the last day of the month, keeps the hour of DTSTART, and COUNT counts
#   meetings that take place.
# Seen: the first Monday and the last working day come at 00:00, and the first meeting is missing, so that
#   COUNT=3 ends a month late. The last day of the month comes a day early: 27 February, 30 March. COUNT=7 on
#   working days gives 5. On the 31st of each month it is 28 February and then the 28th for ever. Daily at
#   09:00 in London is at 10:00 from 29 March on. Nothing is raised. Weekly rules are right.
# Bites: series of board or regional meetings are counted as exchanges: the month and the hour are wrong, a
#   first meeting is missing and there are others that never took place.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
  icalendar==7.3.2 recurring-ical-events==3.8.2
npm install --silent --no-fund --no-audit --prefix "$folder" ts-ics@2.4.6 ical.js@2.2.1
cat >"$folder/expand.mjs" <<'JAVASCRIPT'
import { readFileSync } from "fs";
import ICAL from "ical.js";
import { convertIcsCalendar, extendByRecurrenceRule } from "ts-ics";

const text = readFileSync(process.argv[2], "utf8");
const [event] = convertIcsCalendar(undefined, text).events;
const start = event.start.date;
const end = new Date(+start + 366 * 86400000);
const found = extendByRecurrenceRule(event.recurrenceRule, { start, end });
const component = new ICAL.Component(ICAL.parse(text)).getFirstSubcomponent("vevent");
const times = [];
const steps = new ICAL.Event(component).iterator();
for (let time = steps.next(); time && times.length < 4; time = steps.next())
  times.push(time.toString().slice(0, 16));
console.log(JSON.stringify([found.slice(0, 7).map((time) => time.toISOString().slice(0, 16)), times]));
JAVASCRIPT
TZ=UTC "$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import recurring_ical_events
from icalendar import Calendar

folder = Path(sys.argv[1])
file = folder / "meetings.ics"


def expand(start, rule):
    file.write_bytes(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//finding//EN\r\nBEGIN:VEVENT\r\nUID:1\r\n"
        f"DTSTAMP:20260101T000000Z\r\nDTSTART{start}\r\nDURATION:PT1H\r\nRRULE:FREQ={rule}\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n".encode()
    )
    calendar = Calendar.from_ical(file.read_bytes())
    events = recurring_ical_events.of(calendar).between(date(2026, 1, 1), date(2026, 12, 31))
    right = sorted(event.start.isoformat()[:16] for event in events)
    command = ["node", str(folder / "expand.mjs"), str(file)]
    seen, others = json.loads(subprocess.check_output(command))
    assert others == right[:4], (others, right)
    print(rule, "right:", *right[:4], "ts-ics:", *seen)
    return right, seen


for start, rule, wrong in (
    (":20260406T090000Z", "MONTHLY;BYDAY=1MO;COUNT=3", "05-04T00:00 06-01T00:00 07-06T00:00"),
    (":20260131T090000Z", "MONTHLY;BYMONTHDAY=-1;COUNT=3", "02-27T09:00 03-30T09:00 04-29T09:00"),
    (
        ":20260331T090000Z",
        "MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=3",
        "04-29T00:00 05-28T00:00 06-29T00:00",
    ),
    (":20260131T090000Z", "MONTHLY;COUNT=3", "01-31T09:00 02-28T09:00 03-28T09:00"),
):
    right, seen = expand(start, rule)
    assert len(right) == 3 and right[0] in start[1:5] + "-" + start[5:7] + "-" + start[7:9] + right[0][10:]
    assert " ".join(time[5:] for time in seen) == wrong, seen
right, seen = expand(":20260302T090000Z", "DAILY;BYDAY=MO,TU,WE,TH,FR;COUNT=7")
assert (len(right), len(seen)) == (7, 5)
right, seen = expand(";TZID=Europe/London:20260327T090000", "DAILY;COUNT=4")
assert right[2:] == ["2026-03-29T09:00", "2026-03-30T09:00"]  # by the clock in London: 08:00 UTC
assert seen[2:] == ["2026-03-29T09:00", "2026-03-30T09:00"]  # in UTC: 10:00 in London
right, seen = expand(":20260302T090000Z", "WEEKLY;BYDAY=MO,WE;COUNT=4")
assert seen == right
PYTHON
