#!/usr/bin/env python3
"""TLS both ways against programs nobody here wrote: curl, `openssl s_client`, `openssl cmp -tls_used` and
HAProxy in front of it; and a second gateway as the CA behind it."""

import argparse
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))

from gateway import Gateway, Server, read_content, read_head  # noqa: E402
from peers import EKU_CMC_CA, MockCa, Pki, Program, openssl  # noqa: E402

REQUEST = ROOT / "tests/vectors/cmp/ir-sig.der"
CMPGATE = None


def run(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, errors="replace",
                          timeout=30, check=False, stdin=subprocess.DEVNULL, **options)


class TlsPki:
    """Two authorities, one for servers, one for clients, as files."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.servers = self.authority("servers")
        self.clients = self.authority("clients")

    def authority(self, name):
        key, root = self.folder / f"{name}.key", self.folder / f"{name}.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                "-subj", f"/CN={name} root", "-days", 30, "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                "-out", root)
        (self.folder / f"{name}.index").write_text("")
        return root

    def issue(self, authority, name, subject, san="", days=20):
        """(certificate, key), both in files."""
        key, certificate = self.folder / f"{name}.key", self.folder / f"{name}.pem"
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                "-subj", subject, "-out", request)
        extensions.write_text("extendedKeyUsage=serverAuth,clientAuth\n" + (f"subjectAltName={san}\n" if san else ""))
        openssl("x509", "-req", "-in", request, "-CA", authority, "-CAkey", authority.with_suffix(".key"),
                "-set_serial", "0x01" + openssl("rand", "-hex", 8).strip(), "-days", days, "-extfile", extensions,
                "-out", certificate)
        os.chmod(key, 0o600)
        return certificate, key

    def crl(self, authority, revoked=()):
        """Writes AUTHORITY.crl, with what is revoked."""
        conf = self.folder / "ca.conf"
        index = authority.with_suffix(".index")
        conf.write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase={index}\ndefault_md=sha256\ndefault_crl_days=5\n")
        common = ["-config", conf, "-cert", authority, "-keyfile", authority.with_suffix(".key")]
        for certificate in revoked:
            openssl("ca", *common, "-revoke", certificate)
        # Written aside and renamed, as an operator's job should.
        openssl("ca", *common, "-gencrl", "-out", self.folder / "new.crl")
        os.replace(self.folder / "new.crl", authority.with_suffix(".crl"))
        return authority.with_suffix(".crl")


def config(upstream, tls="", profile="", listener="", upstream_tls=""):
    """An http and an https listener, one opaque profile."""
    return f"""
workers = 2
[[listener]]
name = "plain"
url = "http://127.0.0.1:0"
{listener}
[[listener]]
name = "secure"
url = "https://127.0.0.1:0"
tls = {{ {tls} }}
{listener}
[[upstream]]
name = "ca"
url = "{upstream}"
{upstream_tls}
[[profile]]
name = "relay"
origin = "opaque"
{profile}
"""


class TlsGateway(Gateway):
    def __init__(self, folder, text):
        super().__init__(CMPGATE, folder, text)
        self.secure = int(self.wait_for(r"https://127\.0\.0\.1:([1-9]\d*)/")[1])
        self.secure_url = f"https://localhost:{self.secure}/.well-known/cmp"


class EchoCa(Server):
    """Answers every request with the request: what matters here is the way there."""

    def serve(self, connection):
        received = b""
        while True:
            head, received = read_head(connection, received)
            if head is None:
                return
            content, received = read_content(connection, head, received)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/pkixcmp\r\nContent-Length: "
                               + str(len(content)).encode() + b"\r\n\r\n" + content)


def curl(gateway, pki, *options, port=None):
    """A POST of a CMP message; (HTTP status, the rest of what curl says)."""
    port = port or gateway.secure
    done = run("curl", "-sS", "--max-time", 10, "--resolve", f"localhost:{port}:127.0.0.1", "-o", "/dev/null",
               "-w", "%{http_code} %{http_version} %{ssl_verify_result}", "--cacert", pki.servers,
               "-H", "Content-Type: application/pkixcmp", "--data-binary", f"@{REQUEST}", *options,
               f"https://localhost:{port}/.well-known/cmp")
    return done.stdout.split()[:1] and int(done.stdout.split()[0]), done.stdout + done.stderr


def s_client(port, *options):
    """The report of one connection that ends at once."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *map(str, options)], input="",
                          capture_output=True, text=True, errors="replace", timeout=20, check=False)
    return done.stdout + done.stderr


class TlsTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cmpgate-tls-"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.pki = TlsPki(self.folder)
        self.server = self.pki.issue(self.pki.servers, "server", "/CN=ra", "DNS:localhost")
        self.device = self.pki.issue(self.pki.clients, "device", "/CN=device-7/O=Line 3")

    def told(self, gateway, action, number=1):
        """The last of the records that `action` made `gateway` write."""
        before = len(gateway.records())
        action()
        until = time.monotonic() + 10
        while len(gateway.records()) < before + number and time.monotonic() < until:
            time.sleep(0.02)
        self.assertEqual(len(gateway.records()), before + number)
        return gateway.records()[-1]

    def tls(self, more=""):
        certificate, key = self.server
        return f'certificate = "file:{certificate}", key = "file:{key}"{more}'

    def enter(self, thing):
        thing.__enter__()
        self.addCleanup(thing.__exit__, None, None, None)
        return thing

    def gateway(self, folder=None, **options):
        ca = self.enter(EchoCa())
        options.setdefault("tls", self.tls())
        options.setdefault("upstream", ca.url)
        return self.enter(TlsGateway(folder or self.folder, config(**options)))

    def test_curl_and_the_versions(self):
        gateway = self.gateway()
        for options, works in ((["--http1.1"], True), (["--http1.1", "--tls-max", "1.2"], True),
                               (["--http1.1", "--tlsv1.3"], True)):
            status, text = curl(gateway, self.pki, *options)
            # The answer is no CMP response: the gateway says so in CMP, with 200.
            self.assertEqual(status == 200, works, text)
        old = s_client(gateway.secure, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
        self.assertRegex(old, r"alert protocol version|no protocols available|unsupported protocol")
        weak = s_client(gateway.secure, "-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0")
        self.assertIn("handshake failure", weak)
        strong = s_client(gateway.secure, "-tls1_2", "-CAfile", self.pki.servers)
        self.assertRegex(strong, r"Cipher is ECDHE-ECDSA-AES128-GCM-SHA256")
        self.assertIn("Verify return code: 0 (ok)", strong)
        # Both on one port would be a fault: TLS is not spoken where http:// is said.
        plain = s_client(gateway.port)
        self.assertIn("wrong version number", plain)

    def test_resumption_across_workers_and_reloads(self):
        gateway = self.gateway()
        for version in ("-tls1_2", "-tls1_3"):
            session = self.folder / f"session{version}"
            self.save_session(gateway, version, session)
            # Two workers: in ten connections both are met.
            for _ in range(10):
                self.assertIn("Reused, TLS", s_client(gateway.secure, version, "-sess_in", session))
        # A new certificate: the files change, sessions go on.
        renewed = self.pki.issue(self.pki.servers, "renewed", "/CN=renewed", "DNS:localhost")
        for new, old in zip(renewed, self.server):
            os.replace(new, old)
        gateway.wait_for(r'"event":"tls-reloaded".*"for":"listener secure"', 15)
        until = time.monotonic() + 5
        while "CN = renewed" not in (text := s_client(gateway.secure)) and time.monotonic() < until:
            time.sleep(0.1)
        self.assertIn("CN = renewed", text)
        for version in ("-tls1_2", "-tls1_3"):
            self.assertIn("Reused, TLS", s_client(gateway.secure, version, "-sess_in", self.folder / f"session{version}"))

    def save_session(self, gateway, version, path, *options):
        """Keeps a session: in TLS 1.3 its ticket comes after the handshake, so something must be read."""
        request = b"POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.secure}", version, "-ign_eof",
                        "-sess_out", path, *map(str, options)], input=request, capture_output=True, timeout=20, check=False)
        self.assertTrue(path.exists())

    def test_client_certificates_and_who_they_are(self):
        crl = self.pki.crl(self.pki.clients)
        gateway = self.gateway(
            tls=self.tls(f', client_ca = "file:{self.pki.clients}", crl = "file:{crl}", '
                         'client_certificates = "optional"'),
            profile='tls_client = ["CN=device-*,O=Line 3"]')
        certificate, key = self.device
        mine = ["--http1.1", "--cert", certificate, "--key", key]
        served = self.told(gateway, lambda: curl(gateway, self.pki, *mine))
        self.assertEqual(served["decision"], "failed")  # the echo is no answer, but it went there
        # No certificate: the connection stands, the profile refuses.
        refused = self.told(gateway, lambda: curl(gateway, self.pki, "--http1.1"))
        self.assertEqual(refused["rule"], "tls-client")
        other = self.pki.issue(self.pki.clients, "other", "/CN=laptop/O=Line 3")
        refused = self.told(gateway, lambda: curl(gateway, self.pki, "--http1.1", "--cert", other[0], "--key", other[1]))
        self.assertEqual(refused["rule"], "tls-client")
        refused = self.told(gateway, lambda: run(
            "curl", "-s", "-o", "/dev/null", "-H", "Content-Type: application/pkixcmp", "--data-binary", f"@{REQUEST}",
            gateway.url))
        self.assertEqual(refused["rule"], "tls-client")
        # A certificate of somebody else's CA never gets as far.
        strange = self.pki.issue(self.pki.servers, "strange", "/CN=device-8/O=Line 3")
        before = len(gateway.records())
        status, text = curl(gateway, self.pki, "--http1.1", "--cert", strange[0], "--key", strange[1])
        self.assertNotEqual(status, 200, text)
        self.assertEqual(len(gateway.records()), before)
        # Revoked: the CRL file changes, new handshakes and old sessions end there.
        session = self.folder / "session"
        self.save_session(gateway, "-tls1_3", session, "-cert", certificate, "-key", key)
        self.assertIn("Reused", s_client(gateway.secure, "-tls1_3", "-sess_in", session, "-cert", certificate, "-key", key))
        self.pki.crl(self.pki.clients, [certificate])
        gateway.wait_for(r'"event":"tls-reloaded"', 15)
        time.sleep(0.3)
        status, text = curl(gateway, self.pki, *mine)
        self.assertNotEqual(status, 200, text)
        self.assertIn("New, TLS", s_client(gateway.secure, "-tls1_3", "-sess_in", session, "-cert", certificate, "-key", key))

    def test_a_half_written_change_is_not_taken(self):
        gateway = self.gateway()
        certificate, _ = self.server
        good = certificate.read_text()
        certificate.write_text(good[:100])
        gateway.wait_for(r'"event":"tls-kept".*"for":"listener secure"', 15)
        status, text = curl(gateway, self.pki, "--http1.1")
        self.assertEqual(status, 200, text)
        certificate.write_text(good)
        gateway.wait_for(r'"event":"tls-reloaded"', 15)

    def test_names(self):
        other = self.pki.issue(self.pki.servers, "other-name", "/CN=other", "DNS:ra.example,DNS:*.plant.example")
        gateway = self.gateway(tls=self.tls(
            f', sni = [{{ certificate = "file:{other[0]}", key = "file:{other[1]}" }}]'))
        for name, subject in (("ra.example", "other"), ("a.plant.example", "other"), ("localhost", "ra"),
                              ("b.a.plant.example", "ra"), ("nobody", "ra")):
            self.assertIn(f"subject=CN = {subject}\n", s_client(gateway.secure, "-servername", name), name)

    def test_openssl_cmp_enrols(self):
        pki = Pki(self.folder / "cmp")
        ca = pki.issue("ca", "p256", "/CN=CA", EKU_CMC_CA)
        device = pki.issue("device", "p256", "/CN=device")
        wanted = pki.issue("wanted", "p256", "/CN=device")
        mock = self.enter(MockCa(ca, pki.root, wanted.certificate))
        certificate, key = self.device
        gateway = self.gateway(
            upstream=mock.url,
            tls=self.tls(f', client_ca = "file:{self.pki.clients}"'),
            profile='tls_client = "CN=device-7,O=Line 3"')
        done = run("openssl", "cmp", "-config", "", "-cmd", "ir", "-server", f"https://localhost:{gateway.secure}",
                   "-path", ".well-known/cmp", "-cert", device.certificate, "-key", device.key, "-newkey", wanted.key,
                   "-subject", "/CN=device", "-trusted", pki.root, "-certout", self.folder / "new.pem",
                   "-tls_used", "-tls_trusted", self.pki.servers, "-tls_cert", certificate, "-tls_key", key,
                   "-tls_host", "localhost", "-total_timeout", 15)
        self.assertEqual(done.returncode, 0, done.stderr + gateway.output)
        self.assertTrue((self.folder / "new.pem").exists())
        self.assertEqual([record["request"] for record in gateway.records()], ["ir", "certConf"])

    def test_a_second_gateway_is_the_upstream(self):
        """Towards the CA: who may be talked to, with which certificate; the log says which check failed."""
        certificate, key = self.device
        upper = self.gateway(tls=self.tls(f', client_ca = "file:{self.pki.clients}"'))
        url = f"https://localhost:{upper.secure}/.well-known/cmp"
        trust = f'trust = "file:{self.pki.servers}"'
        mine = f'certificate = "file:{certificate}", key = "file:{key}"'
        rows = [
            (url, f"{trust}, {mine}", None),
            (url, f'{trust}, {mine}, name = "ca.example"', "it is not for ca.example"),
            (url.replace("localhost", "127.0.0.1"), f"{trust}, {mine}", "it is not for 127.0.0.1"),
            (url.replace("localhost", "127.0.0.1"), f'{trust}, {mine}, name = "localhost"', None),
            (url, f'trust = "file:{self.pki.clients}", {mine}', "its CA is unknown"),
            (url.replace(str(upper.secure), str(upper.port)), f"{trust}, {mine}", "wrong version number"),
        ]
        for number, (address, tls, detail) in enumerate(rows):
            with self.subTest(tls=tls):
                folder = self.folder / str(number)
                folder.mkdir()
                text = config(address, self.tls(), upstream_tls=f"tls = {{ {tls} }}")
                with TlsGateway(folder, text) as lower:
                    before = len(upper.records())
                    found = self.told(lower, lambda lower=lower: curl(lower, self.pki, "--http1.1"))
                    if detail:
                        self.assertEqual(found["rule"], "not-sent")
                        self.assertIn(detail, found["detail"])
                        self.assertEqual(len(upper.records()), before)
                    else:
                        until = time.monotonic() + 10
                        while len(upper.records()) == before and time.monotonic() < until:
                            time.sleep(0.02)
                        self.assertEqual(len(upper.records()), before + 1)

    def test_haproxy_speaks_for_its_clients(self):
        """S-41: PROXY protocol v2 from listed addresses only; its TLS facts only where opted in."""
        if not shutil.which("haproxy"):
            self.skipTest("haproxy is not installed")
        certificate, key = self.server
        (self.folder / "haproxy.pem").write_text(certificate.read_text() + key.read_text())
        gateway = self.gateway(
            listener='proxy_protocol = ["127.0.0.2/32"]',
            profile='tls_client = "CN=device-7"\ntls_client_from_proxy = true')
        with socket.create_server(("127.0.0.1", 0)) as probe:
            front = probe.getsockname()[1]
        (self.folder / "haproxy.cfg").write_text(f"""
global
    maxconn 100
defaults
    mode tcp
    timeout connect 5s
    timeout client 10s
    timeout server 10s
listen front
    bind 127.0.0.1:{front} ssl crt {self.folder}/haproxy.pem ca-file {self.pki.clients} verify optional
    server gate 127.0.0.1:{gateway.port} source 127.0.0.2 send-proxy-v2-ssl-cn
""")
        proxy = self.enter(Program(["haproxy", "-db", "-f", self.folder / "haproxy.cfg"]))
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", front)) == 0:
                    break
            time.sleep(0.05)
        mine = ["--http1.1", "--cert", self.device[0], "--key", self.device[1]]
        last = self.told(gateway, lambda: curl(gateway, self.pki, *mine, "--interface", "127.0.0.9", port=front))
        self.assertEqual((last["decision"], last["peer"]), ("failed", "127.0.0.9"), proxy.output)
        last = self.told(gateway, lambda: curl(gateway, self.pki, "--http1.1", port=front))
        self.assertEqual(last["rule"], "tls-client")
        # From elsewhere the header is junk, and from there nothing else is.
        before = len(gateway.records())
        header = bytes.fromhex("0d0a0d0a000d0a515549540a2111000c") + bytes(12)
        with socket.create_connection(("127.0.0.1", gateway.port)) as stranger:
            stranger.sendall(header + b"POST / HTTP/1.1\r\n\r\n")
            self.assertNotIn(b"200 OK", stranger.recv(1000))
        with socket.create_connection(("127.0.0.1", gateway.port), source_address=("127.0.0.2", 0)) as listed:
            listed.settimeout(5)
            listed.sendall(b"POST /.well-known/cmp HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
            try:
                self.assertEqual(listed.recv(1000), b"")
            except ConnectionResetError:
                pass
        # Nor does a header field make anybody somebody else.
        last = self.told(gateway, lambda: run(
            "curl", "-s", "-o", "/dev/null", "-H", "X-Forwarded-For: 192.0.2.1", "-H", "Forwarded: for=192.0.2.1",
            "-H", "Content-Type: application/pkixcmp", "--data-binary", f"@{REQUEST}", gateway.url))
        self.assertEqual(last["peer"], "127.0.0.1")
        self.assertEqual(len(gateway.records()), before + 1)

    def test_ocsp_is_stapled_while_fresh(self):
        certificate, key = self.server
        index = self.folder / "ocsp.index"
        serial = openssl("x509", "-in", certificate, "-noout", "-serial").split("=")[1].strip()
        index.write_text(f"V\t351231235959Z\t\t{serial}\tunknown\t/CN=ra\n")
        response = self.folder / "ocsp.der"
        openssl("ocsp", "-index", index, "-rsigner", self.pki.servers, "-rkey", self.pki.servers.with_suffix(".key"),
                "-CA", self.pki.servers, "-issuer", self.pki.servers, "-cert", certificate, "-ndays", 1,
                "-respout", response, "-noverify")
        chain = self.folder / "chain.pem"
        chain.write_text(certificate.read_text() + self.pki.servers.read_text())
        gateway = self.gateway(tls=f'certificate = "file:{chain}", key = "file:{key}", ocsp = "file:{response}"')
        self.assertIn("OCSP Response Status: successful", s_client(gateway.secure, "-status"))
        other = self.folder / "other"
        other.mkdir()
        self.assertIn("no response sent", s_client(self.gateway(folder=other).secure, "-status"))

    def test_check_names_what_is_wrong(self):
        certificate, key = self.server
        rows = [
            ("", "an https listener needs tls"),
            (f'tls = {{ certificate = "file:{certificate}" }}', "tls has no key"),
            (f'tls = {{ certificate = "file:{certificate}", key = "file:{self.device[1]}" }}',
             "certificate and key do not belong together"),
            (f'tls = {{ certificate = "file:none.pem", key = "file:{key}" }}', "none.pem"),
            (f'tls = {{ {self.tls()}, client_certificates = "required" }}', "client_certificates without client_ca"),
            (f'tls = {{ {self.tls()}, client_ca = "file:{self.pki.clients}", crl_grace = "1h" }}', "there is no crl"),
            (f'tls = {{ {self.tls()}, clientca = "file:{self.pki.clients}" }}', 'did you mean "client_ca"?'),
            (f'tls = {{ {self.tls()} }}\nproxy_protocol = ["10.0.0.1/8"]', "bits set behind its prefix length"),
        ]
        for number, (line, fault) in enumerate(rows):
            with self.subTest(line=line):
                path = self.folder / f"check-{number}.toml"
                path.write_text(f'version = 1\n[[listener]]\nurl = "https://127.0.0.1:0"\n{line}\n'
                                '[[upstream]]\nurl = "http://127.0.0.1:9/"\n[[profile]]\norigin = "opaque"\n')
                done = run(CMPGATE, "check", "-c", path)
                self.assertEqual(done.returncode, 1)
                self.assertIn(fault, done.stdout + done.stderr)
        os.chmod(key, 0o644)
        path.write_text(f'version = 1\n[[listener]]\nurl = "https://127.0.0.1:0"\ntls = {{ {self.tls()} }}\n'
                        '[[upstream]]\nurl = "http://127.0.0.1:9/"\n[[profile]]\norigin = "opaque"\n')
        text = run(CMPGATE, "check", "-c", path)
        self.assertEqual(text.returncode, 1)
        self.assertIn("may be read by others", text.stdout + text.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", type=pathlib.Path, required=True)
    arguments, rest = parser.parse_known_args()
    CMPGATE = arguments.cmpgate
    unittest.main(argv=[sys.argv[0], *rest])
