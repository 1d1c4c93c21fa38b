"""The real Gephi opens our files. All its tests are here, because its engine starts once a file."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.backing_services import build_or_skip
from tests.gephi.engine import Gephi, fetch_gephi

DAY = 86_400_000.0
MARCH_5 = 1_709_596_800_000.0
"""2024-03-05T00:00Z in milliseconds."""


@pytest.fixture(scope="module")
def gephi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gephi]:
    jars = build_or_skip(fetch_gephi)
    with closing(Gephi(jars, tmp_path_factory.mktemp("gephi") / "log")) as engine:
        yield engine


class TestEngine:
    GEXF = """<gexf xmlns="http://gexf.net/1.3" version="1.3">
      <graph defaultedgetype="directed" mode="dynamic" timeformat="date" timezone="UTC">
        <attributes class="edge"><attribute id="0" title="amount" type="double"/></attributes>
        <nodes><node id="a" label="A"/><node id="b" label="B"/></nodes>
        <edges><edge id="e0" source="a" target="b" weight="2.5">
          <attvalues><attvalue for="0" value="2.5"/></attvalues>
          <spells><spell start="2024-03-05" end="2024-03-06"/></spells>
        </edge></edges>
      </graph>
    </gexf>"""

    def test_reads_weights_attributes_and_time_bounds(self, gephi: Gephi, tmp_path: Path) -> None:
        path = tmp_path / "graph.gexf"
        path.write_text(self.GEXF)
        graph = gephi.read(path)
        assert {node.id: node.label for node in graph.nodes.values()} == {"a": "A", "b": "B"}
        [edge] = graph.edges
        assert (edge.source, edge.target, edge.weight) == ("a", "b", 2.5)
        assert edge.attributes == {"amount": 2.5}
        assert edge.is_directed
        assert edge.spells == [graph.bounds] == [(MARCH_5, MARCH_5 + DAY)]
        assert graph.issues == []
