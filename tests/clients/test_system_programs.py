"""Programs of the system that report to root or to a user, whose mail is fed by no person."""

from __future__ import annotations

import re

import pytest

from tests.clients.caller import Caller, Mail, Text
from tests.clients.conftest import Post

pytestmark = pytest.mark.root

BY_BOB = r"""From: Bob <bob@example.net>\nTo: alice@example.com\nSubject: Greetings\n"""
BY_BOB += r"""Date: Mon, 01 Jan 2024 00:00:00 +0000\nMessage-ID: <1@example.net>\n\nHello\n"""
NO_JOBS = "rm -f /etc/crontab /etc/cron.d/* /var/spool/cron/crontabs/*"


def for_root(
    subject: str,
    body: Text,
    *,
    sender: str = "root@example.com",
    from_: str = "root <root@example.com>",
) -> Mail:
    """Return a report to root, whose mail goes to the administrator."""
    return Mail(subject, body, sender, ["admin@example.net"], from_, "root@example.com")


def forwarded(sender: str, body: str) -> Mail:
    """Return Bob's message to alice as her filter forwards it to the administrator."""
    return Mail(
        "Greetings",
        body,
        sender=sender,
        recipients=["admin@example.net"],
        from_="Bob <bob@example.net>",
        to="alice@example.com",
    )


def banner(what: str) -> Mail:
    """Return what fail2ban's sendmail action tells."""
    return for_root(
        f"[Fail2Ban] door: {what} client.example.com",
        re.compile(r"Hi,\n\nThe (jail door|IP 192\.0\.2\.1) has .*\n\nFail2Ban\n", re.S),
        sender="fail2ban@example.com",
        from_="Fail2Ban <fail2ban@example.com>",
    )


CALLERS = [
    Caller(
        "cron",
        "/usr/sbin/cron",
        r"""
        echo '@reboot echo a; echo .; echo b' | crontab -u alice -
        printf 'MAILTO=root\n@reboot www-data echo Grüße\n' >/etc/cron.d/job
        cron
        """,
        [
            Mail(
                "Cron <alice@client> echo a; echo .; echo b",
                "a\n.\nb\n",
                recipients=["alice@example.com"],
                from_="root@example.com (Cron Daemon)",
                to="alice@example.com",
            ),
            for_root(
                "Cron <www-data@client> echo Grüße",
                "Grüße\n",
                sender="www-data@example.com",
                from_="root@example.com (Cron Daemon)",
            ),
        ],
        user="root",
        prepare=NO_JOBS,
        stop='kill "$(cat /run/crond.pid)"',
    ),
    Caller(
        "cronie",
        "/usr/lib/trixie/usr/sbin/crond",
        r"""
        echo '@reboot echo a; echo .; echo b' | crontab -u alice -
        printf 'MAILTO=root\nMAILFROM=jobs\n@reboot www-data echo Grüße\n' >/etc/cron.d/job
        loader=$(echo /usr/lib/trixie/usr/lib/*/ld-linux-*.so.*)
        "$loader" --library-path "${loader%/*}" /usr/lib/trixie/usr/sbin/crond
        """,
        [
            Mail(
                "Cron <alice@client> echo a; echo .; echo b",
                "a\n.\nb\n",
                recipients=["alice@example.com"],
                from_='"(Cron Daemon)" <alice@example.com>',
                to="alice@example.com",
            ),
            for_root(
                "Cron <www-data@client> echo Grüße",
                "Grüße\n",
                sender="jobs@example.com",
                from_='"(Cron Daemon)" <jobs@example.com>',
            ),
        ],
        user="root",
        prepare=f"{NO_JOBS}; cp /usr/lib/trixie/etc/pam.d/* /etc/pam.d",
        stop='kill "$(cat /run/crond.pid)"',
    ),
    Caller(
        "systemd-cron",
        "/usr/lib/systemd-cron/mail_on_failure",
        "/usr/lib/systemd-cron/mail_on_failure cron-job-alice-0.service",
        [
            Mail(
                "[client.example.com] job cron-job-alice-0.service failed",
                "Active: failed\n",
                sender="root@example.com",
                recipients=["alice@example.com"],
                from_="root@example.com (systemd-cron)",
                to="alice@example.com",
            )
        ],
        user="root",
        # no systemd runs here, so somebody has to answer in its place
        prepare="""
        cat >/usr/local/bin/systemctl <<'end'
        #!/bin/sh
        case $* in
        *User) echo User=alice ;;
        status*) echo Active: failed; exit 3 ;;
        esac
        end
        chmod +x /usr/local/bin/systemctl
        """,
        stop="rm /usr/local/bin/systemctl",
    ),
    Caller(
        "anacron",
        "/usr/sbin/anacron",
        """
        mkdir /tmp/anacron
        echo '1 0 daily echo done' >/tmp/anacron/table
        anacron -d -n -f -q -t /tmp/anacron/table -S /tmp/anacron 2>&1
        """,
        [
            for_root(
                "Anacron job 'daily' on client.example.com",
                "done\n",
                from_="Anacron <root@example.com>",
            )
        ],
        user="root",
    ),
    Caller(
        "at",
        "/usr/sbin/atd",
        "echo 'echo a; echo .; echo b' | at now 2>&1",
        [
            Mail(
                re.compile(r"Output from your job +1"),
                "a\n.\nb\n",
                recipients=["alice@example.com"],
                to="alice@example.com",
            )
        ],
        prepare="""
        install -d -o daemon -g daemon -m 1770 /var/spool/cron/atjobs /var/spool/cron/atspool
        install -o daemon -g daemon -m 600 /dev/null /var/spool/cron/atjobs/.SEQ
        atd
        """,
        stop='kill "$(cat /run/atd.pid)"',
    ),
    Caller(
        "sudo",
        "/usr/bin/sudo",
        "! sudo -n id",
        [
            for_root(
                "*** SECURITY information for client.example.com ***",
                re.compile(r"client\.example\.com : .* user NOT in sudoers ; .*/id\n\n", re.S),
                sender="alice@example.com",
                from_="alice@example.com",
            )
        ],
        prepare="echo 'Defaults !authenticate' >/etc/sudoers.d/test",
    ),
    Caller(
        "smartd",
        "/usr/share/smartmontools/smartd_warning.sh",
        """
        export SMARTD_ADDRESS=root SMARTD_DEVICE=/dev/sda SMARTD_DEVICESTRING=/dev/sda \
            SMARTD_DEVICETYPE=auto SMARTD_DEVICEINFO=disk SMARTD_FAILTYPE=EmailTest \
            SMARTD_MESSAGE='TEST EMAIL from smartd for device: /dev/sda' \
            SMARTD_PREVCNT=0 SMARTD_TFIRST=now SMARTD_TFIRSTEPOCH=0
        /usr/share/smartmontools/smartd_warning.sh
        """,
        [
            for_root(
                "SMART error (EmailTest) detected on host: client",
                re.compile(r"This message was generated .*\nTEST EMAIL from smartd .*", re.S),
            )
        ],
        user="root",
        prepare="ln -sf bsd-mailx /usr/bin/mail",
    ),
    Caller(
        "logwatch",
        "/usr/sbin/logwatch",
        "logwatch --output mail --mailto root --range all --service sshd",
        [
            for_root(
                "Logwatch for client.example.com (Linux)",
                re.compile(r".* Users logging in through sshd:\n    alice:\n.*", re.S),
                from_="root@example.com",
            )
        ],
        user="root",
        prepare="""
        mkdir -p /var/cache/logwatch
        cat >/var/log/auth.log <<end
        Nov 25 03:00:00 client sshd[1]: Accepted password for alice from 192.0.2.1 port 22 ssh2
        end
        """,
    ),
    Caller(
        "fail2ban",
        "/usr/bin/fail2ban-client",
        """
        fail2ban-client start
        fail2ban-client set door banip 192.0.2.1
        fail2ban-client stop
        """,
        [banner("started on"), banner("banned 192.0.2.1 from"), banner("stopped on")],
        user="root",
        prepare="""
        mkdir -p /run/fail2ban
        rm -f /etc/fail2ban/jail.d/*
        cat >/etc/fail2ban/jail.local <<end
        [door]
        enabled = true
        backend = polling
        filter = sshd
        logpath = /var/log/door.log
        action = sendmail[name=door]
        end
        touch /var/log/door.log
        """,
    ),
    Caller(
        "unattended-upgrades",
        "/usr/bin/unattended-upgrade",
        "unattended-upgrade",
        [
            for_root(
                "unattended-upgrades result for client.example.com: SUCCESS",
                re.compile(r"Unattended upgrade result: No packages found .*", re.S),
                from_="root@example.com",
            )
        ],
        user="root",
        prepare="""
        rm -rf /var/lib/apt/lists/*
        cat >/etc/apt/apt.conf.d/99unattended-upgrades <<end
        Unattended-Upgrade::Mail "root";
        Unattended-Upgrade::MailReport "always";
        Unattended-Upgrade::Origins-Pattern {};
        end
        """,
    ),
    Caller(
        "apt-listchanges",
        "/usr/bin/apt-listchanges",
        """
        apt-listchanges --frontend=mail --email-format=text --email-address=root --show-all \
            /tmp/hello.deb
        """,
        [
            for_root(
                "apt-listchanges: changelogs for client.example.com",
                re.compile(r"hello \(2\.0\) .*\n  \* Grüße\.\n.*", re.S),
            )
        ],
        user="root",
        prepare="""
        mkdir -p /tmp/hello/DEBIAN /tmp/hello/usr/share/doc/hello
        gzip -n >/tmp/hello/usr/share/doc/hello/changelog.Debian.gz <<end
        hello (2.0) unstable; urgency=low

          * Grüße.

         -- Bob <bob@example.net>  Mon, 01 Jan 2024 00:00:00 +0000
        end
        cat >/tmp/hello/DEBIAN/control <<end
        Package: hello
        Version: 2.0
        Architecture: all
        Maintainer: Bob <bob@example.net>
        Description: test
        end
        dpkg-deb --build /tmp/hello /tmp/hello.deb >/dev/null
        """,
    ),
    Caller(
        "procmail",
        "/usr/bin/procmail",
        rf"""
        printf ':0\n! admin@example.net\n' >rules
        printf 'From bob@example.net Mon Jan  1 00:00:00 2024\n{BY_BOB}' | procmail -m rules
        """,
        [forwarded("alice@example.com", "Hello\n\n")],
    ),
    Caller(
        "vacation",
        "/usr/bin/vacation",
        rf"""
        printf 'Subject: Away\n\nI am away.\n' >.vacation.msg
        vacation -i
        printf 'From bob@example.net Mon Jan  1 00:00:00 2024\n{BY_BOB}' | vacation alice
        """,
        [Mail("Away", "I am away.\n")],
    ),
    Caller(
        "Dovecot sieve",
        "/usr/lib/dovecot/dovecot-lda",
        rf"""
        echo 'redirect "admin@example.net";' >redirect.sieve
        cat >dovecot.conf <<end
        protocols =
        log_path = /dev/stderr
        mail_location = maildir:~/Maildir
        userdb {{
          driver = passwd
        }}
        protocol lda {{
          mail_plugins = sieve
        }}
        plugin {{
          sieve = ~/redirect.sieve
        }}
        end
        printf '{BY_BOB}' | /usr/lib/dovecot/dovecot-lda -c ~/dovecot.conf \
            -f bob@example.net -a alice@example.com
        """,
        [forwarded("bob@example.net", "Hello\n")],
    ),
]


@pytest.mark.parametrize("caller", CALLERS, ids=str)
def test_system_program_reports(caller: Caller, post: Post) -> None:
    post.check(caller)
