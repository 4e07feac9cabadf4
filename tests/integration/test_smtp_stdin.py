"""sendmail -bs as its callers use it: scripts, a dialogue step by step, Symfony and SwiftMailer."""

from __future__ import annotations

import random
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.catcher import Catcher
from tests.helpers.installed import PATIENCE_S, SEARCH_PATH, run_program
from tests.helpers.smarthost import END_OF_MESSAGE
from tests.helpers.system import Site
from tests.integration.conftest import SiteMaker

QUEUED = rb"250 Ok: queued as [0-9A-Z]+"
QUEUED_ESMTP = rb"250 2\.0\.0 Ok: queued as [0-9A-Z]+"
SYMFONY = Path("/usr/share/php/Symfony/Component/Mailer/autoload.php")
SWIFTMAILER = Path("/usr/share/php/Swift/swift_required.php")

# The case V35: two messages in one session, the first with a dot to be taken away.
V35 = b"""HELO [127.0.0.1]
MAIL FROM:<alice@example.com>
RCPT TO:<bob@example.net>
RCPT TO:<carol@example.net>
DATA
Subject: first
Bcc: secret@example.net

..x
.
RSET
MAIL FROM:<>
RCPT TO:<root>
DATA
Subject: second

text
.
NOOP
QUIT
"""
V35_REPLIES = [
    rb"220 client\.example\.com ESMTP pysendmail",
    rb"250 client\.example\.com",
    *[rb"250 Ok", rb"250 Ok", rb"250 Ok", rb"354 .*", QUEUED],
    rb"250 Ok",
    *[rb"250 Ok", rb"250 Ok", rb"354 .*", QUEUED],
    *[rb"250 Ok", rb"221 Bye"],
]

# The case V36: what Alpine says.
V36 = b"""EHLO client.example.com
VERB ON
MAIL FROM:<alice@example.com> BODY=8BITMIME RET=HDRS
RCPT TO:<bob@example.net> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;bob@example.net
DATA
Subject: from Alpine

\xc3\xa9
.
QUIT
"""


@pytest.fixture
def site(make_site: SiteMaker, catcher: Catcher) -> Site:
    """A site without a daemon; its tests start one where they want it."""
    return make_site(catcher)


def replies(output: bytes) -> list[bytes]:
    """Return the lines of the replies."""
    lines = output.split(b"\r\n")
    assert lines.pop() == b""
    return lines


def assert_like(lines: list[bytes], patterns: list[bytes]) -> None:
    assert len(lines) == len(patterns), lines
    for line, pattern in zip(lines, patterns, strict=True):
        assert re.fullmatch(pattern, line), (line, pattern)


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("door", ["daemon", "direct"])
def test_v35_two_messages_in_one_session(
    site: Site, catcher: Catcher, door: str, line_end: bytes
) -> None:
    if door == "daemon":
        site.daemon.start()
    done = site.sendmail("-bs", stdin=V35.replace(b"\n", line_end))
    assert (done.returncode, done.stderr) == (0, b"")
    assert_like(replies(done.stdout), V35_REPLIES)
    first, second = catcher.wait_for(2)
    assert (first.sender, first.recipients) == (
        b"alice@example.com",
        (b"bob@example.net", b"carol@example.net"),
    )
    assert first.content.endswith(b"\r\n\r\n.x\r\n")
    assert first.field(b"Bcc") == b""
    assert (second.sender, second.recipients) == (b"", (b"root@example.com",))


def test_v35_through_the_drop_directory(site: Site, catcher: Catcher, stranger: int) -> None:
    site.make_spool()
    done = site.sendmail("-bs", stdin=V35, uid=stranger)
    assert (done.returncode, done.stderr) == (0, b"")
    assert_like(replies(done.stdout), V35_REPLIES)
    site.daemon.start()
    assert {one.sender for one in catcher.wait_for(2)} == {b"alice@example.com", b""}


@pytest.mark.parametrize("options", [["-bs", "-i"], ["-bs", "-odb", "-oem"]], ids=" ".join)
def test_v36_what_alpine_and_laravel_say(site: Site, catcher: Catcher, options: list[str]) -> None:
    site.daemon.start()
    done = site.sendmail(*options, stdin=V36.replace(b"\n", b"\r\n"))
    assert (done.returncode, done.stderr) == (0, b"")
    lines = replies(done.stdout)
    assert [line[:4] for line in lines[1:10]] == [*[b"250-"] * 8, b"250 "]
    assert_like(
        lines[10:],
        [rb"250 2.0.0 Ok", rb"250 2.1.0 Ok", rb"250 2.1.5 Ok", rb"354 .*", QUEUED_ESMTP, rb"221.*"],
    )
    catcher.wait_for(1)
    (caught,) = catcher.caught()
    assert caught.content.endswith(b"\r\n\xc3\xa9\r\n")
    assert "RET=HDRS" in caught.mail_options
    assert caught.rcpt_options == (("NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;bob@example.net"),)


def test_options_are_what_the_dialogue_leaves_out(site: Site, catcher: Catcher) -> None:
    script = b"EHLO x\nMAIL FROM:<a@example.com>\nRCPT TO:<b@example.net>\nDATA\n.\nQUIT\n"
    done = site.sendmail("-bs", "-v", "-N", "never", "-V", "id", "-F", "Ann", stdin=script)
    assert (done.returncode, done.stderr) == (0, b"")
    assert replies(done.stdout)[-1] == b"221 2.0.0 Bye"
    catcher.wait_for(1)
    (caught,) = catcher.caught()
    assert "ENVID=id" in caught.mail_options
    assert "NOTIFY=NEVER" in caught.rcpt_options[0]
    assert caught.field(b"From") == b"Ann <a@example.com>"


@pytest.mark.parametrize("end", [b"", b"text", b"text\n", b"text\n."], ids=repr)
def test_nothing_is_queued_of_a_message_that_has_no_end(site: Site, end: bytes) -> None:
    script = b"HELO x\nMAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\nSubject: x\n\n"
    done = site.sendmail("-bs", stdin=script + end)
    assert (done.returncode, done.stderr) == (0, b"")
    assert replies(done.stdout)[-1].startswith(b"354 ")
    assert site.is_idle()


MESSAGE = b"MAIL FROM:<a@example.com>\nRCPT TO:<b@example.net>\nDATA\nSubject: x\n\ntext\n.\n"


@pytest.mark.parametrize(
    ("reply", "at", "answer"),
    [
        ("550 5.1.1 no such user", "RCPT", rb"550 5\.1\.1 b@example\.net: 550 .* user"),
        ("554 5.7.1 spam", END_OF_MESSAGE, rb"554 5\.0\.0 b@example\.net: 554 5\.7\.1 spam"),
        ("450 4.2.0 later", "RCPT", QUEUED_ESMTP),
    ],
)
@pytest.mark.parametrize("options", [[], ["-oem"], ["-oee"]], ids=" ".join)
def test_verdict_of_the_smarthost_is_the_reply(
    site: Site, catcher: Catcher, reply: str, at: str, answer: bytes, options: list[str]
) -> None:
    site.daemon.start()
    catcher.answer(reply, at=at)
    done = site.sendmail("-bs", *options, stdin=b"EHLO x\n" + MESSAGE + b"QUIT\n")
    assert (done.returncode, done.stderr) == (0, b"")
    assert re.fullmatch(answer, replies(done.stdout)[-2])
    assert site.is_idle() == answer.startswith(b"55")


def test_message_in_the_background_is_taken_whatever_the_smarthost_says(
    site: Site, catcher: Catcher
) -> None:
    site.daemon.start()
    catcher.hang()
    done = site.sendmail("-bs", "-odb", stdin=b"EHLO x\n" + MESSAGE + b"QUIT\n")
    assert re.fullmatch(QUEUED_ESMTP, replies(done.stdout)[-2])


def test_message_that_cannot_be_taken_is_refused_and_the_session_goes_on(
    site: Site, catcher: Catcher
) -> None:
    site.configure(message_size="4KiB")
    script = (
        b"EHLO x\nMAIL FROM:<a@b.c> SIZE=5000\nMAIL FROM:<a@b.c>\nRCPT TO:<b,c@d.e>\nDATA\nRSET\n"
        + MESSAGE.replace(b"text", b"x" * 5000)
        + MESSAGE.replace(b"Subject", b"Received: x\n" * 101 + b"Subject")
        + MESSAGE
        + b"QUIT\n"
    )
    done = site.sendmail("-bs", stdin=script)
    codes = [line[:3] for line in replies(done.stdout)[10:]]
    taken = [b"250", b"250", b"354"]
    assert codes == [
        b"552", b"250", b"553", b"554", b"250", *taken, b"552", *taken, b"554", *taken, b"250",
        b"221",
    ]  # fmt: skip
    assert len(catcher.wait_for(1)) == 1


@pytest.mark.parametrize("door", ["daemon", "direct", "drop directory"])
def test_recipients_that_no_request_can_hold_are_refused(
    site: Site, door: str, request: pytest.FixtureRequest
) -> None:
    if door == "daemon":
        site.daemon.start()
    elif door == "drop directory":
        site.make_spool()
    recipient = b"RCPT TO:<%b@example.net>\n" % (b"x" * 200)
    script = b"EHLO x\nMAIL FROM:<a@example.com>\n" + recipient * 20_000 + b"DATA\n.\nQUIT\n"
    uid = request.getfixturevalue("stranger") if door == "drop directory" else None
    done = site.sendmail("-bs", stdin=script, uid=uid)
    assert replies(done.stdout)[-2] == b"554 5.6.0 more recipients than one message can have"
    assert site.is_idle()


NOISE = [
    b"EHLO x\r\n", b"HELO x\n", b"MAIL FROM:<a@b>\r\n", b"MAIL FROM:<a>\n", b"RCPT TO:<c@d>\r\n",
    b"RCPT TO:<c>\n", b"DATA\r\n", b"DATA\n", b"BDAT 30\r\n", b"BDAT 7\n", b"RSET\r\n", b"NOOP\n",
    b"text\n", b"text\r\n", b"\r", b"\n", b"\0\xff\x80", b"MAIL", b"<>", b"AUTH PLAIN\r\n",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
def test_noise_that_ends_no_message_queues_none_and_is_no_trouble(site: Site, seed: int) -> None:
    noise = random.Random(seed)
    script = b"".join(noise.choice(NOISE) for _ in range(200))
    done = site.sendmail("-bs", stdin=script)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"queued as" not in done.stdout
    assert all(re.match(rb"[2-5][0-9][0-9][ -]", line) for line in replies(done.stdout))
    assert site.is_idle()


def test_memory_is_bounded_whatever_comes(site: Site) -> None:
    site.configure(message_size="2MiB")
    flood = b"x" * (64 * 1024 * 1024)
    begin = b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"
    done = run_program(
        ["prlimit", f"--as={100 * 1024 * 1024}", site.installation.program("sendmail"), "-bs"],
        flood + b"\r\n" + begin + flood + b"\r\n.\r\nQUIT\r\n",
        env={"PYSENDMAIL_CONFIG": str(site.path)},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    codes = [line[:3] for line in replies(done.stdout)]
    assert codes == [b"220", b"500", b"250", b"250", b"354", b"552", b"221"]


class Dialogue:
    """sendmail -bs, spoken to line by line."""

    def __init__(self, site: Site) -> None:
        self.process = subprocess.Popen(
            [site.installation.program("sendmail"), "-bs"],
            env={"PATH": SEARCH_PATH, "PYSENDMAIL_CONFIG": str(site.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )

    def say(self, line: bytes) -> bytes:
        """Say a line, return the reply's last one; b'' when the program has ended."""
        assert self.process.stdin is not None
        self.process.stdin.write(line)
        return self.hear()

    def hear(self) -> bytes:
        """Return the last line of the next reply."""
        assert self.process.stdout is not None
        while (line := self.process.stdout.readline())[3:4] == b"-":
            pass
        return bytes(line)

    def close(self) -> None:
        """End the program, whatever it does."""
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def dialogue(site: Site) -> Iterator[Dialogue]:
    opened = Dialogue(site)
    yield opened
    opened.close()


def test_greeting_comes_unasked_and_each_message_before_the_next_is_begun(
    site: Site, dialogue: Dialogue, catcher: Catcher
) -> None:
    assert dialogue.hear().startswith(b"220 ")
    assert dialogue.say(b"EHLO x\r\n").startswith(b"250 ")
    for count in (1, 2, 3):
        dialogue.say(b"MAIL FROM:<a@example.com>\r\n")
        dialogue.say(b"RCPT TO:<b@example.net>\r\n")
        assert dialogue.say(b"DATA\r\n").startswith(b"354 ")
        assert dialogue.say(b"Subject: x\r\n\r\n.\r\n").startswith(b"250 2.0.0 Ok: queued as ")
        assert len(catcher.received()) == count
    assert dialogue.say(b"QUIT\r\n").startswith(b"221 ")
    assert dialogue.process.wait(PATIENCE_S) == 0


def test_caller_who_goes_away_leaves_no_process_behind(site: Site, dialogue: Dialogue) -> None:
    dialogue.hear()
    process = dialogue.process
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.close()
    process.stdin.write(b"NOOP\r\n")
    assert process.wait(PATIENCE_S) != 0


def test_killed_in_the_middle_of_a_message_nothing_is_queued(
    site: Site, dialogue: Dialogue
) -> None:
    dialogue.hear()
    for line in (b"MAIL FROM:<a@b>\r\n", b"RCPT TO:<c@d>\r\n", b"DATA\r\n"):
        dialogue.say(line)
    assert dialogue.process.stdin is not None
    dialogue.process.stdin.write(b"Subject: x\r\n\r\ntext\r\n")
    dialogue.process.send_signal(signal.SIGTERM)
    dialogue.process.wait(PATIENCE_S)
    assert site.is_idle()


# --- the libraries that made -bs a must

SYMFONY_SCRIPT = """
require '%s';
require '/usr/share/php/Symfony/Component/Mime/autoload.php';
use Symfony\\Component\\Mailer\\Transport;
use Symfony\\Component\\Mime\\Email;
$transport = Transport::fromDsn('sendmail://default?command=' . rawurlencode($argv[1] . ' -bs'));
foreach (['one', 'two'] as $subject) {
    $email = (new Email())->from('alice@example.com')->to('bob@example.net')
        ->bcc('carol@example.net')->subject($subject)->text("line\\n.dot\\nZo\\u{eb}\\n");
    $sent = $transport->send($email);
    echo $sent->getMessageId(), "\\n";
}
try {
    $transport->send((new Email())->from('alice@example.com')->to('bad@example.net')
        ->subject('three')->text('x'));
} catch (\\Exception $error) {
    echo get_class($error), ': ', $error->getMessage(), "\\n";
}
$transport->send((new Email())->from('alice@example.com')->to('bob@example.net')
    ->subject('four')->text('x'));
"""

SWIFTMAILER_SCRIPT = """
require '/usr/share/php/Egulias/EmailValidator/autoload.php';
require '%s';
$mailer = new Swift_Mailer(new Swift_SendmailTransport($argv[1] . ' -bs'));
foreach (['one', 'two'] as $subject) {
    $message = (new Swift_Message($subject))->setFrom('alice@example.com')
        ->setTo(['bob@example.net'])->setBcc(['carol@example.net'])
        ->setBody("line\\n.dot\\nZo\\u{eb}\\n");
    echo $mailer->send($message), "\\n";
}
"""


def run_php(site: Site, script: str) -> bytes:
    """Run a PHP script whose first argument is sendmail; return what it printed."""
    php = shutil.which("php")
    assert php is not None
    argv = [php, "-d", "display_errors=stderr", "-d", "error_reporting=E_ALL & ~E_DEPRECATED"]
    sendmail = site.installation.program("sendmail")
    done = run_program(
        [*argv, "-r", script, "--", sendmail], env={"PYSENDMAIL_CONFIG": str(site.path)}
    )
    assert (done.returncode, done.stderr) == (0, b""), done
    return done.stdout


def needs(path: Path, package: str) -> None:
    """Skip where a PHP library, or PHP, is not installed."""
    if not path.exists() or shutil.which("php") is None:
        pytest.skip(f"{package} is not installed")


def test_symfony_mailer_sends_many_and_recovers_from_a_refusal(
    site: Site, catcher: Catcher
) -> None:
    needs(SYMFONY, "php-symfony-mailer")
    site.daemon.start()
    catcher.answer("550 5.1.1 no such user", recipient="bad@example.net")
    said = run_php(site, SYMFONY_SCRIPT % SYMFONY).decode().splitlines()
    assert len(said) == 3
    assert 'with message "550 bad@example.net: 550 5.1.1 no such user"' in said[2]
    received = catcher.wait_for(3)
    assert [one.subject for one in received] == [b"one", b"two", b"four"]
    for one in received[:2]:
        assert (one.sender, one.recipients) == (
            b"alice@example.com",
            (b"bob@example.net", b"carol@example.net"),
        )
        assert one.field(b"Bcc") == b""
        assert b"\r\n.dot\r\n" in one.content


def test_swiftmailer_sends_many(site: Site, catcher: Catcher) -> None:
    needs(SWIFTMAILER, "php-swiftmailer")
    site.daemon.start()
    assert run_php(site, SWIFTMAILER_SCRIPT % SWIFTMAILER).split() == [b"2", b"2"]
    received = catcher.wait_for(2)
    assert {one.recipients for one in received} <= {
        (b"bob@example.net", b"carol@example.net"), (b"bob@example.net",), (b"carol@example.net",)
    }  # fmt: skip
    assert all(b"\r\n.dot\r\n" in one.content for one in received)
