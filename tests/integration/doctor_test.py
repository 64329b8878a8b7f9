#!/usr/bin/env python3
"""`cmpgate doctor`: what is wrong between this machine and its CA is found and named, one cause at a time."""

import argparse
import http.server
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))

from peers import EKU_CMC_CA, MockCa, Pki, Program, openssl  # noqa: E402

CONFIG = """\
version = 1
{head}
[[listener]]
name = "front"
url = "http://127.0.0.1:{port}"
[[upstream]]
name = "ca"
url = [{urls}]
trust = "file:{trust}"
{responder}
[[credential]]
name = "ra"
certificate = "file:{certificate}"
key = "file:{key}"
[[profile]]
origin.signature.trust = "file:{trust}"
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class WebServer:
    """Answers every POST in the same way."""

    def __init__(self, status, content, media_type="text/html"):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(status)
                self.send_header("Content-Type", media_type)
                self.send_header("Content-Length", str(len(content)))
                if status // 100 == 3:
                    self.send_header("Location", "http://elsewhere.example/")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/cmp"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


class Talker:
    """Takes connections and says something that is no HTTP."""

    def __init__(self, says):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/cmp"
        self.says = says
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        try:
            while True:
                connection, _ = self.socket.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(self.says)
        except OSError:
            return

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


class World:
    def __init__(self, cmpgate, folder):
        self.cmpgate, self.folder = cmpgate, folder
        self.pki = Pki(folder / "pki")
        self.signer = self.pki.issue("signer", "p256", "/CN=CMP CA", EKU_CMC_CA)
        self.ra = self.pki.issue("ra", "p256", "/CN=RA")
        self.other = Pki(folder / "other", "Other Root")
        self.file = folder / "gateway.toml"

    def write(self, *urls, **changes):
        values = {"head": "", "port": 0, "trust": self.pki.root, "responder": "", "certificate": self.ra.certificate,
                  "key": self.ra.key} | changes
        self.file.write_text(CONFIG.format(urls=", ".join(f'"{url}"' for url in urls), **values))

    def doctor(self, *urls, **changes):
        self.write(*urls, **changes)
        done = subprocess.run([self.cmpgate, "doctor", "-c", self.file], capture_output=True, text=True, timeout=90,
                              check=False)
        return done.returncode, done.stdout + done.stderr

    def mock_ca(self, *options):
        return MockCa(self.signer, self.pki.root, self.ra.certificate, *options)


def upstreams(world):
    with world.mock_ca() as ca, WebServer(404, b"") as no_path, WebServer(200, b"<html>") as page, \
            WebServer(302, b"") as moved, WebServer(200, b"0\x03abc", "application/pkixcmp") as junk, \
            Talker(b"SSH-2.0-OpenSSH_9.2\r\n") as ssh, Talker(b"") as closes:
        code, said = world.doctor(ca.url)
        assert code == 0 and f"ok    upstream ca {ca.url}: answers with genp by CN=CMP CA, in " in said, said
        assert "ok    listener front http://127.0.0.1:0: can be bound" in said and "nothing is wrong" in said, said
        wrong = [
            ("dead port", [f"http://127.0.0.1:{free_port()}/cmp"], {}, "nobody takes a connection", "is the CA running"),
            ("no such name", ["http://ca.invalid/cmp"], {}, "ca.invalid does not resolve", "getent hosts ca.invalid"),
            ("wrong path", [no_path.url], {}, "HTTP status 404", "is the path /cmp right?"),
            ("a web page", [page.url], {}, "HTTP status 200, but its content is no CMP", "Is it a CMP server?"),
            ("redirection", [moved.url], {}, "HTTP status 302", "redirections are not followed"),
            ("no PKIMessage", [junk.url], {}, "is no PKIMessage", "cmpgate inspect"),
            ("no HTTP", [ssh.url], {}, "nothing that is HTTP", "is it a server for http"),
            ("closes", [closes.url], {}, "nothing that is HTTP (reset)", "wants TLS?"),
            ("another root", [ca.url], {"trust": world.other.root}, "genp by CN=CMP CA, who may not answer", "the root of its certificate"),
            ("another responder", [ca.url], {"responder": 'responder = { issuer = "CN=Test Root", subject = "CN=Somebody" }'},
             "who may not answer for this CA", "does `responder` say who"),
        ]
        for name, urls, changes, found, advice in wrong:
            code, said = world.doctor(*urls, **changes)
            lines = said.splitlines()
            at = [i for i, line in enumerate(lines) if line.startswith("WRONG upstream ca ") and found in line]
            assert code == 1 and len(at) == 1 and advice in lines[at[0] + 1], (name, said)
            assert "1 wrong" in said, (name, said)
        # Each URL by itself.
        code, said = world.doctor(f"http://127.0.0.1:{free_port()}/cmp", ca.url)
        assert code == 1 and said.count("WRONG upstream ca") == 1 and said.count("ok    upstream ca") == 1, said


def listeners(world):
    with world.mock_ca() as ca:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            code, said = world.doctor(ca.url, port=taken.getsockname()[1])
            assert code == 1 and "WRONG listener front" in said and "ss -ltnp" in said, said
        # The gateway itself is no other program.
        port, head = free_port(), '[admin]\nurl = "unix:admin.sock"'
        code, said = world.doctor(ca.url, port=port, head=head)
        assert code == 0 and "warn  gateway unix:admin.sock: the gateway does not answer" in said, said
        with Program([world.cmpgate, "serve", "-c", world.file]) as gateway:
            gateway.wait_for(r" ready version=")
            code, said = world.doctor(ca.url, port=port, head=head)
            assert code == 0 and "ok    gateway unix:admin.sock: runs, and is ready" in said, said
            assert f"ok    listener front http://127.0.0.1:{port}: is served" in said, said
            code, said = world.doctor(ca.url, port=free_port(), head=head)
            assert code == 1 and "cmpgate reload" in said, said
            assert gateway.stop() == 0


def what_ends(world):
    """A certificate that soon will."""
    key = world.pki.key("soon", "p256")
    certificate = key.with_suffix(".pem")
    openssl("x509", "-req", "-in", world.pki.request(key, "/CN=soon"), "-CA", world.pki.root, "-CAkey",
            world.pki.key("root", "p256"), "-set_serial", "77", "-days", 3, "-out", certificate)
    with world.mock_ca() as ca:
        code, said = world.doctor(ca.url, certificate=certificate, key=key)
        assert code == 0 and "warn  credential of ra CN=soon: ends in " in said, said


def no_configuration(world):
    world.file.write_text("version = 1\n[[listner]]\n")
    done = subprocess.run([world.cmpgate, "doctor", "-c", world.file], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1 and 'did you mean "listener"' in done.stderr and not done.stdout, done


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    cmpgate = parser.parse_args().cmpgate.resolve()
    with tempfile.TemporaryDirectory(prefix="cmpgate-doctor-test-") as folder:
        world = World(cmpgate, pathlib.Path(folder))
        for test in (upstreams, listeners, what_ends, no_configuration):
            test(world)
            print(test.__name__, "ok", flush=True)


if __name__ == "__main__":
    sys.exit(main())
