#!/bin/sh
# graphology reads a GEXF attribute under its id, unless the id is a number.
#
# Versions: graphology 0.26.0, graphology-gexf 0.13.2, networkx 3.6.1 (as of November 2026).
# Run: one GEXF 1.3 file with a dynamic edge and the edge attribute "minutes", once declared with
#   id="0" and once with id="e0", read by both.
# Expected: "minutes" in both. GEXF's id is what <attvalue for=> refers to, title is the name; networkx
#   has "minutes" twice.
# Seen: "minutes" for id="0", "e0" for id="e0". The title appears nowhere in the graph. <spells> are left
#   out as well, so that a tie of one week is there for ever. Nothing is raised, and neither is in the
#   documentation.
# Bites: pages that draw a network with sigma.js from a file that networkx and Gephi name right: a filter
#   or a size by "minutes" finds no value. Number the attributes, as networkx does.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check networkx==3.6.1
npm install --silent --no-fund --no-audit --prefix "$folder" \
  graphology@0.26.0 graphology-types@0.24.8 graphology-gexf@0.13.2
cat >"$folder/read.js" <<'JAVASCRIPT'
const { readFileSync } = require("fs");
const Graph = require("graphology");
const gexf = require("graphology-gexf");

const graph = gexf.parse(Graph, readFileSync(process.argv[2], "utf8"));
console.log(JSON.stringify(graph.getEdgeAttributes("ash", "oak")));
JAVASCRIPT
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json
import subprocess
import sys
from pathlib import Path

import networkx

folder = Path(sys.argv[1])
for id_, name in (("0", "minutes"), ("e0", "e0")):
    file = folder / "ties.gexf"
    file.write_text(f"""<?xml version="1.0" encoding="UTF-8"?>
<gexf xmlns="http://gexf.net/1.3" version="1.3">
<graph defaultedgetype="directed" mode="dynamic" timeformat="date">
<attributes class="edge"><attribute id="{id_}" title="minutes" type="double"/></attributes>
<nodes><node id="ash" label="Ash"/><node id="oak" label="Oak"/></nodes>
<edges><edge id="a" source="ash" target="oak" weight="2.5">
<attvalues><attvalue for="{id_}" value="90.5"/></attvalues>
<spells><spell start="2026-03-02" end="2026-03-08"/></spells></edge></edges></graph></gexf>""")
    [(*_, by_networkx)] = networkx.read_gexf(file, version="1.3").edges(data=True)
    command = ["node", str(folder / "read.js"), str(file)]
    by_graphology = json.loads(subprocess.check_output(command))
    print(f'id="{id_}" networkx:', by_networkx, "graphology:", by_graphology)
    assert by_networkx["minutes"] == 90.5 and by_networkx["spells"]
    assert by_graphology == {"weight": 2.5, name: 90.5}
PYTHON
