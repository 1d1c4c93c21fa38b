#!/bin/sh
# networkx-temporal numbers the days on which something happened, and takes the numbers for days.
#
# Versions: networkx-temporal 1.4.4, networkx 3.6.1, pandas 2.3.3 (as of November 2026).
# Run: from_events and to_events of ties (giver, receiver, day), plain, with durations, and with the
#   beginning and end of each tie.
# Expected: the events that were given. Both functions speak of events (u, v, t) and of durations in the unit
#   of t, and describe no loss but that of isolated nodes and of self-loops.
# Seen: ash to oak on day 0 and back on day 30 comes back as days 0 and 1. Two visits on day 0 and day 30
#   are one tie that lasts 1. A tie of days 5 to 7 follows one of days 0 to 2 without a gap, begins on
#   day 3, and its end is no longer told. Each day on which something happens is a snapshot, and its
#   position becomes t. Nothing is raised. The days are still in TG.index, as texts.
# Bites: how long organizations take to reciprocate. All waits are counts of days with any event
#   between them: short in quiet programmes, long in busy ones.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
  networkx-temporal==1.4.4 networkx==3.6.1 pandas==2.3.3
"$folder/venv/bin/python" - <<'PYTHON'
import networkx_temporal


def again(events, **options):
    network = networkx_temporal.from_events(events, directed=True, multigraph=False)
    seen = network.to_events(**options)
    print(events, "->", seen, list(network.index))
    return seen


assert again([("ash", "oak", 0), ("oak", "ash", 30)]) == [("ash", "oak", 0), ("oak", "ash", 1)]
visits = [("ash", "oak", 0, 0.0), ("ash", "oak", 30, 0.0)]
assert again(visits, delta="float") == [("ash", "oak", 0, 1.0)]
begun = [("ash", "oak", 0, 1), ("ash", "oak", 3, -1), ("elm", "oak", 5, 1), ("elm", "oak", 8, -1)]
assert sorted(again(begun, delta="int")) == [
    ("ash", "oak", 0, 1),
    ("ash", "oak", 3, -1),
    ("elm", "oak", 3, 1),
]
without_gaps = [("ash", "oak", 0), ("oak", "ash", 1), ("ash", "elm", 2)]
assert again(without_gaps) == without_gaps
PYTHON
