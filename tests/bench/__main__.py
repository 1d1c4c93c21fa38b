"""`make bench`: the table of `tests/bench/README.md`, measured now."""

import sys

from tests.bench import asking, cluster_recording, commands, embedded, rebuilding, recording

GROUPS = {
    "commands": commands.figures,
    "embedded": embedded.figures,
    "recording": recording.figures,
    "rebuilding": rebuilding.figures,
    "asking": asking.figures,
}
ON_A_CLUSTER = {"cluster_recording": cluster_recording.figures}
"""Measured when named: they need a broker."""


def main(names: list[str]) -> None:
    """Prints the figures of the groups named, or of all that need nothing but this machine."""
    print("| what | measured | limit | ratio | the limit is |")
    print("|---|---|---|---|---|")
    for name in names or GROUPS:
        for figure in {**GROUPS, **ON_A_CLUSTER}[name]():
            print(figure.row(), flush=True)


main(sys.argv[1:])
