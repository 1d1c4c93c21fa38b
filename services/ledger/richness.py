"""Richness: how much of a conversation a kind of exchange allows, as a rung from 1 to 6."""

from typing import Final

from services.ledger.enums import Kind

KINDS_BY_RUNG: Final = (
    (Kind.DOCUMENT, Kind.WEBINAR),
    (Kind.MESSAGE,),
    (Kind.CALL, Kind.ADVICE),
    (Kind.MEETING, Kind.WORKSHOP, Kind.CONFERENCE),
    (Kind.VISIT,),
    (Kind.SECONDMENT, Kind.CONSULTANCY),
)
"""The kinds of each rung, from the lowest. Other kinds are on no rung."""
