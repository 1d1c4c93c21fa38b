"""Enums that facts and questions share; their numbers equal those of the contract."""

from enum import IntEnum
from typing import Final


class Precision(IntEnum):
    """The precision of an occurrence time."""

    EXACT = 1
    DAY = 2
    MONTH = 3
    QUARTER = 4


class Visibility(IntEnum):
    """Who may read a fact."""

    PROGRAMME = 1
    PUBLIC = 2
    PARTIES = 3


class Assurance(IntEnum):
    """How sure the server is who recorded a fact."""

    UNSPECIFIED = 0
    OPEN = 1
    AUTHENTICATED = 2


class Kind(IntEnum):
    """The form an exchange took."""

    UNSPECIFIED = 0
    DOCUMENT = 1
    MESSAGE = 2
    CALL = 3
    MEETING = 4
    WEBINAR = 5
    WORKSHOP = 6
    CONFERENCE = 7
    VISIT = 8
    SHARED_CONFIGURATION = 9
    INTRODUCTION = 10
    ADVICE = 11
    SECONDMENT = 12
    CONSULTANCY = 13
    JOINT_PROCUREMENT = 14
    OTHER = 15


class Formality(IntEnum):
    """Whether an exchange came from a planned programme activity."""

    UNSPECIFIED = 0
    FORMAL = 1
    INFORMAL = 2


class Side(IntEnum):
    """The side that reported an exchange."""

    UNSPECIFIED = 0
    GIVER = 1
    RECEIVER = 2
    THIRD_PARTY = 3


class OrganizationType(IntEnum):
    """Types of organization."""

    UNSPECIFIED = 0
    ACUTE = 1
    MENTAL_HEALTH = 2
    AMBULANCE = 3
    SPECIALIST = 4
    NATIONAL_BODY = 5
    STRATEGIC_GROUPING = 6
    VENDOR = 7
    PROFESSIONAL_BODY = 8
    INDEPENDENT_COMMUNITY = 9
    EDUCATION_PROGRAMME = 10
    INTERNATIONAL_PROVIDER = 11


class RevisionState(IntEnum):
    """The state of an exchange after a revision."""

    RECORDED = 1
    CORRECTED = 2
    RETRACTED = 3


class Lens(IntEnum):
    """What is counted in a flow."""

    COUNT = 1
    BURDEN = 2
    ATTENTION = 3
    BENEFIT = 4


class Allocation(IntEnum):
    """How an amount is divided between edges and organizations."""

    SPLIT = 1
    FULL = 2
    ONCE = 3


class Identity(IntEnum):
    """How recorded ids become organizations."""

    RECORDED = 1
    AS_WAS = 2
    AS_NOW = 3


class Population(IntEnum):
    """Which organizations an answer is about; unspecified is the roster if there is one."""

    UNSPECIFIED = 0
    ROSTER = 1
    ACTIVE = 2
    SEEN = 3


class QuarantineCause(IntEnum):
    """Why a fact can never apply."""

    EVENT_ID_REUSED = 1
    STALE_CORRECTION = 2
    UNREADABLE = 3
    NOT_APPLICABLE = 4


BOUNDARY_ROLE: Final = "boundary"
"""The role of organizations outside the programme and its population."""
