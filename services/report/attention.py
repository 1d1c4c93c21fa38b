"""Who may need attention: nobody is judged, and names are in the order of the alphabet."""

from dataclasses import dataclass
from typing import Final

from mutua.measures import StructureMeasures
from services.report.text import Names, format_day

MAX_LISTED: Final = 45


@dataclass(frozen=True, slots=True)
class ListedOrganization:
    """An organization with what to know about it; `remark` may be empty."""

    organization_id: str
    name: str
    remark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionList:
    """Organizations with something in common; `total` of them, of which `listed` are shown.

    `total` is None where it is undefined, and `absence` says why.
    """

    heading: str
    explanation: str
    total: int | None
    listed: tuple[ListedOrganization, ...]
    absence: str = ""
    is_shown_empty: bool = False

    @property
    def is_shown(self) -> bool:
        return bool(self.total or self.absence or self.is_shown_empty)


def list_attention(structure: StructureMeasures, names: Names) -> tuple[AttentionList, ...]:
    confirmed = set(structure.confirmed_isolate_ids)
    return (
        _make_list(
            "No exchange in the window",
            "Nothing was recorded for them. They may share in ways that nobody wrote down.",
            {each: "" for each in structure.isolate_ids if each not in confirmed},
            names,
        ),
        _make_list(
            "Reported that there was nothing",
            "They said so for every month of the window that is over.",
            dict.fromkeys(confirmed, ""),
            names,
        ),
        _list_stopped(structure, names),
        _make_list(
            "One source only",
            "They received from a single organization; others may have given without a record.",
            {
                each.organization_id: f"from {names[each.only_source_id]}"
                for each in structure.reaches
                if each.only_source_id
            },
            names,
        ),
    )


def _list_stopped(structure: StructureMeasures, names: Names) -> AttentionList:
    heading = "Exchange before the window, none in it"
    if structure.stopped_count is None:
        return AttentionList(
            heading=heading,
            explanation="",
            total=None,
            listed=(),
            absence="The window has no first day, so that nothing precedes it.",
        )
    return _make_list(
        heading,
        "They may have paused, merged or finished what they exchanged about.",
        {
            each.organization_id: f"last {format_day(each.last_exchange_date)}"
            for each in structure.stopped_organizations
        },
        names,
    )


def _make_list(
    heading: str, explanation: str, remarks: dict[str, str], names: Names
) -> AttentionList:
    ids = names.sort(remarks)[:MAX_LISTED]
    return AttentionList(
        heading=heading,
        explanation=explanation,
        total=len(remarks),
        listed=tuple(ListedOrganization(each, names[each], remarks[each]) for each in ids),
    )
