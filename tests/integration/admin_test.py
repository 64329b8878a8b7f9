#!/usr/bin/env python3
"""The admin socket of `cmpgate serve`: who may do what (S-40), health, metrics, reload, and the commands for it."""

import argparse
import http.client
import json
import os
import pathlib
import re
import socket
import stat
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))

from peers import Pki, Program  # noqa: E402

REQUEST = (ROOT / "tests/vectors/cmp/ir-sig.der").read_bytes()
CONFIG = """\
version = 1
workers = 2
drain_timeout = "2s"
[log]
format = "json"
[admin]
url = ["unix:admin.sock", "http://127.0.0.1:{admin}"]
{more}
[[listener]]
name = "front"
url = "http://127.0.0.1:0"
[[upstream]]
name = "ca"
url = "http://127.0.0.1:{ca}/"
[[profile]]
name = "devices"
origin = "opaque"
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self.path)


def ask(connection, method, path, **headers):
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    return response.status, response.read().decode()


class Gateway(Program):
    def __init__(self, cmpgate, folder, more="", ca=9, config=CONFIG):
        self.cmpgate, self.file, self.socket = cmpgate, folder / "gateway.toml", folder / "admin.sock"
        self.admin = free_port()
        self.text = config.format(admin=self.admin, more=more, ca=ca)
        self.file.write_text(self.text)
        super().__init__([cmpgate, "serve", "-c", self.file])
        self.port = int(self.wait_for(r"http://127\.0\.0\.1:(\d+)/\.well-known/cmp")[1])
        self.wait_for(r'"event":"admin"')

    def ask(self, method, path):
        return ask(UnixConnection(self.socket), method, path)

    def look(self, path, **headers):
        return ask(http.client.HTTPConnection("127.0.0.1", self.admin, timeout=10), "GET", path, **headers)

    def run(self, command, *arguments):
        done = subprocess.run([self.cmpgate, command, "-c", self.file, *arguments], capture_output=True, text=True,
                              timeout=30, check=False)
        return done.returncode, done.stdout, done.stderr

    def post(self, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("POST", "/.well-known/cmp", body, {"Content-Type": "application/pkixcmp"})
        return connection.getresponse().read()


# test: S-40 roles over the socket, nothing but looking over http, nothing at all on the device's port
def who_may_what(cmpgate, folder):
    with Gateway(cmpgate, folder) as gateway:
        assert stat.S_IMODE(gateway.socket.stat().st_mode) == 0o600
        assert gateway.ask("GET", "/ready")[0] == 200
        assert gateway.look("/metrics")[0] == 200
        status, text = ask(http.client.HTTPConnection("127.0.0.1", gateway.admin, timeout=10), "POST", "/reload")
        assert status == 403 and "config" in text, (status, text)
        # A page of elsewhere, shown by a browser on this machine.
        assert gateway.look("/metrics", Host="evil.example")[0] == 403
        for path in ("/metrics", "/ready", "/live", "/reload"):
            status, text = ask(http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10), "GET", path)
            assert status == 404, (path, status)
        gateway.wait_for(r'"event":"admin","method":"POST","path":"/reload","caller":"127.0.0.1","status":403')
        assert gateway.stop() == 0
        assert not gateway.socket.exists()
    if os.geteuid() != 0:
        print("  other users: skipped, only root can become them")
        return
    os.chmod(folder, 0o755)
    curl = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", str(folder / "admin.sock")]

    def as_user(uid, gid, *arguments):
        return subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", *curl, *arguments],
                              capture_output=True, text=True, timeout=20, check=False).stdout

    with Gateway(cmpgate, folder, 'view = ["uid:65001", "user:nobody"]\nconfig = "gid:65002"') as gateway:
        assert as_user(65000, 65000, "http://localhost/ready") == "403"
        assert as_user(65001, 65000, "http://localhost/ready") == "200"
        assert as_user(65001, 65000, "-X", "POST", "http://localhost/reload") == "403"
        assert as_user(65003, 65002, "-X", "POST", "http://localhost/reload") == "200"
        # Who may do what changes with a reload; where that is asked does not.
        gateway.file.write_text(gateway.text.replace("uid:65001", "uid:65000"))
        assert gateway.run("reload")[0] == 0
        assert as_user(65000, 65000, "http://localhost/ready") == "200"
        assert as_user(65001, 65000, "http://localhost/ready") == "403"
        gateway.file.write_text(gateway.text.replace("admin.sock", "other.sock"))
        assert gateway.ask("POST", "/reload")[0] == 422


def commands(cmpgate, folder):
    with Gateway(cmpgate, folder) as gateway:
        assert gateway.run("status")[:2] == (0, "ready\n")
        assert json.loads(gateway.run("status", "--json")[1])["ready"] is True
        code, out, _ = gateway.run("reload")
        assert code == 0 and out == "reloaded\n", out
        gateway.file.write_text(gateway.text.replace("opaque", "opaqe").replace("workers", "wrkers"))
        code, out, faults = gateway.run("reload")
        assert code == 1 and "nothing has changed" in out, (code, out)
        assert re.search(r"gateway.toml:2:1: error: .*workers", faults), faults
        assert re.search(r"gateway.toml:\d+:10: error: .*opaque", faults), faults
        gateway.file.write_text(gateway.text)
        assert gateway.stop() == 0
        code, _, error = gateway.run("status")
        assert code == 1 and "does not answer" in error, error


# test: S-44 when it ends is shown of every credential, anchor and CRL; ready is not live
def shows(cmpgate, folder):
    pki = Pki(folder / "pki")
    ra = pki.issue("ra", "p256", "/CN=RA 1")
    text = CONFIG.replace('origin = "opaque"', f'origin.signature.trust = "file:{pki.root}"').replace(
        "[[profile]]", f'trust = "file:{pki.root}"\n[[credential]]\nname = "ra"\ncertificate = "file:{ra.certificate}"\n'
        f'key = "file:{ra.key}"\n[[profile]]')
    with Gateway(cmpgate, folder, config=text) as gateway:
        gateway.post(REQUEST)
        status, metrics = gateway.ask("GET", "/metrics")
        assert status == 200
        for kind, name, subject, days in (("credential", "ra", "CN=RA 1", 20), ("anchor", "upstream ca", "CN=Test Root", 30),
                                          ("anchor", "profile devices", "CN=Test Root", 30)):
            found = re.search(rf'cmpgate_expiry_timestamp_seconds{{kind="{kind}",name="{name}",subject="{subject}"}} (\S+)',
                              metrics)
            assert found, (kind, name, metrics)
            assert abs(float(found[1]) - time.time() - days * 86400) < 3600, found[0]
        found = re.search(r'cmpgate_messages_total{listener="front",operation="ir",decision="(\w+)"} 1', metrics)
        assert found and found[1] == "refused", metrics
        counts = dict(re.findall(r'cmpgate_stage_seconds_count{stage="(\w+)"} (\d+)', metrics))
        assert set(counts) == {"parse", "origin", "decide", "store", "upstream", "answer"}, counts
        assert counts["parse"] == "1" and counts["upstream"] == "0", counts
        assert float(re.search(r"^process_resident_memory_bytes (\S+)", metrics, re.M)[1]) > 1e6
        assert abs(float(re.search(r"^process_start_time_seconds (\S+)", metrics, re.M)[1]) - time.time()) < 60
        assert gateway.ask("GET", "/live") == (200, '{"live":true,"reasons":[],"degraded":[]}\n')


def upstream_down(cmpgate, folder):
    """Nobody listens at the CA's port, and then somebody does, whom no message finds."""
    ca = free_port()
    with Gateway(cmpgate, folder, 'upstream_down = "not_ready"', ca) as gateway:
        assert gateway.ask("GET", "/ready")[0] == 200  # not tried is not known to be dead
        gateway.post(REQUEST)
        status, text = gateway.ask("GET", "/ready")
        assert status == 503 and json.loads(text)["reasons"] == ["upstream ca cannot be reached"], (status, text)
        assert "cmpgate_upstream_up{upstream=\"ca\"} 0" in gateway.ask("GET", "/metrics")[1]
        assert gateway.ask("GET", "/live")[0] == 200
        code, out, _ = gateway.run("status")
        assert code == 1 and out == "not ready\n  upstream ca cannot be reached\n", out
        gateway.file.write_text(gateway.text.replace("not_ready", "degraded"))
        assert gateway.run("reload")[0] == 0
        status, text = gateway.ask("GET", "/ready")
        assert status == 200 and json.loads(text)["degraded"] == ["upstream ca cannot be reached"], (status, text)
        with socket.create_server(("127.0.0.1", ca)):
            until = time.monotonic() + 20
            while json.loads(gateway.ask("GET", "/ready")[1])["degraded"]:
                assert time.monotonic() < until, "its coming back was not noticed"
                time.sleep(0.1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    parser.add_argument("--only")
    arguments = parser.parse_args()
    for test in (who_may_what, commands, shows, upstream_down):
        if arguments.only not in (None, test.__name__):
            continue
        with tempfile.TemporaryDirectory(prefix="cmpgate-admin-test-") as folder:
            test(arguments.cmpgate.resolve(), pathlib.Path(folder))
        print(test.__name__, "ok", flush=True)


if __name__ == "__main__":
    sys.exit(main())
