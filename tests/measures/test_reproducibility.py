"""Measures are equal in every process: embedded, and in the processes of a cluster."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from services.measures.reciprocity import Verdict, Yardstick, judge

_MEASURE = """
import numpy as np
from services.measures.flow_graph import FlowGraph
from services.measures.reciprocity import measure_reciprocity
from services.measures.shuffle_null import Blocks

rng = np.random.default_rng(5)
giver, receiver = np.divmod(np.sort(rng.choice(200 * 200, 2000, replace=False)), 200)
is_tie = giver != receiver
giver, receiver = giver[is_tie], receiver[is_tie]
weight = rng.integers(1, 10**8, len(giver))
graph, blocks = FlowGraph(200, giver, receiver, weight), Blocks(giver, receiver, weight)
for unit in (0, 10**6):
    print(measure_reciprocity(graph, blocks, unit=unit, exchange_count=2000, seed=0))
"""


def test_threads_of_the_linear_algebra_do_not_matter() -> None:
    one, two = (
        subprocess.run(
            [sys.executable, "-c", _MEASURE],
            env=os.environ | {"OPENBLAS_NUM_THREADS": threads},
            cwd=Path(__file__).parents[2],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for threads in ("1", "2")
    )
    assert "expected=" in one
    assert one == two


def test_reciprocity_at_the_edge_of_rounded_yardsticks_is_not_beyond_them() -> None:
    third = Yardstick.of(1 / 3, np.full(200, 1 / 3))
    assert judge(1 / 3, third, third) is Verdict.DEPENDS_ON_YARDSTICK
