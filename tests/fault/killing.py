"""SIGKILL at random instants of shim and daemon: `python -m tests.fault.killing ROUNDS [SEED]`.

Real programs and a real smarthost (Postfix; the catcher where there is none). In each round a few
messages are submitted at once, as root and as a user who knows no password, in every delivery mode;
then, at a random instant, one of the sendmails or the daemon is killed. At the end everything that
was answered with exit 0 must have arrived, and nothing more often than DESIGN allows: a message
goes out again only where the daemon died while it was under way, once for each such death, or where
the sendmail that delivered it itself did. The counts are printed.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trustme

from tests.helpers import postfix
from tests.helpers.catcher import Catcher
from tests.helpers.installed import PATIENCE_S, SEARCH_PATH, Installation, install, run_program
from tests.helpers.postfix import PostfixSmarthost
from tests.helpers.smarthost import Smarthost, times_received
from tests.helpers.system import Site, message
from tests.helpers.waiting import wait_until

AT_ONCE = 3
MODES = ("-odi", "-odi", "-odb", "-odq")
NOBODY = 65534
USER, PASSWORD = "mailer@example.com", "correct horse"
LATEST_S = 0.25  # a sendmail has come to its end by then, on a machine that is not busy


class Submission:
    """One sendmail under way, and what became of it; `status` as Popen tells it."""

    def __init__(self, subject: str, process: subprocess.Popen[bytes], born: int) -> None:
        self.subject = subject.encode()
        self.process = process
        self.born = born  # how often the daemon had been killed before
        self.status: int | None = None


class Rounds:
    """The rounds at one site, and what they count."""

    def __init__(self, site: Site, smarthost: Smarthost, chance: random.Random) -> None:
        self._site = site
        self._smarthost = smarthost
        self._chance = chance
        self._sendmail = site.installation.program("sendmail")
        self._uids = [None, NOBODY] if stranger_can_run(site.installation) else [None]
        self.submissions: list[Submission] = []
        self.kills: Counter[str] = Counter()

    def run(self, count: int) -> None:
        """Run so many rounds, and let everything that waits go out."""
        self._site.daemon.start()
        for _ in range(count):
            self.round()
        self._site.flush()
        wait_until(
            lambda: self._site.is_idle() and not self._dropped(),
            seconds=120,
            what="an empty queue",
            evidence=self._site.evidence,
        )

    def round(self) -> None:
        """Submit a few messages, and kill somebody meanwhile."""
        current = [self._submit() for _ in range(AT_ONCE)]
        instant = time.monotonic() + self._chance.uniform(0, LATEST_S)
        while time.monotonic() < instant:
            pass  # a sleep would favour the instants at which the scheduler wakes us
        if self._chance.random() < 0.5:
            self._chance.choice(current).process.kill()
            self.kills["sendmail"] += 1
        else:
            self.kills["daemon"] += 1
            self._site.daemon.restart()
        for one in current:
            one.status = one.process.wait(PATIENCE_S)

    def _submit(self) -> Submission:
        subject = f"m{len(self.submissions)}"
        uid = self._chance.choice(self._uids)
        argv = [self._sendmail, "-i", self._chance.choice(MODES), "-f", "sender@example.com"]
        process = subprocess.Popen(
            [*argv, "--", f"{subject}@example.net"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": SEARCH_PATH, "PYSENDMAIL_CONFIG": str(self._site.path)},
            cwd="/",
            user=uid,
            group=uid,
            extra_groups=None if uid is None else [],
        )
        assert process.stdin is not None
        process.stdin.write(message(subject))
        process.stdin.close()
        self.submissions.append(Submission(subject, process, self.kills["daemon"]))
        return self.submissions[-1]

    def _dropped(self) -> list[str]:
        """Return the finished files in the drop directory; those of dead writers are nobody's."""
        drop = self._site.directory / "spool/drop"
        return [name for name in os.listdir(drop) if not name.startswith("writing-")]

    def count(self) -> dict[str, int]:
        """Count what was answered, delivered, lost, duplicated, and duplicated without a reason."""
        promised = {one.subject for one in self.submissions if one.status == 0}
        wait_until(
            lambda: promised <= {one.subject for one in self._smarthost.received()},
            seconds=30,
            what="what was promised",
            evidence=lambda: f"lost: {sorted(promised - self._arrived().keys())}",
        )
        arrived = self._arrived()
        return {
            "submitted": len(self.submissions),
            "answered 0": len(promised),
            "refused": sum((one.status or 0) > 0 for one in self.submissions),
            "sendmail killed": sum((one.status or 0) < 0 for one in self.submissions),
            "daemon killed": self.kills["daemon"],
            "delivered": len(arrived),
            "lost": len(promised - arrived.keys()),
            "duplicated": sum(times - 1 for times in arrived.values()),
            "without a reason": sum(
                max(arrived[one.subject] - 1 - self._deaths_under(one), 0)
                for one in self.submissions
            ),
        }

    def _arrived(self) -> Counter[bytes]:
        received = times_received(self._smarthost.received())
        return Counter({subject: times for (subject, _), times in received.items()})

    def _deaths_under(self, one: Submission) -> int:
        """Return how often somebody who may have been delivering this message was killed."""
        killed = one.status == -signal.SIGKILL
        return self.kills["daemon"] - one.born + killed


def stranger_can_run(installation: Installation) -> bool:
    """Tell whether sendmails can be run as a user who may not read the password."""
    if os.geteuid() != 0:
        return False
    interpreter = installation.interpreter("sendmail")
    return run_program(["test", "-x", interpreter], uid=NOBODY).returncode == 0


@contextmanager
def real_site(
    kind: type[Catcher | PostfixSmarthost], **configuration: Any
) -> Iterator[tuple[Site, Smarthost]]:
    """Install, and yield a site and the smarthost behind it, which wants STARTTLS and AUTH."""
    os.environ.setdefault("DEPENDENCIES", sysconfig.get_path("purelib"))
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost").private_key_and_cert_chain_pem.bytes()
    with tempfile.TemporaryDirectory(prefix="pysendmail-prefix-") as prefix:
        os.chmod(prefix, 0o755)  # for submissions of other users
        authority.cert_pem.write_to_path(f"{prefix}/ca.pem")
        os.chmod(f"{prefix}/ca.pem", 0o644)
        smarthost: Smarthost = kind(certificate=certificate, user=USER, password=PASSWORD)
        site = Site(
            install(Path(prefix)),
            smarthost,
            ca_file=f"{prefix}/ca.pem",
            user=USER,
            password=PASSWORD,
            **configuration,
        )
        try:
            yield site, smarthost
        finally:
            site.close()
            smarthost.close()


def main(arguments: list[str]) -> int:
    """Run the rounds, print the counts; 1 when anything was lost, or duplicated for no reason."""
    if not arguments or not all(one.isdigit() for one in arguments[:2]):
        print("killing: ROUNDS and perhaps a SEED are expected", file=sys.stderr)
        return 64
    seed = int(arguments[1]) if arguments[1:] else random.SystemRandom().randrange(2**32)
    kind = Catcher if postfix.why_not() else PostfixSmarthost
    with real_site(kind, linger="false") as (site, smarthost):
        rounds = Rounds(site, smarthost, random.Random(seed))
        rounds.run(int(arguments[0]))
        counts = rounds.count()
    print(f"{arguments[0]} rounds, seed {seed}:")
    print("\n".join(f"{count:8}  {what}" for what, count in counts.items()))
    return 1 if counts["lost"] or counts["without a reason"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
