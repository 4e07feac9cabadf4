"""The daemon's command: what it asks of the system for itself."""

from __future__ import annotations

import resource

import pytest

from pysendmail.command.pysendmaild import DESCRIPTORS, allow_descriptors

FEW = 1024


@pytest.mark.parametrize(
    ("soft", "hard", "expected"),
    [
        (FEW, 1 << 20, [(DESCRIPTORS, 1 << 20)]),
        (FEW, 4096, [(4096, 4096)]),
        (FEW, resource.RLIM_INFINITY, [(DESCRIPTORS, resource.RLIM_INFINITY)]),
        (FEW, FEW, []),
        (1 << 20, 1 << 20, []),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, []),
    ],
)
def test_limit_of_open_files_is_raised_as_far_as_allowed(
    soft: int, hard: int, expected: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _which, limits: asked.append(limits))
    allow_descriptors()
    assert asked == expected
