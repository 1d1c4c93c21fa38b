"""Who belongs to the programme, and who is outside it."""

from __future__ import annotations

from datetime import date
from typing import Any

from mutua.frames import to_day
from mutua.v1.query_service_pb2 import POPULATION_ROSTER, Organization, Question
from services.ledger.enums import BOUNDARY_ROLE
from services.query.dashboard.directory import Directory
from services.query.dashboard.windows import find_window


def find_members(balances: Any, directory: Directory) -> list[str]:
    """The ids of the population of an answer with balances; its other rows are outside.

    Days in force are those of the latest registration of an organization.
    """
    question = balances.question
    return [
        each.organization_id
        for each in balances.balances
        if not describe_outside(each.organization_id, directory, question)
    ]


def describe_outside(organization_id: str, directory: Directory, question: Question) -> str:
    """Why an organization with a row is outside the population; empty for a member of it."""
    organization = directory.organizations.get(organization_id, Organization())
    if organization.role == BOUNDARY_ROLE:
        return "outside the programme"
    if question.population != POPULATION_ROSTER:
        return ""
    if not organization.registered:
        return "not registered"
    return "" if is_in_force(organization, question) else "not in force"


def is_in_force(organization: Organization, question: Question) -> bool:
    """Whether it is in force on a day of the window."""
    first, end = find_window(question)
    opened = to_day(organization.open_date) if organization.HasField("open_date") else date.min
    closed = to_day(organization.close_date) if organization.HasField("close_date") else date.max
    return opened < min(closed, end) and closed > first
