#!/usr/bin/env python3
"""`cmpgate serve` killed under load, again and again: no request reaches the CA twice, no answer that was
given is lost, and whatever nobody can know stands in the ledger (S-04)."""

import argparse
import asyncio
import json
import os
import pathlib
import random
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
VECTORS = ROOT / "tests/vectors/cmp"
CONNECTIONS = 24
ERROR, IP, PKICONF = 23, 1, 19  # PKIBody

CONFIG = """\
version = 1
workers = 2
drain_timeout = "5s"
[log]
level = "error"
[store]
kind = "sqlite"
path = "store.db"
open = 1000000
open_per_principal = 1000000
remembered = 4000000
remembered_per_principal = 4000000
[limits]
open_time = "1h"
replay_horizon = "2h"
[[listener]]
name = "front"
url = "http://127.0.0.1:1"
exchange_timeout = "60s"
[[upstream]]
name = "ca"
url = "http://127.0.0.1:{ca_port}/"
[[profile]]
name = "all"
origin = "opaque"
"""


def tlv(octets, at):
    """(tag, start of the content, end)"""
    length, start = octets[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(octets[start:start + count], "big"), start + count
    return octets[at], start, start + length


class Message:
    """A PKIMessage whose 16-octet header fields can be replaced in place."""

    FIELDS = {"transaction_id": 0xA4, "sender_nonce": 0xA5, "recip_nonce": 0xA6}

    def __init__(self, octets):
        self.octets, self.at = bytearray(octets), {}
        _, start, _ = tlv(octets, 0)
        _, field, end = tlv(octets, start)
        tag, self.body, _ = tlv(octets, end)
        self.type = tag & 0x1F
        while field < end:
            tag, content, after = tlv(octets, field)
            for name, wanted in self.FIELDS.items():
                if tag == wanted:
                    _, begin, stop = tlv(octets, content)
                    self.at[name] = (begin, stop)
            field = after

    def __getitem__(self, name):
        begin, stop = self.at[name]
        return bytes(self.octets[begin:stop])

    def made(self, **fields):
        octets = bytearray(self.octets)
        for name, value in fields.items():
            begin, stop = self.at[name]
            assert stop - begin == len(value) == 16, name
            octets[begin:stop] = value
        return bytes(octets)


def vector(name):
    return Message((VECTORS / name).read_bytes())


IR, CERTCONF, IP_ANSWER, PKICONF_ANSWER = map(vector, ("ir-sig.der", "certconf-sig.der", "ip-sig.der",
                                                       "pkiconf-sig.der"))


async def read_http(reader):
    """(first line, body), or None at the end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        length = next((int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:")), 0)
        return lines[0].decode(), await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


class CountingCa:
    """Answers every ir with an ip and every certConf with a pkiConf, and counts by transactionID."""

    def __init__(self):
        self.requests, self.answers, self.confirmations = {}, {}, 0

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        try:
            await self.answer(reader, writer)
        except asyncio.CancelledError:
            pass  # the test has ended
        writer.close()

    async def answer(self, reader, writer):
        while request := await read_http(reader):
            message = Message(request[1])
            transaction, nonce = message["transaction_id"], message["sender_nonce"]
            if message.type == 0:
                self.requests[transaction] = self.requests.get(transaction, 0) + 1
                template = IP_ANSWER
            else:
                self.confirmations += 1
                template = PKICONF_ANSWER
            answer = template.made(transaction_id=transaction, recip_nonce=nonce, sender_nonce=secrets.token_bytes(16))
            if message.type == 0:
                self.answers[transaction] = answer
            # Long enough that a process often dies between request and answer.
            await asyncio.sleep(random.uniform(0, 0.03))
            try:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/pkixcmp\r\nContent-Length: %d\r\n\r\n"
                             % len(answer) + answer)
                await writer.drain()
            except ConnectionError:
                break


class Devices:
    """Each enrols, confirms, and begins anew; what gets no answer is sent again as it was."""

    def __init__(self, port):
        self.port, self.ending = port, False
        self.complete, self.in_doubt, self.given = set(), set(), {}
        self.repeated = 0

    async def ask(self, octets):
        """The answer, however often the gateway has to be asked."""
        tries = 0
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(b"POST /.well-known/cmp HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
                             b"Content-Type: application/pkixcmp\r\nContent-Length: %d\r\n\r\n" % len(octets) + octets)
                reply = await asyncio.wait_for(read_http(reader), 30)
                writer.close()
            except ConnectionError:
                reply = None
            if reply and reply[0].split()[1] == "200":
                self.repeated += tries > 0
                return Message(reply[1])
            tries += 1
            await asyncio.sleep(0.02)

    async def run(self):
        while not self.ending:
            transaction = secrets.token_bytes(16)
            request = IR.made(transaction_id=transaction, sender_nonce=secrets.token_bytes(16))
            answer = await self.ask(request)
            if answer.type == ERROR:
                self.in_doubt.add(transaction)
                continue
            assert answer.type == IP, answer.octets.hex()
            self.given[transaction] = bytes(answer.octets)
            confirm = CERTCONF.made(transaction_id=transaction, sender_nonce=secrets.token_bytes(16),
                                    recip_nonce=answer["sender_nonce"])
            answer = await self.ask(confirm)
            assert answer.type == PKICONF, (answer.type, answer.octets.hex())
            self.complete.add(transaction)


class Gateway:
    """One process after another behind one listening socket, so that the port stays ours."""

    def __init__(self, cmpgate, folder):
        self.command = [str(cmpgate), "serve", "-c", str(folder / "cmpgate.toml")]
        self.log = folder / "log"
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.socket.getsockname()[1]

    def start(self):
        wrapper = ["bash", "-c", f'exec 3<&{self.socket.fileno()}; LISTEN_PID=$$ exec "$@"', "bash"]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*wrapper, *self.command], stdout=subprocess.PIPE, stderr=log,
                                            env=dict(os.environ, LISTEN_FDS="1", LISTEN_FDNAMES="front"),
                                            pass_fds=[self.socket.fileno()])

    async def ready(self):
        line = await asyncio.to_thread(self.process.stdout.readline)
        if not line:
            raise AssertionError("the gateway does not start: " + self.log.read_text()[-2000:])

    def kill(self, number):
        self.process.send_signal(number)
        status = self.process.wait(30)
        self.process.stdout.close()
        return status


async def crash(cmpgate, folder, kills):
    ca = CountingCa()
    gateway = Gateway(cmpgate, folder)
    (folder / "cmpgate.toml").write_text(CONFIG.format(ca_port=await ca.start()))
    devices = Devices(gateway.port)
    gateway.start()
    await gateway.ready()
    running = [asyncio.create_task(devices.run()) for _ in range(CONNECTIONS)]
    try:
        for _ in range(kills):
            await asyncio.sleep(random.uniform(0.05, 0.45))
            for task in running:
                if task.done():
                    task.result()
            gateway.kill(signal.SIGKILL)
            gateway.start()
            await gateway.ready()
        devices.ending = True
        await asyncio.wait_for(asyncio.gather(*running), 90)
    finally:
        for task in running:
            task.cancel()
        status = gateway.kill(signal.SIGTERM)
    assert status == 0, status
    return ca, devices


def ledger(cmpgate, folder):
    done = subprocess.run([cmpgate, "audit", "orphans", "-c", folder / "cmpgate.toml", "--json"],
                          capture_output=True, text=True, timeout=60, check=True)
    return {bytes.fromhex(one["transaction_id"]): one for one in json.loads(done.stdout)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    parser.add_argument("--kills", type=int, default=int(os.environ.get("CMPGATE_KILLS", "200")))
    options = parser.parse_args()
    cmpgate, began = options.cmpgate.resolve(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cmpgate-crash-") as name:
        folder = pathlib.Path(name)
        ca, devices = asyncio.run(crash(cmpgate, folder, options.kills))
        listed = ledger(cmpgate, folder)
    duplicates = [one for one, count in ca.requests.items() if count > 1]
    changed = [one for one, octets in devices.given.items() if ca.answers[one] != octets]
    print(f"{options.kills} kills in {time.monotonic() - began:.0f} s: {len(devices.complete)} enrolments complete, "
          f"{devices.repeated} messages repeated until answered, {len(duplicates)} duplicates at the CA, "
          f"{len(devices.in_doubt)} in doubt, {len(listed)} in the ledger")
    assert not duplicates, f"sent twice: {duplicates[:3]}"
    assert not changed, "an answer came back other than the CA had given it"
    # Every device was told: it has its certificate, or nobody knows; and what nobody knows is listed.
    assert set(ca.requests) <= devices.complete | devices.in_doubt
    assert devices.in_doubt == set(listed), (len(devices.in_doubt - set(listed)), len(set(listed) - devices.in_doubt))
    assert all(one["why"] == "crash" and one["upstream"] == "ca" and one["request"] == "ir" for one in listed.values())
    # The test has tested something.
    assert len(devices.complete) > 5 * options.kills and devices.repeated > options.kills
    assert len(devices.in_doubt) > options.kills // 10
    return 0


if __name__ == "__main__":
    sys.exit(main())
