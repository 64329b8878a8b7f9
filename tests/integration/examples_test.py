#!/usr/bin/env python3
"""Each file of conf/examples is run as it stands (but for addresses) between `openssl cmp` as device and a CA (its
own mock, or the lab CA): what it promises is granted, and what it does not promise is refused by the rule that should."""

import argparse
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))

sys.path.insert(0, str(ROOT / "tests/interop"))
sys.path.insert(0, str(ROOT / "tests/integration"))

import debian13  # noqa: E402
import debian13_test  # noqa: E402
from peers import EKU_CMC_CA, EKU_CMC_RA, ClientRun, Identity, MockCa, Pki, Program, openssl  # noqa: E402
from secret_test import Secrets  # noqa: E402

EXAMPLES = ROOT / "conf/examples"


class World:
    """The files that the examples name, and a CA: every root is one of two, so that they can be told apart."""

    def __init__(self, cmpgate, labca, folder):
        self.cmpgate, self.labca, self.folder = cmpgate, labca, folder
        self.pki, self.line4 = Pki(folder / "pki"), Pki(folder / "line4", "Line 4 Maker")
        self.signer = self.pki.issue("signer", "p256", "/CN=CMP CA", EKU_CMC_CA)
        self.ra = ra = self.pki.issue("ra", "p256", "/CN=RA", EKU_CMC_RA)
        for name in ("ca-root.pem", "idevid-roots.pem", "ra-root.pem"):
            shutil.copy(self.pki.root, folder / name)
        shutil.copy(self.line4.root, folder / "line4-roots.pem")
        shutil.copy(ra.certificate, folder / "ra.pem")
        shutil.copy(self.signer.certificate, folder / "cmp-signer.pem")
        for name in ("ra.key", "ra-key"):
            shutil.copy(ra.key, folder / name)
            (folder / name).chmod(0o600)
        self.crl(folder / "idevid.crl")
        self.device = self.pki.issue("device", "p256", "/CN=device-1/serialNumber=4711")
        self.device4 = self.line4.issue("device4", "p256", "/CN=device-4/serialNumber=4711")
        self.new_key = self.pki.key("new", "p256")

    def crl(self, path, pki=None, revoke=None):
        """Of a root, ours or another; written aside and renamed, as an operator's job should."""
        pki = pki or self.pki
        folder = pki.folder / "crl"
        if not folder.exists():
            folder.mkdir()
            (folder / "index").write_text("")
            (folder / "ca.cnf").write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase={folder}/index\ndefault_md=sha256\n"
                                           "default_crl_days=5\n")
        common = ["-config", folder / "ca.cnf", "-cert", pki.root, "-keyfile", pki.key("root", "p256")]
        if revoke:
            openssl("ca", *common, "-revoke", revoke)
        openssl("ca", *common, "-gencrl", "-out", folder / "new.crl")
        os.replace(folder / "new.crl", path)

    def lab(self, *options):
        """The lab CA: it knows the device makers' root and the RA's, and is what ca-root.pem says now."""
        written = self.folder / "lab"
        written.mkdir()
        lab = Program([self.labca, "--trust", self.pki.root, "--ra-trust", self.pki.root, "--write", written, *options])
        lab.url = lab.wait_for(r"(http://127\.0\.0\.1:\d+\S*)")[1]
        shutil.copy(written / "root.pem", self.folder / "ca-root.pem")
        both = (written / "root.pem").read_text() + self.pki.root.read_text()
        lab.root = self.folder / "lab-and-ra.pem"  # the RA signs what it refuses and what it re-protects
        lab.root.write_text(both)
        return lab

    def issued(self, subject):
        """What the CA answers with: a certificate for the new key and this subject."""
        path = self.folder / "issued.pem"
        request = self.pki.request(self.new_key, subject)
        openssl("x509", "-req", "-in", request, "-CA", self.pki.root, "-CAkey", self.pki.key("root", "p256"),
                "-set_serial", "0x4242", "-days", 30, "-out", path)
        return path


class Gateway(Program):
    """`cmpgate serve` on an example: only where it listens and where its CA is are changed."""

    def __init__(self, world, name, ca_url, listeners=1):
        text = (EXAMPLES / name).read_text()
        text, changed = re.subn(r'"(https?)://(0\.0\.0\.0|127\.0\.0\.1):\d+"', r'"\1://127.0.0.1:0"', text)
        text = re.sub(r'\["http://ca1[^\]]*\]|"https?://ca1?\.example[^"]*"', f'"{ca_url}"', text)
        assert changed == listeners and not re.search(r"//\w+\.example", text), text
        self.file = world.folder / name
        self.file.write_text(text)
        # One key stands for the devices of several runs: none remembers whose it was before.
        for left in world.folder.glob(f"{self.file.stem}.db*"):
            left.unlink()
        environment = dict(os.environ, CREDENTIALS_DIRECTORY=str(world.folder))
        super().__init__([world.cmpgate, "serve", "-c", self.file], environment)
        self.url = "http://" + self.wait_for(r"http://(127\.0\.0\.1:\d+/)\.well-known/cmp")[1]
        self.wait_for(r"\bready\b")

    def rules(self):
        return re.findall(r'(?:\brule=|"rule":")([\w-]+)', self.output)

    def refuses(self, rule, ask):
        """That what `ask` runs is refused by this rule, and by no other."""
        seen = len(self.rules())
        run = ask()
        self.wait_for(rf'rule(=|":"){rule}\b')
        assert not run.ok and self.rules()[seen:] == [rule], (rule, self.rules()[seen:], run.output)


def enrol(world, gateway, path, device, subject, *options, ca=None):
    return ClientRun(gateway.url + path, device, ca or world.pki.root, "-cmd", "ir", "-newkey", world.new_key,
                     "-subject", subject, "-certout", world.folder / "out.pem", "-unprotected_errors", *options)


WELL_KNOWN = ".well-known/cmp"


def with_ca(world, name, subject, rows, *ca_options):
    """rows: (what, path, device, subject asked for, client options, the rule that refuses or None)"""
    with MockCa(world.signer, world.folder / "all-roots.pem", world.issued(subject), *ca_options) as ca, \
            Gateway(world, name, ca.url) as gateway:
        for what, path, device, asked, options, rule in rows:
            if rule is None:
                run = enrol(world, gateway, path, device, asked, *options)
                assert run.ok, (name, what, gateway.rules(), run.output)
                text = openssl("x509", "-in", world.folder / "out.pem", "-noout", "-subject", "-nameopt", "RFC2253")
                assert "CN=" in text, text
            else:
                gateway.refuses(rule, lambda: enrol(world, gateway, path, device, asked, *options))
        assert gateway.stop() == 0
    return len(rows)


def minimal(world):
    return with_ca(world, "minimal.toml", "/CN=device-1/O=Example", [
        ("own name", WELL_KNOWN, world.device, "/CN=device-1/O=Example", [], None),
        ("another's name", WELL_KNOWN, world.device, "/CN=device-2/O=Example", [], "subject"),
        ("a stranger", WELL_KNOWN, world.device4, "/CN=device-4/O=Example", [], "chain"),
    ])


def factory_lines(world):
    line3 = "/CN=device-1/OU=Line 3/O=Example"
    done = with_ca(world, "factory-lines.toml", line3, [
        ("line 3", WELL_KNOWN + "/p/line3", world.device, line3, [], None),
        ("line 3 at line 4's path", WELL_KNOWN + "/p/line4", world.device, line3, [], "chain"),
        ("no path", WELL_KNOWN, world.device, line3, [], "no-profile"),
        ("not its own name", WELL_KNOWN + "/p/line3", world.device, "/CN=x/OU=Line 3/O=Example", [], "subject"),
    ])
    line4 = "/CN=4711/OU=Line 4/O=Example"
    return done + with_ca(world, "factory-lines.toml", line4, [
        ("line 4, by its serial number", WELL_KNOWN + "/p/line4", world.device4, line4, [], None),
        ("line 4 at line 3's path", WELL_KNOWN + "/p/line3", world.device4, line4, [], "chain"),
    ])


def edge_policy(world):
    sensor = "/CN=device-1/OU=Sensors/O=Example"
    done = with_ca(world, "edge-policy.toml", sensor, [
        ("certProfile does not repeat the path", WELL_KNOWN + "/p/sensor", world.device, sensor, [], "label-mismatch"),
        ("no such path", WELL_KNOWN + "/p/pump", world.device, sensor, [], "no-profile"),
    ])
    peer = names_profiles()
    if peer is None:
        print("edge-policy.toml: no client here can say a certProfile (OpenSSL 3.3 can): its sensor enrols in the Debian 13 tests")
        return done
    with MockCa(world.signer, world.folder / "all-roots.pem", world.issued(sensor)) as ca, \
            Gateway(world, "edge-policy.toml", ca.url) as gateway:

        def ask(device, subject=sensor, label="sensor", profile="sensor"):
            server, path = gateway.url.removeprefix("http://").split("/")[0], f"{WELL_KNOWN}/p/{label}"
            run = peer("-config", "", "-cmd", "ir", "-server", server, "-path", path, "-profile", profile, "-cert", device.certificate,
                       "-key", device.key, "-newkey", world.new_key, "-subject", subject, "-trusted", world.pki.root,
                       "-certout", world.folder / "out.pem", "-unprotected_errors", "-total_timeout", 20)
            run.ok = run.status == 0
            return run

        sensors = ask(world.device)
        assert sensors.ok and "received PKICONF" in sensors.output, (gateway.rules(), sensors.output)
        gateway.refuses("chain", lambda: ask(world.device4))
        gateway.refuses("label-mismatch", lambda: ask(world.device, profile="controller"))
        gateway.refuses("subject", lambda: ask(world.device, "/CN=device-2/OU=Sensors/O=Example"))
        assert gateway.stop() == 0
    return done + 4


def names_profiles():
    """`openssl cmp` that has -profile (3.3): of this system, else of the Debian 13 tree if the tests have made it."""
    done = subprocess.run(["openssl", "cmp", "-help"], capture_output=True, text=True, check=False)

    def here(*arguments):
        run = subprocess.run(["openssl", "cmp", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
        return debian13_test.Run(run.returncode, run.stdout + run.stderr)

    if "-profile " in done.stdout + done.stderr:
        return here
    if not debian13.path(debian13_test.PACKAGES, unpacked_only=True).exists():
        return None
    there = debian13_test.OpenSsl(debian13_test.tree())
    return lambda *arguments: there.run("cmp", *arguments, good=None)


def vendor_rename(world):
    """The lab CA takes raVerified from the RA alone, and kur only of what it has issued."""
    with world.lab() as ca, Gateway(world, "vendor-rename.toml", ca.url) as gateway:
        new, url = world.folder / "out.pem", gateway.url + WELL_KNOWN
        asked = ["-cmd", "ir", "-newkey", world.new_key, "-subject", "/CN=whatever the maker calls it", "-certout", new]
        run = ClientRun(url, world.device, ca.root, *asked)
        assert run.ok and "received PKICONF" in run.output, (gateway.rules(), run.output)
        text = openssl("x509", "-in", new, "-noout", "-subject", "-nameopt", "RFC2253", "-ext",
                       "subjectAltName,extendedKeyUsage,keyUsage", "-dates")
        for said in ("CN=4711,OU=Plant 7,O=Example", "DNS:4711.plant7.example", "TLS Web Client Authentication", "Digital Signature"):
            assert said in text, text
        request = world.pki.request(world.new_key, "/CN=x")
        run = ClientRun(url, world.device, ca.root, "-cmd", "p10cr", "-csr", request, "-certout", new)
        assert run.ok and "CN=4711,OU=Plant 7,O=Example" in openssl("x509", "-in", new, "-noout", "-subject", "-nameopt", "RFC2253")
        # Renewal goes up nested and comes back as the CA signed it.
        owned, next_key = Identity(world.new_key, shutil.copy(new, world.folder / "owned.pem")), world.pki.key("next", "p256")
        run = ClientRun(url, owned, ca.root, "-cmd", "kur", "-newkey", next_key, "-certout", new)
        assert run.ok, (gateway.rules(), run.output)
        assert "treatment=nest" in gateway.output, gateway.output
        assert ClientRun(url, Identity(next_key, new), ca.root, "-cmd", "rr", "-oldcert", new, "-revreason", 4).ok, gateway.output
        gateway.refuses("chain", lambda: ClientRun(url, world.device4, ca.root, *asked, "-unprotected_errors"))
        big = world.pki.key("big", "rsa")
        gateway.refuses("key", lambda: ClientRun(url, world.device, ca.root, "-cmd", "ir", "-newkey", big, "-subject", "/CN=x",
                                                 "-certout", new, "-unprotected_errors"))
        assert gateway.stop() == 0
    return 6


def mac_bootstrap(world):
    """A secret is good for one certificate; the device learns the CA's root by it, and goes on with the certificate."""
    with world.lab("--ca-pubs", "--device", "CN=RA", "--validity", 20 * 86400) as ca:
        renewed(world, ca)
        return by_secret_and_after(world, ca)


def renewed(world, ca):
    """The RA's certificate where it is of this very CA."""
    before = {name: (world.folder / name).read_bytes() for name in ("ra.pem", "ra.key")}
    for name in ("pem", "key"):
        shutil.copy(world.folder / f"lab/device.{name}", world.folder / f"ra.{name}")
    time.sleep(1.1)  # the next one ends later, by a second
    with Gateway(world, "mac-bootstrap.toml", ca.url) as gateway:
        gateway.wait_for(r"credential_in_use.*credential=ra")
        assert (world.folder / "ra.pem.old").read_bytes() == (world.folder / "lab/device.pem").read_bytes()
        assert openssl("verify", "-CAfile", world.folder / "ca-root.pem", world.folder / "ra.pem")
        assert gateway.stop() == 0
    for name, octets in before.items():
        (world.folder / name).write_bytes(octets)
        (world.folder / f"{name}.old").unlink()


def by_secret_and_after(world, ca):
    with Gateway(world, "mac-bootstrap.toml", ca.url) as gateway:
        new, url = world.folder / "out.pem", gateway.url + WELL_KNOWN
        secrets = Secrets(world.cmpgate, gateway.file)
        secret = secrets.add("--profile", "first", "--reference", "press-17", "--expires", "7d")["secret"]
        learnt = world.folder / "learnt.pem"
        asked = ["-cmd", "ir", "-newkey", world.new_key, "-subject", "/CN=press-17/O=Example", "-certout", new]

        def by_secret(text, *options):
            # No trust: what it is given under its secret is what it goes on with.
            return ClientRun(url, None, None, *options, "-ref", "press-17", "-secret", f"pass:{text}")

        gateway.refuses("mac", lambda: by_secret("x" + secret, *asked))
        gateway.refuses("subject", lambda: by_secret(secret, *asked[:4], "-subject", "/CN=press-17/O=Elsewhere", "-certout", new))
        gateway.refuses("sender-kid", lambda: by_secret(secret, *asked[:4], "-subject", "/CN=press-18/O=Example", "-certout", new))
        run = by_secret(secret, *asked, "-cacertsout", learnt)
        assert run.ok and "received PKICONF" in run.output, (gateway.rules(), run.output)
        assert secrets.list()["press-17"]["state"] == "spent", secrets.list()
        gateway.refuses("secret-uses", lambda: by_secret(secret, *asked))
        assert secret not in gateway.output

        assert openssl("x509", "-in", learnt) == openssl("x509", "-in", world.folder / "ca-root.pem")
        owned = Identity(world.new_key, shutil.copy(new, world.folder / "owned.pem"))
        assert openssl("verify", "-CAfile", learnt, owned.certificate)
        # A second certificate, a renewal, the end of it.
        other, following = world.pki.key("other", "p256"), world.pki.key("following", "p256")
        assert ClientRun(url, owned, learnt, "-cmd", "cr", "-newkey", other, "-subject", "/CN=press-17/O=Example", "-certout", new).ok
        run = ClientRun(url, owned, learnt, "-cmd", "kur", "-newkey", following, "-certout", new)
        assert run.ok, (gateway.rules(), run.output)
        assert "treatment=nest" in gateway.output and "treatment=reprotect" in gateway.output, gateway.output
        assert ClientRun(url, Identity(following, new), learnt, "-cmd", "rr", "-oldcert", new, "-revreason", 4).ok, gateway.output
        gateway.refuses("chain", lambda: ClientRun(url, world.device, ca.root, "-cmd", "cr", "-newkey", other, "-subject", "/CN=device-1/O=Example",
                                                   "-certout", new, "-unprotected_errors"))
        assert gateway.stop() == 0
    return 8


class TlsFront:
    """TLS before a CA, as a web server would be: asks for a certificate of the RA's, carries octets."""

    def __init__(self, ca_port, certificate, key, clients):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.context.load_verify_locations(clients)
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.ca_port, self.subjects = ca_port, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self.listener.getsockname()[1]}/pkix/"
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(connection,), daemon=True).start()

    def carry(self, connection):
        with connection:
            connection.settimeout(30)
            try:
                with self.context.wrap_socket(connection, server_side=True) as front, \
                        socket.create_connection(("127.0.0.1", self.ca_port), 30) as back:
                    self.subjects.append(front.getpeercert()["subject"])
                    while octets := front.recv(65536):  # the mock CA ends a connection with its answer
                        back.sendall(octets)
                        back.settimeout(0.3)
                        try:
                            while answer := back.recv(65536):
                                front.sendall(answer)
                            return
                        except TimeoutError:
                            continue  # the request goes on, or the connection does
            except OSError:
                pass  # a probe that only connects, or a peer that has gone


def https(world):
    """Devices over https with a TLS certificate of their own; the CA behind https, too; http for kur alone."""
    servers, clients = Pki(world.folder / "tls-servers", "TLS Root"), Pki(world.folder / "tls-clients", "TLS Device Root")
    own = tls_certificate(world, servers, "tls", "/CN=ra.example/O=Example")
    front = tls_certificate(world, servers, "front", "/CN=ca.example")
    for path, name in ((own.certificate, "tls.pem"), (servers.root, "tls-ca-root.pem"), (clients.root, "tls-clients.pem")):
        shutil.copy(path, world.folder / name)
    shutil.copy(own.key, world.folder / "tls-key")
    (world.folder / "tls-key").chmod(0o600)
    world.crl(world.folder / "tls-clients.crl", clients)
    device_tls = clients.issue("device-tls", "p256", "/CN=device-1/O=Example")
    visitor_tls = clients.issue("visitor-tls", "p256", "/CN=visitor/O=Elsewhere")
    issued = world.pki.issue("new", "p256", "/CN=device-1/O=Example")

    with MockCa(world.signer, world.folder / "all-roots.pem", issued.certificate) as ca, \
            TlsFront(ca.port, front.certificate, front.key, servers.root) as behind, \
            Gateway(world, "https.toml", behind.url, listeners=2) as gateway:
        secure = gateway.wait_for(r"https://(127\.0\.0\.1:\d+)/\.well-known/cmp")[1]

        def ask(identity, *options, tls=device_tls):
            mine = ["-tls_cert", tls.certificate, "-tls_key", tls.key] if tls else []
            return ClientRun(f"http://{secure}/{WELL_KNOWN}", identity, world.pki.root, "-tls_used", "-tls_trusted", servers.root,
                             "-tls_host", "localhost", *mine, "-newkey", issued.key, "-certout", world.folder / "out.pem",
                             "-unprotected_errors", *options)

        enrolment = ["-cmd", "ir", "-subject", "/CN=device-1/O=Example"]
        run = ask(world.device, *enrolment)
        assert run.ok and "received PKICONF" in run.output, (gateway.output, run.output)
        assert behind.subjects and all(("commonName", "ra.example") in part for part in [sum(one, ()) for one in behind.subjects]), behind.subjects
        gateway.refuses("tls-client", lambda: ask(world.device, *enrolment, tls=None))
        gateway.refuses("tls-client", lambda: ask(world.device, *enrolment, tls=visitor_tls))
        gateway.refuses("subject", lambda: ask(world.device, "-cmd", "ir", "-subject", "/CN=device-2/O=Example"))
        world.crl(world.folder / "tls-clients.crl", clients, revoke=device_tls.certificate)
        gateway.wait_for(r"tls-reloaded", 20)
        run = ask(world.device, *enrolment)
        assert not run.ok and run.fail_info is None, run.output  # it does not get as far as CMP
        # Plain http is open for kur alone.
        gateway.refuses("no-profile", lambda: enrol(world, gateway, WELL_KNOWN, world.device, "/CN=device-1/O=Example"))
        run = ClientRun(gateway.url + WELL_KNOWN, issued, world.pki.root, "-cmd", "kur", "-newkey", issued.key, "-certout", world.folder / "out.pem")
        assert run.ok, (gateway.output, run.output)
        assert gateway.stop() == 0
    return 7


def tls_certificate(world, pki, name, subject):
    """For localhost, both as server and as client."""
    key = pki.key(name, "p256")
    request, extensions, certificate = pki.request(key, subject), key.with_suffix(".ext"), key.with_suffix(".pem")
    extensions.write_text("extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=DNS:localhost\n")
    openssl("x509", "-req", "-in", request, "-CA", pki.root, "-CAkey", pki.key("root", "p256"), "-set_serial", "0x77", "-days", 20,
            "-extfile", extensions, "-out", certificate)
    return Identity(key, certificate)


def legacy_clients(world):
    name = "/CN=device-1"
    return with_ca(world, "legacy-clients.toml", name, [
        ("the old path", "pkix/", world.device, name, [], None),
        ("another name", "cmp", world.device, "/CN=device-2", [], "subject"),
    ])


def relay(world):
    name = "/CN=anything"
    return with_ca(world, "relay.toml", name, [
        ("whatever the CA likes", WELL_KNOWN, world.device, name, [], None),
    ])


def lab(world):
    """The lab CA makes its root when it starts: the client asks for it by what it is sent."""
    with Gateway(world, "lab.toml", "http://none/") as gateway:
        run = enrol(world, gateway, WELL_KNOWN, world.device, "/CN=device-2/O=Lab")
        assert not run.ok and gateway.rules() == ["subject"], (gateway.rules(), run.output)
        # Without its root no client believes it; that it issued is in the log.
        run = enrol(world, gateway, WELL_KNOWN, world.device, "/CN=device-1/O=Lab")
        gateway.wait_for(r"decision=forwarded request=ir .*answer=ip")
        assert gateway.stop() == 0
    return 2


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    parser.add_argument("--labca", required=True, type=pathlib.Path)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    tests = {"minimal.toml": minimal, "factory-lines.toml": factory_lines, "edge-policy.toml": edge_policy,
             "legacy-clients.toml": legacy_clients, "relay.toml": relay, "lab.toml": lab, "vendor-rename.toml": vendor_rename,
             "mac-bootstrap.toml": mac_bootstrap, "https.toml": https}
    files = {path.name for path in EXAMPLES.glob("*.toml")}
    assert set(tests) == files, f"examples that nobody runs: {files - set(tests)}; tests of none: {set(tests) - files}"
    for name, test in tests.items():
        if not re.search(arguments.only, name):
            continue
        with tempfile.TemporaryDirectory(prefix="cmpgate-examples-test-") as folder:
            world = World(arguments.cmpgate.resolve(), arguments.labca.resolve(), pathlib.Path(folder))
            (world.folder / "all-roots.pem").write_bytes(world.pki.root.read_bytes() + world.line4.root.read_bytes())
            print(f"{name} ok: {test(world)} requests", flush=True)


if __name__ == "__main__":
    sys.exit(main())
