"""What the parts of the daemon share, and its reload."""

from __future__ import annotations

from tests.unit.daemon.house import FakeRelay, make_state
from tests.unit.relay.peers import Peer
from tests.unit.submission.samples import CONFIG


def test_reload_replaces_configuration_and_relay_as_one() -> None:
    state = make_state(wait=1.0)
    relay = FakeRelay()
    relay.config = CONFIG.replaced(wait=2.0)
    state.reload(relay)  # type: ignore[arg-type]
    assert state.relay is relay
    assert state.config.wait == 2.0


def test_old_connections_end_when_they_are_given_back() -> None:
    peer = Peer()
    old = FakeRelay([peer])
    state = make_state(old)
    client, _ = old.pool.borrow(old.smarthosts[0], None)
    state.reload(FakeRelay())  # type: ignore[arg-type]
    assert not peer.closed
    old.pool.give_back(old.smarthosts[0], client)
    assert peer.closed
