"""Which agent steps `--profile` traces."""

import pytest

from harness.training.profiling import STEPS, steps_before


@pytest.mark.parametrize("step", [0, 44, 45, 46, 47, 1000])
def test_a_trace_holds_the_beginning_of_a_later_cycle(step):
    """It began with the sixth step of learning, and held no update of the encoder."""
    starts, cycle = 40, 10
    first = step + steps_before(step, starts, cycle) + 1
    traced = range(first, first + STEPS)
    begins = [number for number in traced if (number - starts - 1) % cycle == 0]
    assert len(begins) == 1 and begins[0] > starts + 1
    assert step + 1 < first < step + 2 * cycle + starts + 2
