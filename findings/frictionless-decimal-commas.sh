#!/bin/sh
# Frictionless takes amounts with a decimal comma for points on the map, and 45,05 for 45,5.
#
# Versions: frictionless 5.21.0 (as of November 2026).
# Run: describe, extract and a rewritten copy of a CSV file with semicolons, as Excel saves it where the
#   comma is the decimal mark, with a column of hours; then one with an amount above 180 in row 152.
# Expected: text, as long as nobody says decimalChar, and the copy as it was: describe tells a schema that
#   fits, and the delimiter is found.
# Seen: the column is a "geopoint": 7,5 is longitude 7 and latitude 5. The two parts are numbers, so that
#   7,05 and 7,5 are the same point, and in the copy the same text "7,5". Both files are valid to
#   validate. With amounts up to 180 in the first hundred rows, later ones above it are read as None, and
#   validate finds fault with them. One amount without a comma makes the column text, and all is well.
# Bites: hours and costs from tables of continental Europe that pass through a data package: 7 h 3 min
#   becomes 7 h 30 min, and the largest amounts are missing. Name the type and decimalChar.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check frictionless==5.21.0
cd "$folder"
venv/bin/python - <<'PYTHON'
from pathlib import Path

from frictionless import Resource, describe, extract, validate


def read(*hours):
    Path("given.csv").write_text("giver;hours\n" + "".join(f"ash;{each}\n" for each in hours))
    [_, column] = describe("given.csv").schema.fields
    Resource("given.csv").write(Resource(path="again.csv"))
    rows, copy = extract("given.csv")["given"], Path("again.csv").read_text().splitlines()
    hours = [row["hours"] for row in rows]
    if column.type == "geopoint":
        hours = [each and [float(part) for part in each] for each in hours]
    return column.type, hours, copy[1:], validate("given.csv").valid


seen = read("7,5", "7,05", "12,25")
print(*seen)
copy = ['ash,"7,5"', 'ash,"7,5"', 'ash,"12,25"']
assert seen == ("geopoint", [[7.0, 5.0], [7.0, 5.0], [12.0, 25.0]], copy, True)
type_, hours, _, valid = read(*["7,5"] * 150, "190,5")
print(type_, hours[-2:], valid)
assert (type_, hours[-2:], valid) == ("geopoint", [[7.0, 5.0], None], False)
type_, hours, _, valid = read("7,05", "8", "190,5")
print(type_, hours, valid)
assert (type_, hours, valid) == ("string", ["7,05", "8", "190,5"], True)
PYTHON
