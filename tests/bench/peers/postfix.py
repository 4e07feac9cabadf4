"""Postfix, as it comes but for relayhost, and tuned as far as its documentation tells to."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from tests.bench.peers.peer import HOSTNAME, RECIPIENT, SENDER, Peer, sendmail
from tests.bench.place import Place
from tests.bench.postfix_instance import COMMON, Instance
from tests.bench.smarthosts import PASSWORD, USER, wait_listening
from tests.helpers.postfix import why_not
from tests.helpers.waiting import ReservedPort, wait_until

SERVICES = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup   unix n - n 60 1 pickup
cleanup  unix n - n - 0 cleanup
qmgr     unix n - n 300 1 qmgr
rewrite  unix - - n - - trivial-rewrite
bounce   unix - - n - 0 bounce
defer    unix - - n - 0 bounce
trace    unix - - n - 0 bounce
flush    unix n - n 1000? 0 flush
showq    unix n - n - - showq
error    unix - - n - - error
retry    unix - - n - - error
tlsmgr   unix - - n 1000? 1 tlsmgr
tlsproxy unix - - n - 0 tlsproxy
scache   unix - - n - 1 scache
smtp     unix - - n - - smtp
"""


class Postfix(Peer):
    """The machine's Postfix, with directories of its own."""

    name = "Postfix"
    spool = "/var/spool/postfix"
    settings: dict[str, str] = {}

    @classmethod
    def why_not(cls) -> str:
        return why_not()

    def _make_place(self, network: Sequence[str]) -> Place:
        directory, queue = self.directory / "postfix", self.directory / "spool"
        self._instance = Instance(directory, queue)
        self._reserved = ReservedPort()
        mounts = {
            "/etc/postfix": directory / "etc",
            "/var/lib/postfix": directory / "data",
            self.spool: queue,
        }
        return Place(mounts=mounts, network=network)

    def configure(self, **changes: str) -> None:
        relayhost = f"[{self.smarthost.host}]:{self.smarthost.port}"
        settings = {
            **COMMON,
            "queue_directory": self.spool,
            "data_directory": "/var/lib/postfix",
            "myhostname": HOSTNAME,
            "inet_interfaces": "loopback-only",
            "smtp_bind_address": "0.0.0.0",
            "mynetworks": "127.0.0.0/8",
            "relayhost": relayhost,
        }
        if self.smarthost.tls:
            settings |= {
                "smtp_tls_security_level": "encrypt",
                "smtp_sasl_auth_enable": "yes",
                "smtp_sasl_security_options": "noanonymous",
                "smtp_sasl_mechanism_filter": "plain",
                "smtp_sasl_password_maps": f"inline:{{ {{{relayhost} = {USER}:{PASSWORD}}} }}",
                "smtp_tls_session_cache_database": "btree:${data_directory}/smtp_scache",
            }
        services = SERVICES.format(port=self._reserved.number)
        self._instance.configure(services, {**settings, **self.settings, **changes})

    def start(self) -> None:
        self._instance.start(self.place.within(), "/etc/postfix")
        wait_listening(self.place.within(), "127.0.0.1", self._reserved.number)

    def stop(self) -> None:
        self._instance.stop()
        super().stop()

    def queueing(self) -> list[str]:
        return sendmail()

    def listing(self) -> list[str]:
        return ["mailq"]

    def fill(self, count: int) -> None:
        self.smarthost.stop()
        self.stop()
        self.configure(defer_transports="smtp")
        self.start()
        fill_by_smtp(self.place, self._reserved.number, count)
        deferred = self.directory / "spool/deferred"
        wait_until(
            lambda: sum(len(files) for _, _, files in os.walk(deferred)) >= count,
            what="the last message to be deferred", seconds=120,
        )  # fmt: skip
        self.keep_queue()
        self.configure()

    def flush(self) -> list[subprocess.Popen[bytes]]:
        return [self.place.start("postqueue", "-f")]

    def close(self) -> None:
        self._instance.stop()
        self._reserved.close()
        super().close()


class TunedPostfix(Postfix):
    """With 50 connections, which are used again, TLS or not."""

    name = "Postfix, tuned"
    settings = {
        "smtp_tls_connection_reuse": "yes",
        "smtp_destination_concurrency_limit": "50",
        "initial_destination_concurrency": "20",
    }


def fill_by_smtp(place: Place, port: int, count: int) -> None:
    """Hand in `count` messages of 2 KB at a port of that place, by Postfix's smtp-source."""
    place.run(
        "smtp-source", "-m", str(count), "-s", "10", "-l", "2048", "-f", SENDER, "-t", RECIPIENT,
        f"127.0.0.1:{port}",
    )  # fmt: skip
