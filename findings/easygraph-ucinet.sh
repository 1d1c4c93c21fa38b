#!/bin/sh
# EasyGraph writes networks of more than 31 organizations to UCINET files with dots in the matrix.
#
# Versions: python-easygraph 1.6.3, numpy 1.26.4 (as of November 2026).
# Run: write_ucinet of a ring in which each of 31, then 32 organizations gives 2.5 to the next, and
#   read_ucinet of the file.
# Expected: the ring. A DL file in the format "fullmatrix" has a number for each ordered pair.
# Seen: amounts are cut to whole numbers, 2.5 to 2 and anything below 1 to no tie. From 32 organizations
#   on the file has the first and last three rows and columns with "..." between them: the matrix is
#   written as numpy prints it, and numpy abbreviates from 1,001 cells on. Writing raises nothing.
#   EasyGraph cannot read such a file again.
# Bites: anyone who goes on in UCINET. A trial with a few organizations and whole numbers works; of the
#   51 of a programme the file has 6, and it is noticed when the file is opened, if at all.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
# EasyGraph's other dependencies (torch among them) are not needed here.
"$folder/venv/bin/pip" install -q --disable-pip-version-check --no-deps python-easygraph==1.6.3
"$folder/venv/bin/pip" install -q --disable-pip-version-check numpy==1.26.4 scipy==1.17.1 \
  matplotlib==3.11.2 requests==2.34.2 fastjsonschema==2.22.3 tqdm==4.70.1 2>/dev/null
"$folder/venv/bin/python" -W ignore - "$folder/ring.dl" <<'PYTHON'
import sys
from pathlib import Path

import easygraph

file = Path(sys.argv[1])


def write(count, amount):
    ring = easygraph.DiGraph()
    for number in range(count):
        ring.add_edge(f"t{number:02}", f"t{(number + 1) % count:02}", weight=amount)
    easygraph.write_ucinet(ring, str(file))
    return file.read_text()


def read():
    return [edge[-1]["weight"] for edge in easygraph.read_ucinet(str(file)).edges]


assert "..." not in write(31, 2.5)
print("31 organizations:", sum(read()), "instead of", 31 * 2.5)
assert read() == [2.0] * 31
write(31, 0.75)
assert read() == []
text = write(32, 2.5)
matrix = text.partition("data:\n")[2].splitlines()
print("32 organizations:", *matrix, sep="\n")
assert [len(row.split()) for row in matrix] == [7, 7, 7, 1, 7, 7, 7]
assert all("..." in row for row in matrix)
try:
    read()
except ValueError as error:
    print("read again:", error)
else:
    raise AssertionError("EasyGraph reads it by now")
PYTHON
