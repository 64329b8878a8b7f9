#!/usr/bin/env python3
"""Faults observed in the nearest peer, tried at the real program: each test does to it what that one fell for, and
fails if it does. tests/integration/peer_faults.tsv says which fault each is about."""

import argparse
import concurrent.futures
import hashlib
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
import cmp_message as cmp  # noqa: E402
from gateway import PATH, Client, Gateway, Recorder, ScriptedCa, Server, read_content, read_head, sign  # noqa: E402
from peers import ClientRun, Identity, Pki, Program  # noqa: E402

CONFIG = """
workers = 2
[[listener]]
url = "http://127.0.0.1:0"
[[upstream]]
url = "{ca}"
trust = "file:{root}"
[[credential]]
certificate = "file:{ra.certificate}"
key = "file:{ra.key}"
[[profile]]
origin = {{ signature = {{ trust = ["file:{devices}", "file:{root}"] }} }}
rules = {{ key = ["ec:P-256"], subject = "CN=${{sender.CN}}", rr_reasons = ["superseded", "cessationOfOperation"] }}
[store]
kind = "memory"
[admin]
url = "unix:{admin}"
[limits]
{limits}
"""
SMALL = 4 << 20  # octets of memory that come and go


class World:
    """A lab CA, and everything that reaches it is written down; devices, and a gateway between them."""

    def __init__(self, programs, folder):
        self.programs, self.folder = programs, folder
        self.pki = Pki(folder / "pki")
        self.ra = self.pki.issue("ra", "p256", "/CN=RA")
        self.devices = {name: self.pki.issue(name, "p256", f"/CN={name}") for name in ("device-1", "device-2")}
        self.trust = folder / "trust.pem"

    def lab(self, *options):
        """(the lab CA, the Recorder in front of it)"""
        lab = Program([self.programs.labca, "--trust", self.pki.root, "--write", self.folder, *options])
        port = int(lab.wait_for(r"http://127\.0\.0\.1:(\d+)")[1])
        self.trust.write_text(self.pki.root.read_text() + (self.folder / "root.pem").read_text())
        return lab, Recorder(port)

    def gateway(self, ca_port, limits=""):
        return Gateway(self.programs.cmpgate, self.folder, CONFIG.format(
            ca=f"http://127.0.0.1:{ca_port}/pkix/", root=self.folder / "root.pem", ra=self.ra, devices=self.pki.root,
            admin=self.folder / "admin.sock", limits=limits))

    def metric(self, name):
        text = subprocess.run(["curl", "-sS", "--max-time", "10", "--unix-socket", self.folder / "admin.sock", "http://admin/metrics"],
                              capture_output=True, text=True, timeout=30, check=True).stdout
        return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)[1])

    def captured(self, name, command, *options):
        """A request as `openssl cmp` makes it, which reaches nobody."""
        path, key = self.folder / "captured.der", self.pki.key(f"new-{name}", "p256")
        ClientRun("http://127.0.0.1:9/", self.devices[name], self.pki.root, "-cmd", command, "-newkey", key, "-subject", f"/CN={name}",
                  "-certout", self.folder / "none.pem", "-reqout", path, *options)
        return cmp.Message(path.read_bytes())


class Device:
    """Sends messages of its own, signed, in whatever transaction."""

    def __init__(self, world, name, command="ir"):
        self.identity, self.first = world.devices[name], world.captured(name, command)
        self.random = cmp.Seeded(name, command)
        self.transaction_id = self.random.octets(16)

    def signed(self, body=None, transaction_id=None, recip_nonce=None, extra_certs=True):
        message = cmp.Message(self.first.der())
        if body is not None:
            message.body = body
            message.fields.pop(cmp.GENERAL_INFO, None)
        message.transaction_id = transaction_id or self.transaction_id
        message.sender_nonce, message.recip_nonce = self.random.octets(16), recip_nonce
        message.fields[cmp.MESSAGE_TIME] = cmp.tlv(0x18, time.strftime("%Y%m%d%H%M%SZ", time.gmtime()).encode())
        message.protect(sign(self.identity.key, message.protected_part()))
        if not extra_certs:
            message.rest = [part for part in message.rest if part[0] != 0xa1]
        return message.der()


def confirmation(answer):
    """The body of a certConf that accepts the certificate in an ip or cp."""
    response = cmp.split(cmp.split(cmp.split(answer.content)[-1][1])[0][1])[0][1]
    certificate = cmp.split(cmp.split(cmp.split(response)[2][1])[0][1])[0][2]
    return cmp.tlv(0xa0 + 24, cmp.tlv(0x30, cmp.tlv(0x30, cmp.tlv(0x04, hashlib.sha256(certificate).digest()) + cmp.tlv(0x02, b"\0"))))


POLL = cmp.tlv(0xa0 + 25, cmp.tlv(0x30, cmp.tlv(0x30, cmp.tlv(0x02, b"\0"))))  # pollReq for certReqId 0


def post(gateway, der):
    with Client(gateway.port) as client:
        status, content = client.post(der)
        assert status == 200, (status, content)
        return cmp.Message(content)


def kinds(recorder):
    return [cmp.Message(asked).type for asked, _ in recorder.exchanges]


def no_empty_extra_certs(world):
    """A certConf without extraCerts reaches the CA without, to the octet; so does one with."""
    lab, at_ca = world.lab()
    with lab, at_ca, world.gateway(at_ca.port) as gateway:
        for extra_certs in (False, True):
            device = Device(world, "device-1", "ir" if extra_certs else "cr")
            answer = post(gateway, device.signed())
            conf = device.signed(confirmation(answer), recip_nonce=answer.sender_nonce, extra_certs=extra_certs)
            assert post(gateway, conf).type == "pkiconf"
            assert at_ca.exchanges[-1][0] == conf and (b"\xa1" in [bytes([part[0]]) for part in cmp.Message(conf).rest]) == extra_certs
    return "2 transactions"


def without_trust_nothing(world):
    """What would be believed by everybody is no configuration."""
    tls = f'certificate = "file:{world.ra.certificate}", key = "file:{world.ra.key}"'
    good = ('version = 1\n[[listener]]\nurl = "http://127.0.0.1:0"\n[[upstream]]\nurl = "http://127.0.0.1:9/"\n'
            f'trust = "file:{world.pki.root}"\n[[profile]]\norigin.signature.trust = "file:{world.pki.root}"\n[store]\nkind = "memory"\n')
    rows = [
        ("", "", 0, ""),
        (f'trust = "file:{world.pki.root}"\n[[profile]]', "[[profile]]", 1, "trust"),  # the CA's answers
        (f'origin.signature.trust = "file:{world.pki.root}"\n', "", 1, "origin"),
        ("origin.signature.trust", "origin.signature.crl", 1, "trust"),
        ('"http://127.0.0.1:9/"', '"https://127.0.0.1:9/"', 1, "tls"),  # whoever has some TLS certificate is the CA
        ('"http://127.0.0.1:0"', f'"https://127.0.0.1:0"\ntls = {{ {tls}, client_certificates = "required" }}', 1, "client_ca"),
    ]
    for number, (old, new, status, said) in enumerate(rows):
        assert old in good, old
        file = world.folder / f"trust-{number}.toml"
        file.write_text(good.replace(old, new, 1) if old else good)
        done = subprocess.run([world.programs.cmpgate, "check", "-c", file], capture_output=True, text=True, timeout=30, check=False)
        errors = [line for line in (done.stdout + done.stderr).splitlines() if "error" in line]
        assert done.returncode == status and (not status or any(said in line for line in errors)), (old, new, done.stdout, done.stderr)
    return f"{len(rows) - 1} faults"


def bad_signatures_leave_nothing(world):
    """684 messages whose signature is wrong, each in a transaction of its own: nothing is stored of any."""
    lab, at_ca = world.lab()
    with lab, at_ca, world.gateway(at_ca.port) as gateway:
        device = Device(world, "device-1")
        assert post(gateway, device.signed()).type == "ip"
        before, (_, memory) = world.metric("cmpgate_store_remembered"), gateway.rest(0.3)
        assert world.metric("cmpgate_store_open") == 1
        message, random = cmp.Message(device.signed()), cmp.Seeded("684")
        with Client(gateway.port) as client:
            for _ in range(684):
                message.transaction_id, message.sender_nonce = random.octets(16), random.octets(16)
                status, content = client.post(message.der())
                assert status == 200 and cmp.Message(content).fail_info() == "badMessageCheck", content
        assert world.metric("cmpgate_store_open") == 1 and world.metric("cmpgate_store_remembered") == before
        assert kinds(at_ca) == ["ir"], kinds(at_ca)
        gateway.back_to(1 << 20, memory, SMALL)
    return "684 messages, no entry"


def a_finished_cr_again(world):
    """A cr that is done, 300 times: the CA hears of one, and nobody gets another certificate."""
    lab, at_ca = world.lab()
    with lab, at_ca, world.gateway(at_ca.port) as gateway:
        device = Device(world, "device-1", "cr")
        request = device.signed()
        first = post(gateway, request)
        conf = device.signed(confirmation(first), recip_nonce=first.sender_nonce)
        assert post(gateway, conf).type == "pkiconf"
        answers = {post(gateway, request).der() for _ in range(300)}
        # The kept answer, or a refusal; the digest goes without certificates, and an ECDSA signature can be made anew.
        assert all(answer == first.der() or cmp.Message(answer).fail_info() == "transactionIdInUse" for answer in answers), answers
        again = cmp.Message(request)
        again.protect(sign(device.identity.key, again.protected_part()))
        bare = cmp.Message(request)
        bare.rest[1:] = [(0xa1, b"", cmp.tlv(0xa1, cmp.tlv(0x30, b"".join(2 * bare.extra_certs))))]
        for changed in (again, bare):
            said = post(gateway, changed.der())
            assert said.der() == first.der() or said.fail_info(), said.type
        other = device.signed()  # another message in the same transaction
        assert post(gateway, other).fail_info() == "transactionIdInUse"
        assert kinds(at_ca) == ["cr", "certConf"], kinds(at_ca)
    return "303 repetitions, 1 certificate"


def another_principal(world):
    """certConf and pollReq of a transaction by a device that did not begin it, properly signed."""
    lab, at_ca = world.lab("--poll-count", "1", "--check-after", "1")
    with lab, at_ca, world.gateway(at_ca.port) as gateway:
        owner, other = Device(world, "device-1"), Device(world, "device-2")
        waiting = post(gateway, owner.signed())
        assert waiting.type == "ip", waiting.type
        stolen = post(gateway, other.signed(POLL, owner.transaction_id, waiting.sender_nonce))
        assert stolen.type == "error" and stolen.fail_info() == "badRequest", (stolen.type, stolen.fail_info())
        answer = post(gateway, owner.signed(POLL, recip_nonce=waiting.sender_nonce))
        while answer.type == "pollRep":
            time.sleep(1)
            answer = post(gateway, owner.signed(POLL, recip_nonce=answer.sender_nonce))
        assert answer.type == "ip", answer.type
        stolen = post(gateway, other.signed(confirmation(answer), owner.transaction_id, answer.sender_nonce))
        assert stolen.type == "error" and stolen.fail_info() == "badRequest", (stolen.type, stolen.fail_info())
        assert "certConf" not in kinds(at_ca), kinds(at_ca)
        assert post(gateway, owner.signed(confirmation(answer), recip_nonce=answer.sender_nonce)).type == "pkiconf"
        senders = {cmp.Message(asked).sender for asked, _ in at_ca.exchanges}
        assert len(senders) == 1, senders
    return "refused, and the owner ends it"


def no_race(world):
    """The same ir, then the same certConf, 16 times at once over 16 connections: the CA hears of each once. Some wait for
    the first one's answer and get that; beyond the bound of those who wait, 503."""
    lab, at_ca = world.lab()

    def heard(octets):
        with Client(gateway.port) as client:
            status, content = client.post(octets)
            assert status in (200, 503), (status, content)
            return content if status == 200 else None

    with lab, at_ca, world.gateway(at_ca.port) as gateway, concurrent.futures.ThreadPoolExecutor(16) as pool:
        for turn in range(5):
            device = Device(world, "device-1")
            device.transaction_id = cmp.Seeded("race", turn).octets(16)
            at_ca.exchanges.clear()
            answers = set(pool.map(heard, [device.signed()] * 16)) - {None}
            assert len(answers) == 1, [cmp.Message(one).type for one in answers]
            answer = cmp.Message(answers.pop())
            conf = device.signed(confirmation(answer), recip_nonce=answer.sender_nonce)
            ends = set(pool.map(heard, [conf] * 16)) - {None}
            assert len(ends) == 1 and cmp.Message(ends.pop()).type == "pkiconf"
            assert kinds(at_ca) == ["ir", "certConf"], kinds(at_ca)
    return "5 transactions, 160 messages"


def transactions_end(world):
    """250 transactions are begun and never confirmed: they end by themselves, and memory comes back."""
    lab, at_ca = world.lab()
    with lab, at_ca, world.gateway(at_ca.port, 'open_time = "10s"\nreplay_horizon = "11m"') as gateway:
        device, random = Device(world, "device-1"), cmp.Seeded("unconfirmed")
        with Client(gateway.port) as client:
            client.post(device.signed())
            _, memory = gateway.rest(0.3)
            sent, most = 1, 0
            for _ in range(249):
                device.transaction_id = random.octets(16)
                client.post(device.signed())
                sent += 1
                most = max(most, world.metric("cmpgate_store_open")) if sent % 50 == 0 else most
        assert most > 10, most
        until = time.monotonic() + 30
        while world.metric("cmpgate_store_open"):
            assert time.monotonic() < until, "transactions stay open"
            time.sleep(0.2)
        # 64 octets each are remembered, so that none is replayed; certificates were issued, requests and answers are gone.
        assert world.metric("cmpgate_store_remembered") == sent
        gateway.back_to(1 << 20, memory, SMALL)
    return f"{sent} transactions, {most:.0f} and more open at a time, then 0"


class Stripper(Server):
    """Carries to the CA, and takes the protection off its answers of some types."""

    def __init__(self, port, *types):
        super().__init__()
        self.to, self.types = port, types

    def serve(self, connection):
        behind = b""
        while True:
            head, behind = read_head(connection, behind)
            if head is None:
                return
            asked, behind = read_content(connection, head, behind)
            with Client(self.to) as ca:
                status, content = ca.post(asked, path="/pkix/")
            answer = cmp.Message(content)
            if answer.type in self.types:
                answer.fields.pop(cmp.PROTECTION_ALG)
                answer.rest = []
            content = answer.der()
            connection.sendall(f"HTTP/1.1 {status} OK\r\nContent-Type: application/pkixcmp\r\nContent-Length: {len(content)}\r\n\r\n"
                               .encode() + content)


def unprotected_answers(world):
    """pkiConf and rp of the CA without protection: none is passed on, and the log says why (bad_ca_test.py: error)."""
    lab, at_ca = world.lab()
    with lab, at_ca, Stripper(at_ca.port, "pkiconf", "rp") as thief, world.gateway(thief.port) as gateway:
        device, new = world.devices["device-1"], world.folder / "new.pem"
        run = ClientRun(gateway.url, device, world.trust, "-cmd", "ir", "-newkey", world.pki.key("new", "p256"), "-subject", "/CN=device-1",
                        "-certout", new)
        assert not run.ok and run.fail_info == "systemFailure" and "received PKICONF" not in run.output, run.output
        issued = Identity(world.pki.key("new", "p256"), world.folder / "issued.pem")
        run = ClientRun(gateway.url, device, world.trust, "-cmd", "ir", "-newkey", issued.key, "-subject", "/CN=device-1", "-certout",
                        issued.certificate, "-implicit_confirm")
        assert run.ok, run.output
        run = ClientRun(gateway.url, issued, world.trust, "-cmd", "rr", "-oldcert", issued.certificate, "-revreason", 4)
        assert not run.ok and run.fail_info == "systemFailure", run.output
        records = [(record["request"], record["rule"]) for record in gateway.records() if "rule" in record]
        assert records == [(kind, "responder-protection") for kind in ("certConf", "rr")], records
        # What an unprotected rp says is not believed: to this gateway the certificate is as it was.
        assert world.metric("cmpgate_inventory_revoked") == 0
    return f"{len(records)} refused"


def revocations_have_a_policy(world):
    """rr for a reason the profile does not permit, and for another device's certificate: the CA hears of neither."""
    lab, at_ca = world.lab()
    with lab, at_ca, world.gateway(at_ca.port) as gateway:
        issued = {}
        for name, device in world.devices.items():
            issued[name] = Identity(world.pki.key(f"own-{name}", "p256"), world.folder / f"own-{name}.pem")
            run = ClientRun(gateway.url, device, world.trust, "-cmd", "ir", "-newkey", issued[name].key, "-subject", f"/CN={name}",
                            "-certout", issued[name].certificate)
            assert run.ok, run.output
        at_ca.exchanges.clear()
        for who, whose, reason, rule in (("device-1", "device-1", 1, "revocation"), ("device-1", "device-1", 7, None),
                                         ("device-1", "device-2", 4, "revocation")):
            run = ClientRun(gateway.url, issued[who], world.trust, "-cmd", "rr", "-oldcert", issued[whose].certificate, "-revreason", reason)
            assert not run.ok, run.output
            got = gateway.records()[-1].get("rule") if rule else None
            assert got == rule, (reason, got, rule, run.output)
        assert not at_ca.exchanges, kinds(at_ca)
        run = ClientRun(gateway.url, issued["device-1"], world.trust, "-cmd", "rr", "-oldcert", issued["device-1"].certificate, "-revreason", 4)
        assert run.ok and kinds(at_ca) == ["rr"], (run.output, kinds(at_ca))
    return "3 refused, 1 forwarded"


def refusals_are_precise(world):
    """Different faults get different failInfos; the text is the same for all of them, and says nothing of the inside."""
    lab, at_ca = world.lab()
    stranger = Pki(world.folder / "strangers", "Strange Root").issue("device-1", "p256", "/CN=device-1")
    with lab, at_ca, world.gateway(at_ca.port) as gateway:
        new, rsa = world.pki.key("new", "p256"), world.pki.key("new", "rsa")
        device = world.devices["device-1"]

        def enrol(identity=device, key=new, subject="/CN=device-1", command="ir", *more):
            return lambda: ClientRun(gateway.url, identity, world.trust, "-cmd", command, "-newkey", key, "-subject", subject,
                                     "-certout", world.folder / "out.pem", "-unprotected_errors", *more).fail_info

        def crafted(change):
            def send():
                message = cmp.Message(Device(world, "device-1").signed())
                change(message)
                return post(gateway, message.der()).fail_info()
            return send

        def resign(message):
            message.protect(sign(device.key, message.protected_part()))

        def old(message):
            message.fields[cmp.MESSAGE_TIME] = cmp.tlv(0x18, b"20200101000000Z")
            resign(message)

        def no_pop(message):  # CertReqMsg: the template is asked for in another name than was signed
            message.body = message.body.replace(b"device-1", b"device-9")
            resign(message)

        rows = [
            (enrol(key=rsa), "badCertTemplate"),
            (enrol(subject="/CN=device-2"), "badCertTemplate"),
            (enrol(identity=stranger), "signerNotTrusted"),
            (enrol(device, new, "/CN=device-1", "ir", "-popo", "0"), "notAuthorized"),  # raVerified by a device
            (crafted(lambda message: message.protect(sign(device.key, b"something else"))), "badMessageCheck"),
            (crafted(old), "badTime"),
            (crafted(no_pop), "badPOP"),
        ]
        for number, (ask, wanted) in enumerate(rows):
            got = ask()
            assert got == wanted, (number, got, wanted, gateway.records()[-1:])
        records = [record for record in gateway.records() if record["decision"] == "refused"]
        assert len(records) == len(rows) and all(record["detail"] for record in records), records
        assert len({record["failInfo"] for record in records}) == 6 and not at_ca.exchanges, records
        # What the device reads: a fixed text, and by which trace to ask for more.
        with Client(gateway.port) as client:
            message = cmp.Message(Device(world, "device-1").signed())
            old(message)
            _, content = client.post(message.der())
            detail = gateway.record(client.trace)["detail"]
            assert f"request refused; trace {client.trace}".encode() in content and detail.encode() not in content, (content, detail)
            assert not any(word.encode() in content for word in re.findall(r"[A-Za-z]{5,}", detail)), (content, detail)
    return f"{len(rows)} faults, 6 failInfos"


class SlowCa(ScriptedCa):
    """Answers each after a second; counts how many it has at a time."""

    def __init__(self):
        super().__init__()
        self.now = self.most = self.opened = 0
        self.count = threading.Lock()

    def serve(self, connection):
        with self.count:
            self.opened += 1
        behind = b""
        while True:
            head, behind = read_head(connection, behind)
            if head is None:
                return
            content, behind = read_content(connection, head, behind)
            with self.count:
                self.now += 1
                self.most = max(self.most, self.now)
            time.sleep(self.pause)
            with self.count:
                self.now -= 1
            connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: application/pkixcmp\r\nContent-Length: {len(self.answer)}\r\n\r\n"
                               .encode() + self.answer)


def many_at_once(world):
    """32 devices at one listener before a CA that takes a second: all wait at the same time; then 200 messages one
    after the other, over the connections that are there."""
    (world.folder / "root.pem").write_bytes(world.pki.root.read_bytes())
    with SlowCa() as ca, world.gateway(ca.port) as gateway:
        ca.answer, ca.pause = b"no answer", 1
        device, requests = Device(world, "device-1"), []
        for number in range(232):
            device.transaction_id = cmp.Seeded("at once", number).octets(16)
            requests.append(device.signed())
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            list(pool.map(lambda request: post(gateway, request), requests[:32]))
        took = time.monotonic() - began
        assert ca.most == 32 and took < 10, (ca.most, took)
        opened, ca.pause = ca.opened, 0
        assert opened <= 34, opened  # one each, and a probe
        for request in requests[32:]:
            post(gateway, request)
        assert ca.opened == opened, (ca.opened, opened)
    return f"{ca.most} at a time in {took:.1f} s; 232 messages over {opened} connections"


TESTS = (no_empty_extra_certs, without_trust_nothing, bad_signatures_leave_nothing, a_finished_cr_again, another_principal, no_race,
         transactions_end, unprotected_answers, revocations_have_a_policy, refusals_are_precise, many_at_once)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("cmpgate", "labca"):
        parser.add_argument(f"--{name}", required=True, type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--only", default="")
    programs = parser.parse_args()
    for test in TESTS:
        if re.search(programs.only, test.__name__):
            with tempfile.TemporaryDirectory(prefix="cmpgate-peer-faults-") as folder:
                print(f"{test.__name__} ok: {test(World(programs, pathlib.Path(folder)))}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
