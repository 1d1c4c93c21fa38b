#!/bin/sh
# Months and quarters of Stata files: polars-readstat counts them as days since 1960.
#
# Versions: polars-readstat 0.25.0, polars 2.1.0, pandas 3.1.1, pyarrow 26.0.1 (as of November 2026).
# Run: a .dta file with a day, a month, a quarter and a year, written by pandas and read by both.
# Expected: Stata's manual (datetime display formats) counts %tm in months, %tq in quarters, %th in
#   half-years, %tw in weeks since 1960, and %ty is the year itself. March 2026 is the number 794.
# Seen: pandas reads back what it wrote. polars-readstat gives a column of type Date for each of them
#   and takes the number for days: March 2026 is 1962-03-05, the second quarter of 2026 is 1960-09-22,
#   the year 2026 is 1965-07-19. Nothing is raised.
# Bites: surveys ask for the month or quarter of a contact, and people know no better. All of them
#   land in the years 1960 to 1965, before any window, and the days beside them are right.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
  polars-readstat==0.25.0 polars==2.1.0 pandas==3.1.1 pyarrow==26.0.1
"$folder/venv/bin/python" - "$folder/contacts.dta" <<'PYTHON'
import sys

import pandas
import polars_readstat

file = sys.argv[1]
days = {"td": "2026-03-02", "tm": "2026-03-01", "tq": "2026-04-01", "ty": "2026-01-01"}
written = pandas.DataFrame({name: pandas.to_datetime([day]) for name, day in days.items()})
written.to_stata(file, convert_dates={name: name for name in days}, write_index=False)

by_pandas = {name: str(day.date()) for name, day in pandas.read_stata(file).iloc[0].items()}
[row] = polars_readstat.scan_readstat(file).collect().to_dicts()
by_polars = {name: str(day) for name, day in row.items()}
print("pandas:         ", by_pandas)
print("polars-readstat:", by_polars)
assert by_pandas == days
assert by_polars == {
    "td": "2026-03-02",
    "tm": "1962-03-05",
    "tq": "1960-09-22",
    "ty": "1965-07-19",
}
PYTHON
