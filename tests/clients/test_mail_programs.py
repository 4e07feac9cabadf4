"""People's mail programs, each sending one message from alice to bob."""

from __future__ import annotations

import re

import pytest

from tests.clients.caller import Caller, Mail
from tests.clients.conftest import Post

pytestmark = pytest.mark.root

GREETINGS = Mail("Greetings", "Hello\n")

CALLERS = [
    Caller(
        "bsd-mailx",
        "/usr/bin/bsd-mailx",
        "echo Hello | bsd-mailx -s Greetings bob@example.net",
        [GREETINGS],
    ),
    Caller(
        "s-nail",
        "/usr/bin/s-nail",
        "echo Hello | s-nail -s Greetings -b hidden@example.net bob@example.net",
        [Mail("Greetings", "Hello\n", recipients=["bob@example.net", "hidden@example.net"])],
    ),
    Caller(
        "mailutils",
        "/usr/bin/mail.mailutils",
        "echo Hello | mail.mailutils -r alice@example.com -s Greetings bob@example.net",
        [Mail("Greetings", "Hello\n", to="<bob@example.net>")],
    ),
    Caller(
        "mime-construct",
        "/usr/bin/mime-construct",
        "echo Hello | mime-construct --to bob@example.net --subject Greetings --file -",
        [GREETINGS],
    ),
    Caller(
        "mutt",
        "/usr/bin/mutt",
        """
        export LC_ALL=C.UTF-8
        echo Grüße | mutt -e 'set send_charset=utf-8' -b hidden@example.net -s Grüße bob@example.net
        """,
        [
            Mail(
                "=?utf-8?B?R3LDvMOfZQ==?=",
                "Grüße\n",
                recipients=["bob@example.net", "hidden@example.net"],
            )
        ],
    ),
    Caller(
        "neomutt",
        "/usr/bin/neomutt",
        "echo Hello | neomutt -s Greetings bob@example.net",
        [GREETINGS],
    ),
    Caller(
        "Alpine, sendmail-path",
        "/usr/bin/alpine",
        r"""
        echo 'sendmail-path=/usr/sbin/sendmail -oem -t -oi' >.pinerc
        echo 'user-domain=example.com' >>.pinerc
        echo 'default-fcc=""' >>.pinerc
        TERM=xterm expect -c '
            set timeout 20
            spawn alpine -url "mailto:bob@example.net?subject=Greetings&body=Hello"
            expect timeout {exit 1} "Hello"; send "\x18"
            expect timeout {exit 1} "Send message"; send "y"
            expect timeout {exit 1} eof'
        """,
        [GREETINGS],
    ),
    Caller(
        "Emacs",
        "/usr/bin/emacs-nox",
        r"""
        emacs-nox --batch --eval '(progn
            (setq send-mail-function (quote sendmail-send-it)
                  user-full-name "Alice Liddell" user-mail-address "alice@example.com")
            (mail nil "bob@example.net" "Greetings")
            (goto-char (point-max))
            (insert "Hello\n")
            (mail-send))'
        """,
        [GREETINGS],
    ),
    Caller(
        "git send-email",
        "/usr/lib/git-core/git-send-email",
        r"""
        git init -q repository; cd repository
        git config user.name 'Alice Liddell'; git config user.email alice@example.com
        printf 'a\n.\nb\n' >file; git add file; git commit -qm 'A patch'
        git send-email --quiet --confirm never --suppress-cc all --to bob@example.net -1
        """,
        [Mail("[PATCH] A patch", re.compile(r"(?s).*\n\+a\n\+\.\n\+b\n-- \n.*"))],
    ),
]


@pytest.mark.parametrize("caller", CALLERS, ids=str)
def test_mail_program_sends_one_message(caller: Caller, post: Post) -> None:
    post.check(caller)
