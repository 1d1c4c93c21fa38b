#!/bin/sh
# Raphtory: what an organization gave is negative, and its reciprocity is not of what it gave.
#
# Versions: raphtory 0.17.0 (the newest that pip offers to Python 3.11; November 2026).
# Run: all_local_reciprocity and balance of a network in which ash gives to three organizations, one of
#   which (oak) gives back, and receives from two.
# Expected: all_local_reciprocity is documented as the proportion of a node's outgoing edges which are
#   reciprocated: 1/3 for ash, and none for those that have no outgoing edge. balance is documented as
#   the sum of the weights of outgoing edges, of incoming edges, or of both (the default): 106, 50, 156.
# Seen: the reciprocity of ash is 0.4, twice the mutual ties over all ties of either direction. It is 0
#   for elm, which only receives, as for yew, which is never given anything. Outgoing weights are
#   summed as negative numbers: ash has -106, 50 and -56, so that "both" is received minus given.
# Bites: ash, of whose gifts a third is returned, looks more mutual than it is; elm, which gives to
#   nobody, looks like yew, which gives and is given nothing; and whoever sorts by what was given, or
#   takes the default for the total that passed through, has the largest giver at the wrong end.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
# pandas and pyarrow, on which it depends, are not needed here.
"$folder/venv/bin/pip" install -q --disable-pip-version-check --no-deps raphtory==0.17.0
"$folder/venv/bin/python" - <<'PYTHON'
from raphtory import Graph, algorithms

network = Graph()
for time, (giver, receiver, weight) in enumerate(
    (("ash", "oak", 45), ("oak", "ash", 45), ("ash", "elm", 60), ("yew", "ash", 5), ("ash", "fir", 1))
):
    network.add_edge(time, giver, receiver, properties={"weight": float(weight)})
documented = algorithms.all_local_reciprocity.__doc__
assert "proportion of a node's outgoing edges which are reciprocated" in documented


def by_name(state, key):
    return {node.name: value[key] for node, value in state.items()}


reciprocity = by_name(algorithms.all_local_reciprocity(network), "reciprocity")
print("reciprocity:", reciprocity)
assert reciprocity == {"ash": 0.4, "oak": 1.0, "elm": 0.0, "yew": 0.0, "fir": 0.0}
for direction, summed in (("out", -106.0), ("in", 50.0), ("both", -56.0)):
    balance = by_name(algorithms.balance(network, name="weight", direction=direction), "balance")
    print(direction, balance)
    assert balance["ash"] == summed
PYTHON
