"""The programs that are measured beside each other, each behind the same face (`peer.Peer`).

Each is as Debian ships it, but for what makes it a null client of the smarthost. What is not
Debian's Postfix runs in a root of its own, made by `tests/bench/peers/install`.
"""

from __future__ import annotations

from tests.bench.measuring import progress
from tests.bench.peers.dma import Dma
from tests.bench.peers.exim import Exim
from tests.bench.peers.msmtp import Msmtp
from tests.bench.peers.nullmailer import Nullmailer
from tests.bench.peers.opensmtpd import OpenSMTPD
from tests.bench.peers.peer import Peer
from tests.bench.peers.postfix import Postfix, TunedPostfix
from tests.bench.peers.pysendmail import AllDue, Pysendmail

PEERS: tuple[type[Peer], ...] = (Postfix, Exim, Dma, Nullmailer, OpenSMTPD, Msmtp)

__all__ = ["PEERS", "AllDue", "Peer", "Postfix", "Pysendmail", "TunedPostfix", "installed"]


def installed(*kinds: type[Peer]) -> list[type[Peer]]:
    """Return those of the peers that are here, and say which are not."""
    here = []
    for kind in kinds or PEERS:
        if reason := kind.why_not():
            progress(f"{kind.name} is left out: {reason}")
        else:
            here.append(kind)
    return here
