"""`python -m tests.bench.sender CLIENT HOST PORT COUNT`: send by one connection, print the seconds.

The clock runs from the first transaction to the last verdict; connecting and EHLO came before.
"""

from __future__ import annotations

import asyncio
import smtplib
import sys
import time
from collections.abc import Iterator

import aiosmtplib

from pysendmail.smtp import Transaction, connect
from tests.bench.measuring import message

SENDER, RECIPIENT = "a@example.com", "b@example.org"
OWN_NAME = "client.example.com"
BODY = message().replace(b"\n", b"\r\n")


def transactions(count: int) -> Iterator[Transaction]:
    """Yield the same small message again and again."""
    for _ in range(count):
        yield Transaction(SENDER.encode(), [RECIPIENT.encode()], BODY, size=len(BODY))


def by_ours(host: str, port: int, count: int) -> float:
    with connect((host, port)) as client:
        client.helo(OWN_NAME.encode())
        began = time.perf_counter()
        for verdict in client.stream(transactions(count)):
            assert verdict.trouble is None, verdict.trouble
        return time.perf_counter() - began


def by_smtplib(host: str, port: int, count: int) -> float:
    with smtplib.SMTP(host, port, local_hostname=OWN_NAME) as client:
        client.ehlo()
        began = time.perf_counter()
        for _ in range(count):
            client.sendmail(SENDER, [RECIPIENT], BODY)
        return time.perf_counter() - began


def by_aiosmtplib(host: str, port: int, count: int) -> float:
    async def send() -> float:
        client = aiosmtplib.SMTP(
            hostname=host, port=port, start_tls=False, local_hostname=OWN_NAME
        )
        async with client:
            await client.ehlo()
            began = time.perf_counter()
            for _ in range(count):
                await client.sendmail(SENDER, [RECIPIENT], BODY)
            return time.perf_counter() - began

    return asyncio.run(send())


CLIENTS = {"ours": by_ours, "smtplib": by_smtplib, "aiosmtplib": by_aiosmtplib}

if __name__ == "__main__":
    print(CLIENTS[sys.argv[1]](sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
