"""Libraries through which programs send mail: PHP, Perl, Ruby, Node.js, Python."""

from __future__ import annotations

import pytest

from tests.clients.caller import Caller, Mail
from tests.clients.conftest import Post

pytestmark = pytest.mark.root

BARE = Mail("Greetings", "Hello\n", from_="alice@example.com")
BLIND = Mail(
    "Greetings",
    "Hello\n",
    from_="alice@example.com",
    recipients=["bob@example.net", "hidden@example.net"],
)

SHOP = Mail(
    "Greetings",
    "Hello\n.\nagain\n",
    sender="shop@example.com",
    recipients=["bob@example.net", "hidden@example.net"],
    from_="Shop <shop@example.com>",
)
# where the packages keep what their installation would enable
PHP_MODULES = "/usr/share/php8.2-common/common:/usr/share/php8.2-mbstring/mbstring"
NODEMAILER = r"""
    node -e 'require("nodemailer").createTransport({sendmail: true, path: "/usr/sbin/sendmail"})
        .sendMail({from: "alice@example.com", to: "bob@example.net", bcc: "hidden@example.net",
                   subject: "Greetings", text: "Hello\n"})'
"""

CALLERS = [
    Caller(
        "PHP mail()",
        "/usr/bin/php8.2",
        r"""
        php8.2 -r 'exit(mail("bob@example.net", "Greetings", "Hello\nagain\r\n.\n",
            "From: Shop <shop@example.com>\r\nBcc: hidden@example.net") ? 0 : 1);'
        """,
        [
            Mail(
                "Greetings",
                "Hello\nagain\n.\n\n",
                sender="www-data@example.com",
                recipients=["bob@example.net", "hidden@example.net"],
                from_="Shop <shop@example.com>",
            )
        ],
        user="www-data",
    ),
    Caller(
        "PHP mail(), no From",
        "/usr/bin/php8.2",
        """php8.2 -r 'exit(mail("bob@example.net", "Greetings", "Hello") ? 0 : 1);'""",
        [
            Mail(
                "Greetings",
                "Hello\n",
                sender="www-data@example.com",
                from_="www-data <www-data@example.com>",
            )
        ],
        user="www-data",
    ),
    Caller(
        "PHP mail(), -f",
        "/usr/bin/php8.2",
        """
        php8.2 -r 'exit(mail("bob@example.net", "Greetings", "Hello",
            ["From" => "Shop <shop@example.com>"], "-fbounces@example.com") ? 0 : 1);'
        """,
        [
            Mail(
                "Greetings",
                "Hello\n",
                sender="bounces@example.com",
                from_="Shop <shop@example.com>",
            )
        ],
        user="www-data",
    ),
    Caller(
        "PHPMailer",
        "/usr/share/php/libphp-phpmailer/src/PHPMailer.php",
        rf"""
        export PHP_INI_SCAN_DIR={PHP_MODULES}
        php8.2 -r 'require "/usr/share/php/libphp-phpmailer/autoload.php";
            $mail = new PHPMailer\PHPMailer\PHPMailer(true);
            $mail->isSendmail();
            $mail->setFrom("shop@example.com", "Shop");
            $mail->addAddress("bob@example.net"); $mail->addBCC("hidden@example.net");
            $mail->Subject = "Greetings"; $mail->Body = "Hello\n.\nagain\n";
            $mail->send();'
        """,
        [SHOP],
        user="www-data",
    ),
    Caller(
        "PEAR Mail",
        "/usr/share/php/Mail/sendmail.php",
        r"""
        php8.2 -r 'require "Mail.php";
            $sent = Mail::factory("sendmail")->send(
                ["bob@example.net", "hidden@example.net"],
                ["From" => "Shop <shop@example.com>", "To" => "bob@example.net",
                 "Subject" => "Greetings"],
                "Hello\n.\nagain\n");
            exit($sent === true ? 0 : 1);'
        """,
        [SHOP],
        user="www-data",
    ),
    Caller(
        "Symfony Mailer, -t",
        "/usr/share/php/Symfony/Component/Mailer/autoload.php",
        rf"""
        export PHP_INI_SCAN_DIR={PHP_MODULES}
        php8.2 -r 'require "/usr/share/php/Symfony/Component/Mailer/autoload.php";
            use Symfony\Component\Mailer\Transport\SendmailTransport;
            $mail = (new Symfony\Component\Mime\Email())
                ->from("Shop <shop@example.com>")
                ->to("bob@example.net")->bcc("hidden@example.net")
                ->subject("Greetings")->text("Hello\n.\nagain\n");
            (new SendmailTransport("/usr/sbin/sendmail -t"))->send($mail);'
        """,
        [SHOP],
        user="www-data",
    ),
    Caller(
        "Perl Email::Sender",
        "/usr/share/perl5/Email/Sender/Transport/Sendmail.pm",
        r"""
        perl -MEmail::Simple -MEmail::Sender::Simple=sendmail -e '
            sendmail(Email::Simple->create(
                header => [From => "alice\@example.com", To => "bob\@example.net",
                           Subject => "Greetings"],
                body => "Hello\n"), {from => "bounces\@example.com"})'
        """,
        [Mail("Greetings", "Hello\n", sender="bounces@example.com", from_="alice@example.com")],
    ),
    Caller(
        "Perl MIME::Lite",
        "/usr/share/perl5/MIME/Lite.pm",
        r"""
        perl -MMIME::Lite -e 'MIME::Lite->new(
            From => "alice\@example.com", To => "bob\@example.net", Bcc => "hidden\@example.net",
            Subject => "Greetings", Data => "Hello\n")->send or die'
        """,
        [BLIND],
    ),
    Caller(
        "Perl MailTools",
        "/usr/share/perl5/Mail/Mailer.pm",
        r"""
        perl -MMail::Mailer -e '
            $mailer = Mail::Mailer->new("sendmail");
            $mailer->open({From => "alice\@example.com", To => "bob\@example.net",
                           Subject => "Greetings"});
            print $mailer "Hello\n";
            $mailer->close or die'
        """,
        [BARE],
    ),
    Caller(
        "Ruby mail",
        "/usr/share/rubygems-integration/all/specifications",
        """
        ruby -e 'require "mail"
            Mail.defaults { delivery_method :sendmail }
            Mail.deliver {
                from "alice@example.com"; to "bob@example.net"; bcc "hidden@example.net"
                subject "Greetings"; body "Hello\n" }'
        """,
        [BLIND],
    ),
    Caller(
        "nodemailer, of npm",
        "/usr/lib/node_modules/nodemailer",
        f"export NODE_PATH=/usr/lib/node_modules; {NODEMAILER}",
        [BLIND],
    ),
    Caller(
        "nodemailer, of Debian",
        "/usr/share/nodejs/nodemailer",
        f"export NODE_PATH=/usr/share/nodejs; {NODEMAILER}",
        [BLIND],
    ),
    Caller(
        "Django",
        "/usr/lib/python-modules/cr_sendmail",
        r"""
        export PYTHONPATH=/usr/lib/python-modules PYTHONDONTWRITEBYTECODE=1
        python3 -c '
        from django.conf import settings
        from django.core.mail import EmailMessage
        settings.configure(EMAIL_BACKEND="cr_sendmail.backends.SendmailBackend")
        EmailMessage("Grüße", "Grüße\n", "Shop <shop@example.com>", ["Bob <bob@example.net>"],
                     bcc=["Hidden <hidden@example.net>"]).send()'
        """,
        [
            Mail(
                "=?utf-8?b?R3LDvMOfZQ==?=",
                "Grüße\n",
                sender="alice@example.com",
                recipients=["bob@example.net", "hidden@example.net"],
                from_="Shop <shop@example.com>",
                to="Bob <bob@example.net>",
            )
        ],
    ),
    Caller(
        "Python",
        "/usr/sbin/sendmail",
        r"""
        python3 -c '
        import subprocess
        done = subprocess.run(
            ["/usr/sbin/sendmail", "-t", "-i"], capture_output=True, timeout=20,
            input=b"To: bob@example.net\nSubject: Greetings\n\nHello\n")
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b""), done'
        """,
        [Mail("Greetings", "Hello\n")],
    ),
]


@pytest.mark.parametrize("caller", CALLERS, ids=str)
def test_library_sends_one_message(caller: Caller, post: Post) -> None:
    post.check(caller)
