#!/bin/sh
# DyNetx turns ties of a directed network around, and leaves out the ties back.
#
# Versions: dynetx 0.3.2, networkx 3.6.1 (as of November 2026).
# Run: a DynDiGraph in which ash gives to oak at 0 and 8, and oak to ash at 5: interactions, write_snapshots
#   and read_snapshots, write_interactions and read_interactions, node-link JSON, and time_slice.
# Expected: the three ties. has_interaction and stream_interactions have them.
# Seen: interactions() is ("oak", "ash") at 0 and 8: once for each pair, of the tie that is met first, and the
#   wrong way round. So are the files of snapshots and the JSON, where 5 is missing, and
#   time_slice(0, 8). write_interactions is right. An open issue (135) tells it of time_slice;
#   files and JSON are not mentioned there.
# Bites: reciprocity of each month, from slices or from files, is 0, and givers appear as receivers.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check dynetx==0.3.2 networkx==3.6.1
"$folder/venv/bin/python" - "$folder/ties" <<'PYTHON'
import sys
from pathlib import Path

import dynetx
from dynetx.readwrite import json_graph

file = sys.argv[1]
network = dynetx.DynDiGraph()
for giver, receiver, time in (("ash", "oak", 0), ("oak", "ash", 5), ("ash", "oak", 8)):
    network.add_interaction(giver, receiver, t=time)
    assert network.has_interaction(giver, receiver, t=time)

[tie] = network.interactions()
print("interactions:", tie)
assert tie[:2] == ("oak", "ash") and tie[2]["t"] == [[0, 0], [8, 8]]
dynetx.write_snapshots(network, file)
print("snapshots:", Path(file).read_text().splitlines())
assert Path(file).read_text().splitlines() == ["oak ash 0", "oak ash 8"]
links = json_graph.node_link_data(network)["links"]
assert [(link["source"], link["target"], link["time"]) for link in links] == [
    ("oak", "ash", 0),
    ("oak", "ash", 8),
]
part = network.time_slice(0, 8)
assert {tie[:2] for tie in part.stream_interactions()} == {("oak", "ash")}
dynetx.write_interactions(network, file)
print("interactions file:", Path(file).read_text().splitlines())
PYTHON
