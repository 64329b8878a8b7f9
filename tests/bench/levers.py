#!/usr/bin/env python3
"""S-34: what others notice while one client pulls a lever: maximal iteration counts, big keys, paths that branch,
junk, bodies that come octet by octet. Each lever is pulled at a tenth of what the gateway can do: of its messages a
second, or of its connections. Others enrol with everything checked; their p99 is set against what it is alone.

--quick only shows that the figures can be taken. A figure short of its reach does not fail the run.
"""

import argparse
import itertools
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cmp_message as cmp  # noqa: E402
from figures import checked_profile, median_of, print_table, row  # noqa: E402
from peers import KEY_ALGORITHMS, ClientRun, Pki, openssl  # noqa: E402
from setup import Setup  # noqa: E402

MAX_COUNT = 100_000
CONNECTIONS = 2000  # that the listener takes
SHARE = 0.1
MACS = """\
[[profile]]
name = "macs"
match.label = "macs"
origin = { mac = "secrets" }
upstream = "secret-ca"
[[upstream]]
name = "secret-ca"
url = "http://127.0.0.1:9/"
responder = { shared_secret = true }
"""
PATH = "/.well-known/cmp"


def request(der, path=PATH):
    return (f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/pkixcmp\r\nContent-Length: {len(der)}\r\n\r\n"
            .encode() + der)


def read_answer(connection):
    received = b""
    while b"\r\n\r\n" not in received:
        if not (more := connection.recv(65536)):
            return False
        received += more
    head, _, behind = received.partition(b"\r\n\r\n")
    left = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]) - len(behind)
    while left > 0:
        if not (more := connection.recv(65536)):
            return False
        left -= len(more)
    return True


class Paced:
    """Sends `rate` messages a second over a few connections, each when the one before was answered."""

    def __init__(self, port, messages, rate, connections=4):
        self.port, self.messages, self.lock = port, messages, threading.Lock()
        self.stopping, self.answered, self.pause = threading.Event(), 0, connections / rate
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(connections)]

    def run(self):
        connection, due = None, time.monotonic()
        while not self.stopping.wait(max(0, due - time.monotonic())):
            due = max(due + self.pause, time.monotonic() - 1)  # what could not be sent for a second is not made up for
            with self.lock:
                octets = next(self.messages)
            try:
                connection = connection or socket.create_connection(("127.0.0.1", self.port), 30)
                connection.sendall(octets)
                if not read_answer(connection):
                    connection = None
                self.answered += 1
            except OSError:
                connection = None

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        time.sleep(0.5)
        self.before, self.since = self.answered, time.monotonic()
        return self

    def __exit__(self, *_):
        self.rate = (self.answered - self.before) / (time.monotonic() - self.since)
        self.stopping.set()
        for thread in self.threads:
            thread.join(40)


class Slow:
    """Connections that send the octets of a body one after the other, each again when it was ended."""

    def __init__(self, port, connections):
        self.port, self.count, self.stopping, self.answered, self.rate = port, connections, threading.Event(), 0, 0
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        head, live = request(bytes(200_000))[:-200_000], []
        while not self.stopping.wait(0.5):
            while len(live) < self.count:
                live.append(socket.create_connection(("127.0.0.1", self.port), 10))
                live[-1].sendall(head)
            for connection in list(live):
                try:
                    connection.send(b"\x30")
                except OSError:
                    connection.close()
                    live.remove(connection)
            self.answered += 1
        for connection in live:
            connection.close()

    def __enter__(self):
        self.thread.start()
        time.sleep(1)
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join(40)


class Levers:
    """What an attacker sends, each made once and then varied without a key."""

    def __init__(self, setup, mac_program, root, root_key):
        self.folder, self.quick, self.mac_program = setup.folder, setup.quick, mac_program
        self.root, self.root_key = root, root_key
        self.random = cmp.Seeded("levers")
        self.bits = 3072 if self.quick else 8192  # to make one of 8192 takes half a minute

    def certificate(self, key, subject, issuer=None, name="one", extensions=""):
        """Issued by the root that the profile trusts, unless another (certificate, key) is named."""
        certificate, extension_file = self.folder / f"{name}.pem", self.folder / f"{name}.ext"
        request_file = self.folder / f"{name}.csr"
        extension_file.write_text(extensions or "keyUsage=critical,digitalSignature\n")
        openssl("req", "-new", "-key", key, "-subj", subject, "-out", request_file)
        ca, ca_key = issuer or (self.root, self.root_key)
        openssl("x509", "-req", "-in", request_file, "-CA", ca, "-CAkey", ca_key, "-set_serial", "0x01" + openssl("rand", "-hex", 8).strip(),
                "-days", 5, "-extfile", extension_file, "-out", certificate)
        return certificate

    def key(self, name, *algorithm):
        path = self.folder / f"{name}.key"
        subprocess.run(["openssl", "genpkey", *algorithm, "-out", path], capture_output=True, timeout=300, check=True)
        return path

    def ir(self, key, certificate, *options):
        """An ir as `openssl cmp` makes it for nobody."""
        path, new = self.folder / "lever.der", self.key("new", *KEY_ALGORITHMS["p256"])

        class Signer:
            pass

        Signer.key, Signer.certificate = key, certificate
        ClientRun("http://127.0.0.1:9/", Signer, self.root, "-cmd", "ir", "-newkey", new, "-subject", "/CN=lever",
                  "-certout", self.folder / "none.pem", "-reqout", path, *options)
        return cmp.Message(path.read_bytes())

    def fresh(self, message):
        """Of another transaction; its signature does not hold any more, which takes a verification to find out."""
        message.transaction_id, message.sender_nonce = self.random.octets(16), self.random.octets(16)
        message.fields[cmp.MESSAGE_TIME] = cmp.tlv(0x18, time.strftime("%Y%m%d%H%M%SZ", time.gmtime()).encode())
        return message.der()

    def iterations(self):
        der = subprocess.run([self.mac_program, "message", "--iterations", str(MAX_COUNT)], capture_output=True, timeout=60,
                             check=True).stdout
        return itertools.repeat(request(der, PATH + "/p/macs"))

    def big_keys(self):
        key = self.key("big", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{self.bits}")
        message = self.ir(key, self.certificate(key, "/CN=lever", name="big"))
        return (request(self.fresh(message)) for _ in itertools.count())

    def paths(self):
        """A chain of fifteen issuers of one name, each of which could have issued the next, and none is trusted."""
        key = self.key("leaf", *KEY_ALGORITHMS["p256"])
        authorities = []
        for number in range(15):
            own = self.key(f"authority-{number}", *KEY_ALGORITHMS["p256"])
            authorities.append((self.certificate(own, "/CN=Crossed", authorities[-1] if authorities else None, f"authority-{number}",
                                                 "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n"
                                                 "subjectKeyIdentifier=none\nauthorityKeyIdentifier=none\n"), own))
        leaf = self.certificate(key, "/CN=lever", authorities[-1], "leaf")
        # Without the first, which the root issued, nothing leads anywhere.
        crossed = self.folder / "crossed.pem"
        crossed.write_text("".join(one.read_text() for one, _ in authorities[1:]))
        message = self.ir(key, leaf, "-extracerts", crossed)
        certificates = message.extra_certs

        def octets():
            for number in itertools.count():
                # Another order each time, so that no verdict is remembered.
                rest = certificates[1:]
                shift = number % len(rest)
                rest = rest[shift:] + rest[:shift]
                swap = number // len(rest) % (len(rest) - 1)
                rest[swap], rest[swap + 1] = rest[swap + 1], rest[swap]
                content = cmp.tlv(0x30, certificates[0] + b"".join(rest))
                message.rest = [part for part in message.rest if part[0] != 0xa1] + [(0xa1, content, cmp.tlv(0xa1, content))]
                yield request(self.fresh(message))

        return octets()

    def junk(self):
        """SEQUENCEs in SEQUENCEs, then octets of no meaning: 16 KiB that look like DER for as long as possible."""
        def octets():
            for _ in itertools.count():
                der = self.random.octets(256) * 62
                for _ in range(16):
                    der = cmp.tlv(0x30, cmp.tlv(0x02, b"\x01") + der)
                yield request(der)
        return octets()


# test: S-34 others' p99 while one client pulls each lever at a tenth of capacity
def take(setup, program):
    folder, repeats, count = setup.folder / "bench-pki", 1 if setup.quick else 5, 200 if setup.quick else 3000
    rows = []
    with setup.test_ca(pki=folder) as ca:
        profile = checked_profile(folder)
        trusted, own = Pki(setup.folder / "attacker", "Attacked Root"), folder / "root.pem"
        profile = profile.replace(f'trust = "file:{own}" }} }}', f'trust = ["file:{own}", "file:{trusted.root}"] }} }}')
        macs, secret_ca = MACS.split("[[upstream]]")
        first, rest = profile.split("[[profile]]", 1)
        profile = f"{first}{macs}[[profile]]{rest}[[upstream]]{secret_ca}"
        with setup.gateway(ca.port, profile, workers=2, level="error", most=CONNECTIONS) as gateway:
            setup.load(gateway.port, 2, count, pki=folder)
            capacity = max(setup.load(gateway.port, 16, count, pki=folder)["rate"] for _ in range(repeats))
            levers = Levers(setup, program, trusted.root, trusted.key("root", "p256"))
            pulled = {name: getattr(levers, name)() for name in ("iterations", "big_keys", "paths", "junk")}
            names = {"iterations": f"{MAX_COUNT} iterations", "big_keys": f"RSA-{levers.bits}", "paths": "16 certificates of one name",
                     "junk": "16 KiB of junk", "slow": f"{CONNECTIONS * SHARE:.0f} connections, octet by octet"}
            for name, what in names.items():
                runs = {"alone": [], "attacked": []}
                rates = []
                for _ in range(repeats):
                    runs["alone"].append(setup.load(gateway.port, 2, count, pki=folder))
                    attack = (Slow(gateway.port, int(CONNECTIONS * SHARE)) if name == "slow"
                              else Paced(gateway.port, pulled[name], capacity * SHARE))
                    with attack:
                        runs["attacked"].append(setup.load(gateway.port, 2, count, pki=folder))
                    rates.append(attack.rate)
                alone, attacked = (median_of(runs[key], "p99_ms") for key in runs)
                note = f"{attacked:.2f} ms against {alone:.2f}"
                if name != "slow":
                    note += f"; {sorted(rates)[len(rates) // 2]:.0f}/s answered of {capacity * SHARE:.0f}/s meant"
                rows.append(row("S-34", f"others' p99 under {what} / alone", attacked / alone, 2, 1.2, " ×", True, note))
                print(rows[-1], file=sys.stderr, flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, type=pathlib.Path, help="a Release build tree")
    parser.add_argument("--quick", action="store_true", help="few repeats: that it runs, not how fast")
    options = parser.parse_args()
    build = options.build.resolve()
    with tempfile.TemporaryDirectory(prefix="cmpgate-bench-") as folder:
        rows = take(Setup(build, pathlib.Path(folder), options.quick), build / "tests/bench/cmpgate_bench_mac")
    print_table(rows)


if __name__ == "__main__":
    main()
