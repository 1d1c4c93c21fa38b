#!/bin/sh
# Durations of more than a day in SPSS files lose their days, or are missing.
#
# Versions: pyreadstat 1.3.7, pandas 3.1.1, polars-readstat 0.25.0, polars 2.1.0 (November 2026).
# Run: 1 h 30, 30 h 15 and 3 days in a .sav file, as a variable of the format TIME and of DTIME.
# Expected: both formats show an interval that the file stores in seconds, of any length; DTIME has the
#   days in front. 30 h 15 is 108,900 s, as pyreadstat itself says with conversion switched off.
# Seen: pyreadstat (and pandas.read_spss, which calls it) makes a time of day of them: 30 h 15 comes
#   as 06:15, 3 days as 00:00. polars-readstat reads DTIME right, and TIME from 24 hours on as null.
#   Nothing is raised by either.
# Bites: total minutes that an organization spent, which surveys ask for as hours and minutes. The
#   largest givers lose most, so that burden looks more even than it is.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
  pyreadstat==1.3.7 pandas==3.1.1 polars-readstat==0.25.0 polars==2.1.0
"$folder/venv/bin/python" - "$folder/minutes.sav" <<'PYTHON'
import sys
from datetime import time, timedelta

import pandas
import polars_readstat
import pyreadstat

file = sys.argv[1]
seconds = [5_400.0, 108_900.0, 259_200.0]
written = pandas.DataFrame({"spent": seconds, "total": seconds})
pyreadstat.write_sav(written, file, variable_format={"spent": "TIME8", "total": "DTIME12"})

stored, _ = pyreadstat.read_sav(file, disable_datetime_conversion=True)
assert list(stored["spent"]) == list(stored["total"]) == seconds
read, _ = pyreadstat.read_sav(file)
print(read)
wrapped = [time(1, 30), time(6, 15), time(0, 0)]
assert list(read["spent"]) == list(read["total"]) == wrapped
assert list(pandas.read_spss(file)["spent"]) == wrapped
fast = polars_readstat.scan_readstat(file).collect()
print(fast)
assert fast["spent"].to_list() == [time(1, 30), None, None]
assert fast["total"].to_list() == [timedelta(seconds=each) for each in seconds]
PYTHON
