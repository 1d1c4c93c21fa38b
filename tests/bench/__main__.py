"""`make bench`: the table of `tests/bench/README.md`, measured now."""

import sys

from tests.bench import asking, commands, embedded, rebuilding, recording

GROUPS = {
    "commands": commands.figures,
    "embedded": embedded.figures,
    "recording": recording.figures,
    "rebuilding": rebuilding.figures,
    "asking": asking.figures,
}


def main(names: list[str]) -> None:
    """Prints the figures of the groups named, or of all."""
    print("| what | measured | limit | ratio | the limit is |")
    print("|---|---|---|---|---|")
    for name in names or GROUPS:
        for figure in GROUPS[name]():
            print(figure.row(), flush=True)


main(sys.argv[1:])
