#!/bin/sh
# A calendar that ts-ics has read and written again invites other people.
#
# Versions: ts-ics 2.4.6, icalendar 7.3.2, ical.js 2.2.1 (as of November 2026).
# Run: convertIcsCalendar and generateIcsCalendar on a meeting whose participants have a comma or a colon in
#   their names, as Outlook writes "Ruiz, Ana"; both files read by icalendar and ical.js.
# Expected: the same names and addresses. A value with a comma, a colon or a semicolon stands in quotes
#   (RFC 5545, 3.2), as it does in the file that was read.
# Seen: ts-ics writes names without quotes. The name "Ruiz, Ana" becomes two names to icalendar. Of
#   "Ward 7: nights" the name is "Ward 7", and the address of the organizer is now
#   " nights:MAILTO:ward7@ash.org"; the participant "Elm: beds" loses the answer ACCEPTED in the same way.
#   Nothing is raised by any of the three. A name with a semicolon is cut when ts-ics reads it ("\"Oak"),
#   and what it writes of it is refused by icalendar (that participant is left out) and by ical.js.
# Bites: exchanges are matched to organizations by the addresses of those who met. Addresses from such a
#   calendar match nobody, and answers are missing.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check icalendar==7.3.2
npm install --silent --no-fund --no-audit --prefix "$folder" ts-ics@2.4.6 ical.js@2.2.1
cat >"$folder/again.mjs" <<'JAVASCRIPT'
import { readFileSync, writeFileSync } from "fs";
import { convertIcsCalendar, generateIcsCalendar } from "ts-ics";

const [given, again] = process.argv.slice(2);
writeFileSync(again, generateIcsCalendar(convertIcsCalendar(undefined, readFileSync(given, "utf8"))));
JAVASCRIPT
cat >"$folder/read.mjs" <<'JAVASCRIPT'
import { readFileSync } from "fs";
import ICAL from "ical.js";

try {
  const [, , [[, properties]]] = ICAL.parse(readFileSync(process.argv[2], "utf8"));
  const people = properties.filter(([name]) => name === "organizer" || name === "attendee");
  console.log(JSON.stringify(people.map(([, { cn, partstat }, , who]) => [cn, partstat, who])));
} catch (error) {
  console.log(JSON.stringify(error.message.slice(0, 38)));
}
JAVASCRIPT
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json
import subprocess
import sys
from pathlib import Path

from icalendar import Calendar

folder = Path(sys.argv[1])


def node(script, *files):
    command = ["node", str(folder / script), *(str(folder / file) for file in files)]
    return subprocess.check_output(command, text=True)


def by_icalendar(file):
    [event] = Calendar.from_ical((folder / file).read_bytes()).events
    people = [event["ORGANIZER"], *event.attendees]
    return [[who.params.get("CN"), who.params.get("PARTSTAT"), str(who)] for who in people]


def both(*people):
    lines = "".join(f"ATTENDEE;CN={name};PARTSTAT=ACCEPTED:mailto:{at}\r\n" for name, at in people)
    (folder / "given.ics").write_bytes(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//finding//EN\r\nBEGIN:VEVENT\r\nUID:1\r\n"
        "DTSTAMP:20260301T000000Z\r\nDTSTART:20260302T140500Z\r\nDURATION:PT45M\r\n"
        f'ORGANIZER;CN="Ward 7: nights":mailto:ward7@ash.org\r\n{lines}'
        "END:VEVENT\r\nEND:VCALENDAR\r\n".encode()
    )
    node("again.mjs", "given.ics", "again.ics")
    files = ("given.ics", "again.ics")
    return [(by_icalendar(file), json.loads(node("read.mjs", file))) for file in files]


organizer = ["Ward 7: nights", None, "mailto:ward7@ash.org"]
given, again = both(('"Ruiz, Ana"', "ana@ash.org"), ('"Elm: beds"', "elm@elm.org"))
print("given:", *given, "again:", *again, sep="\n")
right = [
    organizer,
    ["Ruiz, Ana", "ACCEPTED", "mailto:ana@ash.org"],
    ["Elm: beds", "ACCEPTED", "mailto:elm@elm.org"],
]
assert given == (right, right)
wrong = [
    ["Ward 7", None, " nights:MAILTO:ward7@ash.org"],
    [["Ruiz", " Ana"], "ACCEPTED", "MAILTO:ana@ash.org"],
    ["Elm", None, " beds;PARTSTAT=ACCEPTED:MAILTO:elm@elm.org"],
]
assert again[0] == wrong
assert [who[2].strip() for who in again[1]] == [who[2].strip() for who in wrong]

given, again = both(('"Oak; north"', "oak@oak.org"))
print("with a semicolon:", *given, *again, sep="\n")
right = [organizer, ["Oak; north", "ACCEPTED", "mailto:oak@oak.org"]]
assert given == (right, right)
assert again == (wrong[:1], "invalid line (no matching double quote")
PYTHON
