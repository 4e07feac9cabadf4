"""The files of a Postfix instance that lives below one directory (see `postfix`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

DOMAIN = "smarthost.example.com"

# The tree of a queue_directory, which `postfix check` would make from postfix-files in a second.
QUEUE_DIRECTORIES = (
    "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private",
    "public", "saved", "trace",
)  # fmt: skip

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = {directory}/log
maillog_file_prefixes = {directory}
myhostname = smarthost.example.com
mydestination =
alias_maps =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
default_transport = collect:all
relay_transport = collect:all
local_transport = collect:all
virtual_transport = collect:all
collect_destination_recipient_limit = 10000
enable_long_queue_ids = yes
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
# what arrives is kept as it was sent
message_drop_headers =
local_header_rewrite_clients =
append_dot_mydomain = no
allow_min_user = yes
smtputf8_enable = yes
import_environment = MAIL_CONFIG MAIL_LOGTAG POSTLOG_SERVICE POSTLOG_HOSTNAME PATH {variables}
# no delays, no limits of its own
smtpd_peername_lookup = no
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 100000
smtpd_hard_error_limit = 100000
smtpd_client_connection_count_limit = 0
default_process_limit = 300
fast_flush_domains =
# the test's own answers
smtpd_delay_reject = no
smtpd_client_restrictions = {policy}
smtpd_helo_restrictions = {policy}
smtpd_sender_restrictions = {policy}
smtpd_recipient_restrictions = {policy}
smtpd_data_restrictions = {policy}
smtpd_end_of_data_restrictions = {policy}
"""

MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup  unix n - n - 0 cleanup
qmgr     unix n - n 1 1 qmgr
rewrite  unix - - n - - trivial-rewrite
bounce   unix - - n - 0 bounce
defer    unix - - n - 0 bounce
trace    unix - - n - 0 bounce
tlsmgr   unix - - n 1000? 1 tlsmgr
error    unix - - n - - error
retry    unix - - n - - error
postlog  unix-dgram n - n - 1 postlogd
collect  unix - n n - 10 pipe
  user=nobody null_sender= eol=\\r\\n
  argv=/bin/sh {directory}/collect ${{queue_id}} ${{sender}} ${{recipient}}
"""

SASL_CONF = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {directory}/etc/sasl/sasldb2
mech_list: {mechanisms}
"""

# Sender and recipients a line each, an empty line, the content; complete once it has its name.  The
# name is the queue id, so that a delivery which Postfix repeats (killed between the delivery and
# its record) stays one message.
COLLECT = """\
umask 022
id=$1
shift
{{ printf '%s\\n' "$@" && echo && cat; }} > {directory}/received/.$id || exit 75
mv {directory}/received/.$id {directory}/received/$id || exit 75
"""


def instance_files(
    directory: Path,
    *,
    port: int,
    policy: Path,
    certificate: Path | None,
    mechanisms: Sequence[str],
    settings: Mapping[str, str],
    variables: Sequence[str],
) -> dict[str, str]:
    """Return the text of each file by its path below `directory`.

    `policy`: socket of the policy service; `certificate`: PEM for STARTTLS, None for none;
    `mechanisms`: those of which a login is needed, empty for no login;
    `settings` of main.cf win; `variables` of master's environment are handed on to all processes.
    """
    values = {
        "directory": directory,
        "port": port,
        "policy": f"check_policy_service unix:{policy}",
        "mechanisms": " ".join(mechanisms),
        "variables": " ".join(variables),
    }
    wanted = {
        **tls_settings(certificate),
        **auth_settings(directory, bool(mechanisms), certificate),
        **settings,
    }
    return {
        "etc/main.cf": with_settings(MAIN_CF.format(**values), wanted),
        "etc/master.cf": MASTER_CF.format(**values),
        "etc/sasl/smtpd.conf": SASL_CONF.format(**values),
        "collect": COLLECT.format(**values),
    }


def with_settings(text: str, settings: Mapping[str, str]) -> str:
    """Return the main.cf `text` with these settings in place of its own.

    None may stand there twice: Postfix warns of it while it reads the file, its log daemon too, and
    that one may then wait for itself.
    """
    kept = [line for line in text.splitlines() if line.partition(" = ")[0] not in settings]
    return "\n".join([*kept, *(f"{name} = {value}" for name, value in settings.items()), ""])


def tls_settings(certificate: Path | None) -> dict[str, str]:
    """STARTTLS with this certificate, or none."""
    if certificate is None:
        return {"smtpd_tls_security_level": "none"}
    return {"smtpd_tls_security_level": "may", "smtpd_tls_chain_files": str(certificate)}


def auth_settings(directory: Path, login_needed: bool, certificate: Path | None) -> dict[str, str]:
    """Who may relay: those who have logged in, with STARTTLS at hand only over TLS; or everybody
    here.
    """
    if not login_needed:
        return {"smtpd_relay_restrictions": "permit_mynetworks, reject"}
    return {
        "smtpd_sasl_auth_enable": "yes",
        "smtpd_sasl_path": "smtpd",
        "smtpd_sasl_local_domain": DOMAIN,
        "smtpd_sasl_security_options": "noanonymous",
        "cyrus_sasl_config_path": f"{directory}/etc/sasl",
        "smtpd_tls_auth_only": "no" if certificate is None else "yes",
        "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
    }
