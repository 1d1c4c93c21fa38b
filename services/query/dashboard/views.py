"""The register of views: one line each. The page makes its navigation from it."""

from collections.abc import Mapping
from typing import Final

from services.query.dashboard.balances import BALANCES
from services.query.dashboard.evidence import EVIDENCE
from services.query.dashboard.mutual import MUTUAL
from services.query.dashboard.mutuality import MUTUALITY
from services.query.dashboard.network import NETWORK
from services.query.dashboard.organization import ORGANIZATION
from services.query.dashboard.overview import OVERVIEW
from services.query.dashboard.pair import PAIR
from services.query.dashboard.pairings import PAIRINGS
from services.query.dashboard.pairs import PAIRS
from services.query.dashboard.programme import PROGRAMME
from services.query.dashboard.quality import QUALITY
from services.query.dashboard.reach import REACH
from services.query.dashboard.recording import RECORDING
from services.query.dashboard.trend import TREND
from services.query.dashboard.view import View

_VIEWS: Final = (
    PROGRAMME,
    MUTUAL,
    TREND,
    OVERVIEW,
    BALANCES,
    EVIDENCE,
    NETWORK,
    PAIR,
    PAIRS,
    MUTUALITY,
    REACH,
    PAIRINGS,
    ORGANIZATION,
    RECORDING,
    QUALITY,
)
VIEWS: Final[Mapping[str, View]] = {view.name: view for view in _VIEWS}
"""All views by name; pages in the order of the navigation."""
