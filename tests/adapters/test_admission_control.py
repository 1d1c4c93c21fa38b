"""AdmissionControl: the byte budget and the rate per programme."""

import pytest

from services.adapters.admission_control import _MAX_ALLOWANCES, AdmissionControl
from services.ledger.errors import OverloadedError


class AdmissionClock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> AdmissionClock:
    return AdmissionClock()


@pytest.fixture
def admission(clock: AdmissionClock) -> AdmissionControl:
    return AdmissionControl(budget_bytes=1_000, facts_per_second=10, clock=clock)


def admit(
    admission: AdmissionControl,
    *,
    programme: str = "p",
    partition: int = 0,
    count: int = 1,
    cost: int = 0,
) -> None:
    admission.admit(programme, partition, fact_count=count, cost_bytes=cost)


def test_admit_limits_a_partition_to_a_quarter_of_the_budget(admission: AdmissionControl) -> None:
    admit(admission, cost=250)
    with pytest.raises(OverloadedError, match="too many facts wait"):
        admit(admission, cost=1)
    for partition in (1, 2, 3):
        admit(admission, partition=partition, cost=250)
    with pytest.raises(OverloadedError, match="too many facts wait"):
        admit(admission, partition=4, cost=1)
    admission.release(0, 250)
    admit(admission, partition=4, cost=250)


def test_admit_accepts_an_oversized_append_when_nothing_waits(
    admission: AdmissionControl,
) -> None:
    admit(admission, cost=9_999)
    with pytest.raises(OverloadedError):
        admit(admission, partition=1, cost=1)
    admission.release(0, 9_999)
    admit(admission, partition=1, cost=1)


def test_admit_limits_the_rate_of_a_programme(
    admission: AdmissionControl, clock: AdmissionClock
) -> None:
    admit(admission, count=10)
    with pytest.raises(OverloadedError, match="programme p records more than 10 facts a second"):
        admit(admission)
    admit(admission, programme="another")
    clock.now += 0.25
    admit(admission, count=3)
    clock.now += 0.01
    with pytest.raises(OverloadedError):
        admit(admission)


def test_allowance_pays_off_debt_and_is_capped_at_one_second(
    admission: AdmissionControl, clock: AdmissionClock
) -> None:
    admit(admission, count=30)
    clock.now += 1.9
    with pytest.raises(OverloadedError):
        admit(admission)
    clock.now += 3_600
    admit(admission, count=10)
    with pytest.raises(OverloadedError):
        admit(admission)


def test_refused_append_reserves_no_budget(
    admission: AdmissionControl, clock: AdmissionClock
) -> None:
    admit(admission, count=10)
    with pytest.raises(OverloadedError):
        admit(admission, cost=250)
    clock.now += 1
    admit(admission, cost=250)


def test_full_allowances_of_idle_programmes_are_dropped(
    admission: AdmissionControl, clock: AdmissionClock
) -> None:
    for number in range(_MAX_ALLOWANCES):
        admit(admission, programme=f"p{number}")
    clock.now += 1
    admit(admission, programme="busy", count=20)
    for number in range(3):
        admit(admission, programme=f"q{number}")
    assert len(admission._allowances) <= 4
    with pytest.raises(OverloadedError):
        admit(admission, programme="busy")
