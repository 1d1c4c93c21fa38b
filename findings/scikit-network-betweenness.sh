#!/bin/sh
# Betweenness of scikit-network: half as large if ties have a direction, and never normalized.
#
# Versions: scikit-network 0.33.5, networkx 3.6.1, numpy 2.4.6, scipy 1.17.1 (as of November 2026).
# Run: Betweenness on the matrix of a chain ash -> oak -> elm -> yew, on that of the same chain without
#   directions, and both with normalized=True.
# Expected: 2 for oak and elm in both: of ordered pairs with a direction, of unordered ones without, as in
#   networkx; normalized 1/3 and 2/3.
# Seen: 1 with directions, 2 without. The walk follows directions, and then halves all values as if each
#   pair had been met twice. normalized=True changes nothing. Other measures of scikit-network
#   take directed matrices, and nothing is raised.
# Bites: brokerage of organizations in networks of givers and receivers. Comparing programmes of different
#   size, or what was given with who meets whom, is off by a factor.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
  scikit-network==0.33.5 networkx==3.6.1 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PYTHON'
import networkx
from scipy.sparse import csr_matrix
from sknetwork.ranking import Betweenness

given = networkx.path_graph(4, create_using=networkx.DiGraph)
for network, right, normalized in ((given, 2, 1 / 3), (given.to_undirected(), 2, 2 / 3)):
    assert networkx.betweenness_centrality(network, normalized=False)[1] == right
    assert abs(networkx.betweenness_centrality(network)[1] - normalized) < 1e-12
    matrix = csr_matrix(networkx.to_numpy_array(network))
    plain = Betweenness().fit_predict(matrix)
    print("directed" if network.is_directed() else "undirected", plain)
    assert plain.tolist() == ([0, 1, 1, 0] if network.is_directed() else [0, 2, 2, 0])
    assert Betweenness(normalized=True).fit_predict(matrix).tolist() == plain.tolist()
PYTHON
