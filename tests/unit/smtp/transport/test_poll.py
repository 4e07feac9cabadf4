from __future__ import annotations

import os
import select
import time

import pytest

from pysendmail.smtp.transport.poll import milliseconds_until


def test_moment_that_has_passed_is_not_waited_for() -> None:
    assert milliseconds_until(time.monotonic() - 5) == 0


def test_no_moment_is_no_limit() -> None:
    assert milliseconds_until(None) is None


@pytest.mark.parametrize("moment", [1e12, float("inf")])
def test_far_moment_is_one_that_poll_takes(moment: float) -> None:
    poll = select.poll()
    reading, writing = os.pipe()
    poll.register(writing, select.POLLOUT)
    assert poll.poll(milliseconds_until(moment))
    for descriptor in (reading, writing):
        os.close(descriptor)
