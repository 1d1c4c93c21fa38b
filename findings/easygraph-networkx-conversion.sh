#!/bin/sh
# A network that EasyGraph takes over from networkx, or hands back, has lost its amounts.
#
# Versions: python-easygraph 1.6.3, networkx 3.6.1 (as of November 2026).
# Run: from_networkx and to_networkx of four ties with weights, and "beds" of one organization; then
#   Burt's constraint by weight.
# Expected: weights and beds, which DiGraph(network) of EasyGraph keeps, as do its GML and GraphML.
# Seen: both functions keep the ties, their direction and the attributes of the network as a whole.
#   The attributes of ties and of organizations are gone, and nothing is raised. A weight that is
#   asked for and missing is 1, so that constraint by weight is the unweighted one: 1.003 for ash and
#   for oak, instead of 1.120 and 0.588, which networkx has before and EasyGraph itself after
#   DiGraph(network).
# Bites: EasyGraph is used beside networkx for what networkx lacks, such as Burt's hierarchy. Strengths
#   and constraint of givers are those of a network in which all gave alike.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
# EasyGraph's other dependencies (torch among them) are not needed here.
"$folder/venv/bin/pip" install -q --disable-pip-version-check --no-deps python-easygraph==1.6.3
"$folder/venv/bin/pip" install -q --disable-pip-version-check networkx==3.6.1 numpy==1.26.4 \
  scipy==1.17.1 matplotlib==3.11.2 requests==2.34.2 fastjsonschema==2.22.3 tqdm==4.70.1 2>/dev/null
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import easygraph
import networkx

given = networkx.DiGraph(name="sharing")
given.add_node("ash", beds=350)
for giver, receiver, weight in (
    ("ash", "oak", 30), ("oak", "ash", 10), ("ash", "elm", 1), ("elm", "oak", 20)
):
    given.add_edge(giver, receiver, weight=weight)


def constraint(library, network):
    found = library.constraint(network, weight="weight")
    return {name: round(value, 3) for name, value in sorted(found.items())}


taken, kept = easygraph.from_networkx(given), easygraph.DiGraph(given)
back = easygraph.to_networkx(kept)
print("from_networkx:", list(taken.edges), dict(taken.nodes), taken.graph)
print("to_networkx:", list(back.edges(data=True)), dict(back.nodes))
ties = [("ash", "elm", {}), ("ash", "oak", {}), ("elm", "oak", {}), ("oak", "ash", {})]
nodes = {"ash": {}, "elm": {}, "oak": {}}
assert sorted(taken.edges, key=str) == ties and dict(taken.nodes) == nodes
assert sorted(back.edges(data=True), key=str) == ties and dict(back.nodes) == nodes
assert taken.graph == {"name": "sharing"} and dict(kept.nodes)["ash"] == {"beds": 350}

right = {"ash": 1.12, "elm": 1.464, "oak": 0.588}
print("constraint:", constraint(easygraph, taken), "instead of", right)
assert constraint(networkx, given) == constraint(easygraph, kept) == right
assert constraint(easygraph, taken) == {"ash": 1.003, "elm": 1.389, "oak": 1.003}
assert dict(back.out_degree(weight="weight")) == {"ash": 2, "oak": 1, "elm": 1}
PYTHON
