"""Sender and recipients: V01-V03, V10, V14, V17-V19, V21-V26, V34, and what refuses them."""

from __future__ import annotations

import pytest

from tests.integration.dialect.cases import each_through, through
from tests.integration.dialect.world import V01, S, World, recipients_of

BOB = b"bob@example.org"


@through("V01")
def test_message_for_one(world: World) -> None:
    world.sendmail("bob@example.org")
    mail = world.mail()
    assert (mail.sender, mail.recipients) == (b"alice@example.test", (BOB,))
    mail.check_generated()
    assert mail.field("From") == "Alice Liddell <alice@example.test>"
    assert mail.lines() == [b"body"]


@each_through(
    "argv",
    {
        "V02": [["-oi", "-oem", "-odb", "-f", "w@x.test", "bob@example.org"]],
        "V03": [["-fw@x.test", "bob@example.org"]],
        "V25": [["-f", "Who Else <w@x.test>", "bob@example.org"]],
    },
)
def test_sender_that_was_given(world: World, argv: list[str]) -> None:
    world.sendmail(*argv)
    mail = world.mail()
    assert (mail.sender, mail.recipients) == (b"w@x.test", (BOB,))
    mail.check_generated()


@through("V10")
def test_recipient_that_looks_like_an_option(world: World) -> None:
    world.sendmail("--", "-odd@example.org")
    assert world.mail().recipients == (b"-odd@example.org",)


@through("V14")
def test_operands_are_address_lists(world: World) -> None:
    world.sendmail(
        'bob@example.org, "Carol, C." <carol@example.org>', "dave@example.org (D (x))"
    )
    assert recipients_of(world.mails()) == [BOB, b"carol@example.org", b"dave@example.org"]


@through("V17")
def test_recipients_from_every_field_of_the_header(world: World) -> None:
    world.sendmail(
        "-t",
        stdin=b"To: a@example.org\nCC: b@example.org,\n\tC <c@example.org>\nBcc: d@example.org\n"
        b"bcc:\n e@example.org\n" + S + b"\nTo: no@example.org\n",
    )
    mail = world.mail()
    assert recipients_of([mail]) == [b"%c@example.org" % letter for letter in b"abcde"]
    assert mail.field("To") == "a@example.org"
    assert mail.field("Cc") == "b@example.org, C <c@example.org>"
    assert mail.lines() == [b"To: no@example.org"]


@through("V18")
def test_recipients_of_header_and_operands_once_each(world: World) -> None:
    world.sendmail(
        *("-t", "-f", "w@x.test", "--", "b@example.org", "z@example.org"),
        stdin=b"To: b@example.org\n" + S + b"\nx\n",
    )
    assert recipients_of(world.mails()) == [b"b@example.org", b"z@example.org"]


@through("V19")
def test_bcc_goes_also_where_operands_say_who(world: World) -> None:
    world.sendmail(
        *("-i", "-f", "w@x.test", "a@example.org", "hid@example.org"),
        stdin=b"From: w@x.test\r\nTo: a@example.org\r\nBcc: hid@example.org\r\n"
        b"Subject: t\r\n\r\nline1\nline2\r\n",
    )
    mail = world.mail()
    assert recipients_of([mail]) == [b"a@example.org", b"hid@example.org"]
    assert mail.lines() == [b"line1", b"line2"]


@through("V21")
def test_group_without_members_is_kept(world: World) -> None:
    world.sendmail(
        "-t", stdin=b"To: undisclosed-recipients:;\nBcc: x@example.org\n" + S + b"\nx\n"
    )
    mail = world.mail()
    assert mail.recipients == (b"x@example.org",)
    assert mail.field("To") == "undisclosed-recipients:;"


@through("V22")
def test_every_form_of_an_address(world: World) -> None:
    to = (
        b"Team: =?UTF-8?Q?Doe=2C_J?= <j@example.org>, \"a, b\" <k@example.org>,"
        b' (c (d) \\) e) l@example.org,, "q r"@example.org;'
    )
    world.sendmail("-t", stdin=b"To: " + to + b"\n" + S + b"\nx\n")
    assert recipients_of(world.mails()) == [
        b'"q r"@example.org', b"j@example.org", b"k@example.org", b"l@example.org",
    ]  # fmt: skip


@through("V23")
def test_resent_fields_alone_are_asked_for_recipients(world: World) -> None:
    world.sendmail(
        "-t",
        stdin=b"Resent-To: r@example.org\nResent-From: alice\nTo: a@example.org\n"
        b"Bcc: b@example.org\n" + S + b"\nx\n",
    )
    mail = world.mail()
    assert mail.recipients == (b"r@example.org",)
    assert len(mail.fields("Resent-Date")) == len(mail.fields("Resent-Message-ID")) == 1
    assert mail.field("Resent-From") == "alice@example.test"
    assert mail.field("To") == "a@example.org"


@through("V24")
@pytest.mark.parametrize("words", [["-f", ""], ["-f", "<>"], ["-f<>"]], ids=" ".join)
def test_null_sender(world: World, words: list[str]) -> None:
    world.sendmail(*words, "bob@example.org")
    mail = world.mail()
    assert (mail.sender, mail.recipients) == (b"", (BOB,))
    assert "MAILER-DAEMON@example.test" in mail.field("From")


@through("V24")
def test_failure_of_a_message_from_nobody_makes_no_notice(world: World) -> None:
    world.sink.play("rej550")
    world.sendmail("-odb", "-f", "<>", "bad@example.org", "bob@example.org")
    assert [mail.recipients for mail in world.mails()] == [(BOB,)]


@through("V26")
def test_last_sender_counts(world: World) -> None:
    world.sendmail(
        *("-oi", "-f", "one@x.test", "-t", "-r", "two@x.test"),
        stdin=b"To: bob@example.org\n" + S + b"\nx\n",
    )
    assert world.mail().sender == b"two@x.test"


@through("V34")
@pytest.mark.parametrize("profile", ["full", "plain"])
def test_wishes_for_reports_are_passed_on_where_they_are_understood(
    world: World, profile: str
) -> None:
    world.sink.play(profile)
    world.sendmail("-N", "never", "-R", "hdrs", "-V", "QQ314159", "bob@example.org")
    caught = world.mail().caught
    asked = {"RET=HDRS", "ENVID=QQ314159"} if profile == "full" else set()
    assert set(caught.mail_options) >= asked
    assert caught.mail_options if profile == "full" else not caught.mail_options
    [options] = caught.rcpt_options
    assert ("NOTIFY=NEVER" in options) is (profile == "full")


@through("V11")
def test_unknown_option(world: World) -> None:
    assert world.refused("-Z", "bob@example.org") == b"sendmail: invalid option -- 'Z'"


@through("V15")
def test_nobody_to_send_to(world: World) -> None:
    world.refused()


@through("V16")
def test_nobody_in_the_header(world: World) -> None:
    line = world.refused("-t", stdin=S + b"\nx\n")
    assert b"No recipient" in line
    assert not list(world.site.directory.rglob("dead.letter"))


@through("V13")
def test_options_of_other_times_change_nothing(world: World) -> None:
    log = world.site.directory / "px"
    words = (
        "-m -n -c -x -s -T -U -Ac -Am -p ESMTP:h -L tag -h 3 -OTimeout.queuereturn=1d"
        f" -oA/etc/aliases -o7 -o8 -om -oo -or0s -oT5d -X {log}"
    )
    world.sendmail(*words.split(), "bob@example.org", stdin=V01)
    assert world.mail().recipients == (BOB,)
    assert not log.exists()
