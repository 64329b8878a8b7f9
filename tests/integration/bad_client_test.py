#!/usr/bin/env python3
"""Clients that misbehave at one gateway: each ends as the table in transports/README.md says, other devices
enrol meanwhile, and nothing is left of it. 10,000 forged messages do not touch a live transaction (S-01)."""

import argparse
import concurrent.futures
import hashlib
import pathlib
import socket
import struct
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
import cmp_message as cmp  # noqa: E402
from gateway import PATH, Client, Gateway, Recorder, Steady, documented, sign  # noqa: E402
from peers import ClientRun, Pki, Program  # noqa: E402

RECEIVE_TIME, IDLE_TIME, SEND_TIME = 2, 3, 2  # seconds
MESSAGE_LIMIT = 256 * 1024
HUGE = 100 << 20
FORGED = 10_000
SPARE = 24 << 20  # octets of memory that may come and go

CONFIG = """
workers = 2
[[listener]]
url = "http://127.0.0.1:0"
receive_timeout = "{receive}s"
idle_timeout = "{idle}s"
send_timeout = "{send}s"
[[upstream]]
url = "{ca}"
trust = "file:{trust}"
idle_timeout = "1s"
[[credential]]
certificate = "file:{ra_certificate}"
key = "file:{ra_key}"
[[profile]]
origin = {{ signature = {{ trust = "file:{devices}" }} }}
rules = {{ key = ["ec:P-256"], subject = "CN=${{sender.CN}}" }}
"""


def head(length=None, path=PATH, method="POST", media_type="application/pkixcmp", version="1.1", more=""):
    """The head of a request; a length of None: there is none."""
    said = f"Content-Length: {length}\r\n" if length is not None else ""
    return (f"{method} {path} HTTP/{version}\r\nHost: test\r\nContent-Type: {media_type}\r\n{said}{more}\r\n").encode()


class Misbehaviour:
    """What a client may do to the gateway on `port`; each says how it ended: a status, with the failInfo of the
    CMP error that came with it, or "closed"."""

    def __init__(self, port, ir):
        self.port, self.ir = port, ir

    def one(self, octets):
        with Client(self.port) as client:
            return self.said(client.raw(octets))

    @staticmethod
    def said(response):
        status, content = response
        if status is None:
            return "closed"
        if content[:1] == b"\x30":
            return f"{status}, {cmp.Message(content).fail_info()}"
        return str(status)

    def bit_by_bit(self, octets, pause):
        """Sent octet by octet, until an answer comes or nobody takes them any more."""
        with Client(self.port) as client:
            connection = client.open()
            connection.setblocking(False)
            until = time.monotonic() + 20
            for octet in octets:
                try:
                    connection.send(bytes([octet]))
                    if connection.recv(1, socket.MSG_PEEK) is not None:
                        break
                except BlockingIOError:
                    time.sleep(pause)
                except ConnectionError:
                    break
                assert time.monotonic() < until, "it goes on and on"
            connection.settimeout(10)
            return self.said(client.response())

    def until_closed(self, octets, at_most, at_least=0):
        """Sends `octets`, then waits."""
        with socket.create_connection(("127.0.0.1", self.port), 20) as connection:
            connection.sendall(octets)
            began, answer = time.monotonic(), b""
            while more := connection.recv(65536):
                answer += more
            took = time.monotonic() - began
            assert at_least <= took <= at_most, f"after {took:.1f} s"
        if not answer:
            return "closed"
        return answer.split()[1].decode()

    def large(self, octets, piece):
        """100 MiB, piece by piece, as far as anybody takes them; the answer is read all the same."""
        with Client(self.port) as client:
            connection = client.open()
            sent = 0
            try:
                connection.sendall(octets)
                while sent < HUGE:
                    connection.sendall(piece)
                    sent += len(piece)
            except ConnectionError:
                pass
            assert sent < 16 << 20, f"it took {sent >> 20} MiB"
            return self.said(client.response())

    # ---- One a row of the table.

    def unknown_path(self):
        return self.one(head(5, path="/cmp") + b"hello")

    def unknown_operation(self):
        return self.one(head(5, path=PATH + "/enrolment") + b"hello")

    def wrong_method(self):
        return self.one(head(method="GET"))

    def no_length(self):
        return self.one(head())

    def wrong_media_type(self):
        return self.one(head(5, media_type="application/json") + b"hello")

    def two_lengths(self):
        return self.one(head(5, more="Transfer-Encoding: chunked\r\n") + b"5\r\nhello\r\n0\r\n\r\n")

    def other_coding(self):
        return self.one(head(more="Transfer-Encoding: gzip, chunked\r\n"))

    def other_expectation(self):
        return self.one(head(5, more="Expect: a-miracle\r\n"))

    def not_http(self):
        return self.one(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 50 + b"\r\n\r\n")

    def http_2(self):
        return self.one(head(5, version="2.0") + b"hello")

    def long_head(self):
        return self.one(head(5, more="X-Long: " + "x" * 10_000 + "\r\n"))

    def many_fields(self):
        return self.one(head(5, more="".join(f"X-{number}: 1\r\n" for number in range(200))))

    def large_body(self):
        return self.large(head(HUGE), b"x" * 65536)

    def large_chunked_body(self):
        return self.large(head(more="Transfer-Encoding: chunked\r\n"), b"10000\r\n" + b"x" * 65536 + b"\r\n")

    def slow_head(self):
        return self.bit_by_bit(head(len(self.ir)), 0.2)

    def slow_body(self):
        with_head = head(len(self.ir)) + self.ir
        with Client(self.port) as client:
            client.open().sendall(with_head[:200])
            client.connection.setblocking(False)
            at, until = 200, time.monotonic() + 20
            while time.monotonic() < until:
                try:
                    client.connection.send(with_head[at:at + 1])
                    at += 1
                    if client.connection.recv(1, socket.MSG_PEEK) is not None:
                        break
                except BlockingIOError:
                    time.sleep(0.2)
            client.connection.settimeout(10)
            return self.said(client.response())

    def half_and_gone(self):
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
            connection.sendall(head(len(self.ir)) + self.ir[:len(self.ir) // 2])
        return "closed"

    def half_and_reset(self):
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
            connection.sendall(head(len(self.ir)) + self.ir[:len(self.ir) // 2])
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return "closed"

    def half_and_silent(self):
        return self.until_closed(head(len(self.ir)) + self.ir[:len(self.ir) // 2], RECEIVE_TIME + 4, RECEIVE_TIME - 1)

    def silent(self):
        return self.until_closed(b"", IDLE_TIME + 3, IDLE_TIME - 1)

    def junk(self):
        return self.one(head(5) + b"hello")

    def empty(self):
        return self.one(head(0))

    def truncated(self):
        return self.one(head(len(self.ir) - 10) + self.ir[:-10])

    def pipelined(self):
        """Thousands of requests in one go, answered one after the other to whoever reads them."""
        count, one = 3000, head(5) + b"hello"
        with socket.create_connection(("127.0.0.1", self.port), 20) as connection:
            sender = threading.Thread(target=connection.sendall, args=(one * count,), daemon=True)
            sender.start()
            answers = b""
            while answers.count(b"HTTP/1.1 400 ") < count:
                more = connection.recv(1 << 20)
                assert more, f"closed after {answers.count(b'HTTP/1.1 ')} answers"
                answers += more
            sender.join(10)
        return "400, badDataFormat"

    def never_reads(self):
        """The same by one who reads nothing: once megabytes of answers are in the way, it is closed."""
        requests = (head(5) + b"hello") * 500
        with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            until, sent = time.monotonic() + 90, 0
            while time.monotonic() < until:
                try:
                    sent += connection.send(requests[sent % len(requests):])
                except TimeoutError:
                    continue
                except ConnectionError:
                    return "closed"
        return "still open"

    def gone_before_the_answer(self):
        """A whole request, and a reset: the exchange ends all the same."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
            connection.sendall(head(5) + b"hello")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return "closed"


class Victim:
    """A device whose messages are those `openssl cmp` made for it, for a new transaction, signed again."""

    def __init__(self, exchanges, identity):
        ir, conf = (next(asked for asked, _ in exchanges if cmp.Message(asked).type == kind) for kind in ("ir", "certConf"))
        self.ir, self.conf, self.identity, self.random = cmp.Message(ir), cmp.Message(conf), identity, cmp.Seeded("victim")
        self.transaction_id = self.random.octets(16)

    def sign(self, message):
        message.transaction_id = self.transaction_id
        message.sender_nonce = self.random.octets(16)
        # What was made minutes ago is as good as new.
        now = time.strftime("%Y%m%d%H%M%SZ", time.gmtime()).encode()
        message.fields[cmp.MESSAGE_TIME] = cmp.tlv(0x18, now)
        message.protect(sign(self.identity.key, message.protected_part()))
        return message.der()

    def begin(self, client):
        self.sent = self.sign(self.ir)
        status, content = client.post(self.sent)
        self.ip = cmp.Message(content)
        assert status == 200 and self.ip.type == "ip" and self.ip.fail_info() is None, (status, content.hex())
        assert self.ip.recip_nonce == self.ir.sender_nonce and self.ip.transaction_id == self.transaction_id
        # CertRepMessage.response[0].certifiedKeyPair.certOrEncCert.certificate
        response = cmp.split(cmp.split(cmp.split(self.ip.content)[-1][1])[0][1])[0][1]
        return cmp.split(cmp.split(cmp.split(response)[2][1])[0][1])[0][2]

    def confirm(self, client, certificate):
        status = cmp.tlv(0x30, cmp.tlv(0x04, hashlib.sha256(certificate).digest()) + cmp.tlv(0x02, b"\0"))
        self.conf.body = cmp.tlv(self.conf.body[0], cmp.tlv(0x30, status))
        self.conf.recip_nonce = self.ip.sender_nonce
        status, content = client.post(self.sign(self.conf))
        answer = cmp.Message(content)
        assert (status, answer.type) == (200, "pkiconf"), (status, answer.type, answer.fail_info())
        assert answer.transaction_id == self.transaction_id and answer.recip_nonce == self.conf.sender_nonce


def forgeries(victim, stranger):
    """Endless messages with the victim's transactionID that are not the victim's, and whether their signature
    is somebody's at all."""
    random = cmp.Seeded("forger")
    # By a device of the same maker, properly signed: its certificate, its name, somebody else's transaction.
    signed = []
    for kind in range(60):
        message = cmp.Message(stranger.sign(cmp.Message((stranger.conf if kind % 3 else stranger.ir).der())))
        message.transaction_id = victim.transaction_id
        message.recip_nonce = victim.ip.sender_nonce if kind % 3 else None
        message.protect(sign(stranger.identity.key, message.protected_part()))
        signed.append(message.der())
    conf = cmp.Message(victim.conf.der())
    conf.transaction_id, conf.recip_nonce = victim.transaction_id, victim.ip.sender_nonce
    number = 0
    while True:
        number += 1
        kind = number % 4
        if kind == 0:
            yield signed[number // 4 % len(signed)], True
        elif kind == 1:  # the victim's own message, an octet changed
            octets = bytearray(victim.sent)
            octets[random.below(len(octets))] ^= 1 + random.below(255)
            yield bytes(octets), False
        elif kind == 2:  # the victim's name and certificate, a made-up signature
            conf.sender_nonce = random.octets(16)
            conf.protect(random.octets(70))
            yield conf.der(), False
        else:  # not protected at all
            message = cmp.Message((conf if random.chance(2) else victim.ir).der())
            message.transaction_id, message.sender_nonce = victim.transaction_id, random.octets(16)
            message.fields.pop(cmp.PROTECTION_ALG)
            message.rest = []
            yield message.der(), False


def forged(gateway, victim, stranger):
    """10,000 forged messages between the victim's ip and its certConf."""
    with Client(gateway.port) as client:
        certificate = victim.begin(client)
        client.close()  # signing forgeries takes longer than the idle time
        for (forgery, is_signed), _ in zip(forgeries(victim, stranger), range(FORGED)):
            status, content = client.post(forgery)
            told = cmp.Message(content).fail_info()
            assert status in (200, 400) and told, (status, content.hex())
            # Before a signature is verified nobody learns whether a transaction is there (S-01).
            assert is_signed or told not in ("transactionIdInUse", "badRecipientNonce"), told
        victim.confirm(client, certificate)
        gateway.record(client.trace)  # by then all before it are written
    begun = [one for one in gateway.records() if one.get("transactionID") == victim.transaction_id.hex()]
    forwarded = [one["request"] for one in begun if one["decision"] == "forwarded"]
    assert forwarded == ["ir", "certConf"], forwarded
    assert len(begun) > FORGED * 0.9, len(begun)
    rules = {}
    for one in begun:
        rules[one.get("rule", one["decision"])] = rules.get(one.get("rule", one["decision"]), 0) + 1
    print(f"  {FORGED} forged messages: {rules}")


def run_all(programs, folder, show):
    table = documented("transports/README.md", "A client that misbehaves")
    pki = Pki(folder / "pki")
    names = {"ra": "/CN=Gateway", "device": "/CN=device 1", "other": "/CN=device 2", "stranger": "/CN=device 3"}
    who = {name: pki.issue(name, "p256", subject) for name, subject in names.items()}
    with Program([programs.labca, "--trust", pki.root, "--write", folder]) as ca:
        url = ca.wait_for(r"(http://127\.0\.0\.1:\d+\S*)")[1]
        trust = folder / "trust.pem"
        trust.write_text(pki.root.read_text() + (folder / "root.pem").read_text())
        config = CONFIG.format(receive=RECEIVE_TIME, idle=IDLE_TIME, send=SEND_TIME, ca=url, trust=folder / "root.pem",
                               ra_certificate=who["ra"].certificate, ra_key=who["ra"].key, devices=pki.root)
        with Gateway(programs.cmpgate, folder, config) as gateway:
            steady = Steady(gateway.url, who["other"], trust, pki.key("steady", "p256"), names["other"])
            steady.once(10)
            victims = []
            with Recorder(gateway.port) as recorder:
                for name in ("device", "stranger"):
                    recorder.exchanges.clear()
                    run = ClientRun(f"http://127.0.0.1:{recorder.port}{PATH}", who[name], trust, "-cmd", "ir", "-newkey",
                                    pki.key(f"new-{name}", "p256"), "-subject", names[name], "-certout", folder / "new.pem")
                    assert run.ok, run.output
                    victims.append(Victim(recorder.exchanges, who[name]))
            descriptors, memory = gateway.rest(quiet=IDLE_TIME + 1)
            with steady:
                bad = Misbehaviour(gateway.port, victims[0].ir.der())
                with concurrent.futures.ThreadPoolExecutor(8) as pool:
                    outcomes = list(pool.map(lambda name: getattr(bad, name.replace("-", "_"))(), table))
                forged(gateway, *victims)
            assert steady.enrolled > 5, steady.enrolled
            print(f"  {len(table)} ways; {steady.enrolled} enrolments meanwhile, the slowest {steady.slowest:.2f} s")
            differ = [f"{name}: {outcome}; the table says {wanted}"
                      for (name, (wanted, *_)), outcome in zip(table.items(), outcomes) if outcome != wanted]
            if show:
                for name, outcome in zip(table, outcomes):
                    print(f"| (`{name}`) | {outcome} | |")
                differ = []
            assert not differ, "\n".join(differ)
            gateway.back_to(descriptors, memory, SPARE)
            stopped, sent = gateway.ended_with(), {one["transactionID"] for one in gateway.records() if "upstream_ms" in one}
            assert stopped["open"] == 0 and stopped["remembered"] == len(sent), (stopped, len(sent))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("cmpgate", "labca"):
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
    parser.add_argument("--show", action="store_true", help="print the table as it comes out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cmpgate-bad-client-") as folder:
        run_all(options, pathlib.Path(folder), options.show)
    print("misbehaving clients: ok")


if __name__ == "__main__":
    sys.exit(main())
