"""Within a delta of one in the number of patients whole patients could be published: such policies are refused."""

from __future__ import annotations

import pytest

from gateway.private import check_deltas
from policies import PolicyError


@pytest.mark.parametrize(("people", "delta"), [(1_000, 1e-3), (1_000, 0.5), (None, 2e-5), (None, 0.9)])
def test_a_delta_that_could_hide_a_whole_patient_is_refused(people: int | None, delta: float) -> None:
    for deltas in ((delta, 1e-9), (1e-9, delta)):  # of one release, or of the lifetime
        with pytest.raises(PolicyError, match="delta"):
            check_deltas("public", people, *deltas)


def test_a_small_delta_passes() -> None:
    check_deltas("public", 1_000, 1e-5, 1e-4)
    check_deltas("public", None, 1e-6, 1e-5)
