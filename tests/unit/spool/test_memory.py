"""The contract over the memory backend."""

from __future__ import annotations

import pytest

from pysendmail.spool.memory import MemorySpool
from tests.unit.spool.contract import SpoolContract


class TestMemorySpool(SpoolContract):
    @pytest.fixture
    def spool(self):
        spool = MemorySpool()
        yield spool
        spool.rescan()
        spool.close()
