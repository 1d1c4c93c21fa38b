#!/bin/sh
# read-excel-file gives many times of a workbook a millisecond early, in the minute before.
#
# Versions: read-excel-file 9.3.17, exceljs 4.4.0, openpyxl 3.1.5 (as of November 2026).
# Run: a workbook with each minute of one day, written by openpyxl, read by both JavaScript libraries.
# Expected: what Excel shows and exceljs and openpyxl read: 2026-03-02 00:05. A workbook stores the time
#   as a fraction of a day, which for most minutes is no exact binary number and has to be rounded.
# Seen: read-excel-file cuts instead. 544 of the 1,440 minutes end in 59.999, 2026-03-02T00:04:59.999Z
#   for 00:05, and so do 32 of the 96 quarters of an hour. Nothing is raised. A whole day is right.
# Bites: pages in which people drop their workbook. A start that is shown or stored by the minute is one
#   too early, 14:15 to 15:00 may take 46 minutes, and a row that was entered by hand as well is not found
#   to be the same exchange. Round to seconds.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check openpyxl==3.1.5
npm install --silent --no-fund --no-audit --prefix "$folder" \
  read-excel-file@9.3.17 exceljs@4.4.0 >/dev/null 2>&1
"$folder/venv/bin/python" - "$folder/day.xlsx" <<'PYTHON'
import sys
from datetime import datetime, timedelta

import openpyxl

minutes = [datetime(2026, 3, 2) + timedelta(minutes=minute) for minute in range(1440)]
book = openpyxl.Workbook()
for minute in minutes:
    book.active.append([minute])
book.save(sys.argv[1])
read = openpyxl.load_workbook(sys.argv[1]).active
assert [row[0] for row in read.iter_rows(values_only=True)] == minutes
PYTHON
cat >"$folder/read.mjs" <<'JAVASCRIPT'
import ExcelJS from "exceljs";
import readExcelFile from "read-excel-file/node";

const [{ data }] = await readExcelFile("day.xlsx");
const book = await new ExcelJS.Workbook().xlsx.readFile("day.xlsx");
const other = book.worksheets[0].getColumn(1).values.slice(1);
const early = (times, step) =>
  times.filter((time, minute) => minute % step === 0 && +time === Date.UTC(2026, 2, 2, 0, minute) - 1);
const right = (times) => times.filter((time, minute) => +time === Date.UTC(2026, 2, 2, 0, minute));
const times = data.map(([time]) => time);
console.log("exceljs:", right(other).length, "of", other.length);
console.log("read-excel-file:", right(times).length, "right,", early(times, 1).length, "early,",
  early(times, 15).length, "quarters early,", early(times, 1)[0].toISOString());
JAVASCRIPT
seen=$(cd "$folder" && node read.mjs)
echo "$seen"
[ "$seen" = "exceljs: 1440 of 1440
read-excel-file: 896 right, 544 early, 32 quarters early, 2026-03-02T00:04:59.999Z" ]
