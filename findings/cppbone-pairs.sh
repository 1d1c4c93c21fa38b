#!/bin/sh
# The backbone of a table of directed ties keeps one amount of each mutual pair: the one that is written last.
#
# Versions: cppbone 0.2.3, networkx 3.6.1, pandas 2.3.3 (as of November 2026).
# Run: the disparity filter on six ties with amounts, among them a mutual pair (ash to oak 30, oak to ash
#   10): as a directed network, as a table, and as the table in the other order.
# Expected: a refusal, as cppbone is for undirected networks, or 40 for the pair in either order. The
#   directed network is refused: "only undirected graphs are supported".
# Seen: the table, which is documented as an equal way in, is taken. The pair has 10, or 30 if the rows are
#   sorted the other way, and so differ the strengths of both and the p-values of all their ties: ash and
#   oak are 0.14 (not significant at 0.05) or 0.03. Nothing is raised or printed.
# Bites: tables of ties by giver and receiver are what mutua and others export. The backbone loses what went
#   one way between mutual partners, and depends on the order of the rows. Sum pairs first.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
  cppbone==0.2.3 networkx==3.6.1 pandas==2.3.3
"$folder/venv/bin/python" - <<'PYTHON'
import netbone_cpp
import networkx
import pandas

ties = [
    ("ash", "oak", 30.0),
    ("oak", "ash", 10.0),
    ("ash", "elm", 1.0),
    ("elm", "oak", 20.0),
    ("yew", "ash", 5.0),
    ("elm", "yew", 7.0),
]
network = networkx.DiGraph()
network.add_weighted_edges_from(ties)
try:
    netbone_cpp.disparity(network)
except TypeError as error:
    print("directed network:", error)
else:
    raise AssertionError("directed networks are taken by now")


def disparity(rows):
    table = pandas.DataFrame(rows, columns=["source", "target", "weight"])
    found = netbone_cpp.disparity(table).to_dataframe()
    [pair] = found[found[["source", "target"]].isin(["ash", "oak"]).all(axis=1)].itertuples()
    print(found)
    return len(found), pair.weight, round(pair.p_value, 2)


assert disparity(ties) == (5, 10.0, 0.14)
assert disparity(ties[::-1]) == (5, 30.0, 0.03)
PYTHON
