"""The methods page: definitions with sources, versions, and how to get each number again."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from services.report.answers import MAX_PAIRS, ReportAnswers
from services.report.command_line import write_command


@dataclass(frozen=True, slots=True)
class Definition:
    """A measure, its formula, and where that comes from; `source` may be empty."""

    name: str
    formula: str
    source: str


@dataclass(frozen=True, slots=True)
class Reproduction:
    """A section, the command that gives its numbers again, and the version of its definitions."""

    section: str
    command: str
    metric_version: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Methods:
    """What a reader needs to check the report."""

    definitions: tuple[Definition, ...]
    reproductions: tuple[Reproduction, ...]
    facts: tuple[tuple[str, str], ...]


DEFINITIONS: Final = (
    Definition(
        "Flow",
        "wᵢⱼ is what organization i gave j; W is the sum of all. Under the lens count, an exchange "
        "counts 1 for each giver and receiver; under other lenses its known minutes are divided "
        "among them.",
        "",
    ),
    Definition(
        "Returned share (weighted reciprocity)",
        "r_w = Σ min(wᵢⱼ, wⱼᵢ) / W, from 0 to 1",
        "Squartini, Picciolo, Ruzzenenti and Garlaschelli, Scientific Reports 3:2729, 2013",
    ),
    Definition(
        "Ceiling",
        "Σᵢ min(given by i, received by i) / W: the most that could be returned",
        "",
    ),
    Definition(
        "Interval over pairs",
        "r_w ± 1.96 standard errors over the pairs with an exchange: how far it depends on few "
        "pairs",
        "",
    ),
    Definition(
        "Spread yardstick",
        "maximum entropy: every organization gives and receives as much as it did, and all else "
        "is spread evenly (geometric for counts, exponential for minutes); band of 200 draws",
        "Squartini et al. 2013",
    ),
    Definition(
        "Shuffle yardstick",
        "givers keep their exchanges, and receivers are permuted over giver-receiver-days, never "
        "to the giver; band of 200 draws",
        "",
    ),
    Definition(
        "Verdict",
        "above chance: r_w above the 97.5th percentile of both yardsticks; below: under the 2.5th "
        "of both; else it depends on the yardstick. None with fewer than 5 organizations that "
        "both gave and received, fewer than 30 exchanges, or over 20% unknown minutes",
        "",
    ),
    Definition(
        "Returned ties",
        "r = 2M / (2M + A), with M mutual and A one-way pairs; expected under the directed binary "
        "configuration model",
        "Garlaschelli and Loffredo, Physical Review Letters 93:268701, 2004",
    ),
    Definition(
        "Direct, circulating, relayed, one-way",
        "direct = r_w; circulating = maximum circulation of the net flows / W; one-way = Σᵢ "
        "max(0, given − received) / W = 1 − ceiling; relayed = the rest",
        "",
    ),
    Definition(
        "Gini coefficient and Lorenz curve",
        "over all organizations of the population, those without exchange included",
        "",
    ),
    Definition(
        "One-sided pairs",
        "k of n contact days in the larger direction; p = min(1, 2 P(X ≥ k)), X ~ Bin(n, ½); "
        "family: pairs with n ≥ 6; q after Benjamini and Hochberg; Jeffreys 95% interval of k/n",
        "Benjamini and Hochberg, Journal of the Royal Statistical Society B 57:289, 1995",
    ),
    Definition(
        "Paid back",
        "min(net, maximum flow from receiver to giver in the graph of net flows); not additive "
        "over pairs, which share ties",
        "",
    ),
    Definition(
        "Places in the network",
        "stress majorization; strong ties are short. Distances say nothing else",
        "Gansner, Koren and North, Graph Drawing 2004",
    ),
)


def describe_methods(answers: ReportAnswers) -> Methods:
    return Methods(
        definitions=DEFINITIONS,
        reproductions=tuple(_list_reproductions(answers)),
        facts=(
            ("Position", answers.position),
            ("Ages counted from", answers.as_of_date.isoformat()),
            ("Seed of all draws", str(answers.seed)),
            ("Version of mutua", version("mutua")),
        ),
    )


def _list_reproductions(answers: ReportAnswers) -> Iterator[Reproduction]:
    question = answers.question
    reciprocity, structure = answers.reciprocity, answers.structure
    seed = ("--seed", str(answers.seed))
    pair_version = answers.asymmetries[0].metric_version if answers.asymmetries else None
    concentration_version = (
        answers.concentrations[0].metric_version if not question.where else None
    ) or None
    yield Reproduction(
        "Is it mutual; how it returns",
        write_command(question, "reciprocity", *seed),
        reciprocity.metric_version,
    )
    yield Reproduction(
        "Over time",
        write_command(question, "reciprocity", "--by", answers.period, *seed),
        reciprocity.metric_version,
    )
    yield Reproduction(
        "Who shares with whom", write_command(question, "network", takes_where=False), None
    )
    yield Reproduction(
        "Given and received", write_command(question, "balances", takes_where=False), None
    )
    yield Reproduction(
        "How far it lies with a few",
        write_command(question, "concentration", takes_where=False),
        concentration_version,
    )
    yield Reproduction(
        "One-sided pairs",
        write_command(question, "asymmetry", "--limit", str(MAX_PAIRS)),
        pair_version,
    )
    yield Reproduction(
        "Who may need attention", write_command(question, "structure"), structure.metric_version
    )
