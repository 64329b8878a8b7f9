#!/usr/bin/env python3
"""`cmpgate serve` from the outside: start, the port, readiness, inherited sockets, and the ways to end."""

import argparse
import http.client
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
REQUEST = (ROOT / "tests/vectors/cmp/ir-sig.der")

CONFIG = """\
version = 1
workers = 2
drain_timeout = "{drain}"
[[listener]]
name = "front"
url = "http://127.0.0.1:{port}"
aliases = ["/pkix/"]
[[upstream]]
url = "http://127.0.0.1:{upstream}/"
[[profile]]
name = "relay"
origin = "opaque"
"""


class Gateway:
    """One process; ended by its own id whatever happens."""

    def __init__(self, cmpgate, config, wrapper=None, **options):
        command = [*(wrapper or []), str(cmpgate), "serve", "-c", str(config)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def port(self):
        """From the first URL it prints."""
        for line in self.process.stdout:
            found = re.search(r"http://127\.0\.0\.1:(\d+)/\.well-known/cmp", line)
            if found:
                return int(found[1])
        raise AssertionError("it ended without serving: " + self.process.stderr.read())

    def end(self, *signals):
        for number in signals:
            self.process.send_signal(number)
            time.sleep(0.2)
        self.process.wait(timeout=20)
        return self.process.returncode, self.process.stderr.read()


class SilentCa:
    """Takes connections and never answers."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.taken = []
        self.seen = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        try:
            while True:
                connection, _ = self.socket.accept()
                connection.recv(1)
                self.taken.append(connection)
                self.seen.set()
        except OSError:
            return

    def close(self):
        for connection in self.taken:
            connection.close()
        self.socket.close()


def post(port, body, path="/.well-known/cmp", timeout=10):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    connection.request("POST", path, body, {"Content-Type": "application/pkixcmp"})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, content


def write_config(folder, name, **values):
    settings = {"port": 0, "upstream": 9, "drain": "5s"} | values
    path = folder / name
    path.write_text(CONFIG.format(**settings))
    return path


def starts_and_ends(cmpgate, folder):
    with Gateway(cmpgate, write_config(folder, "plain.toml")) as gateway:
        port = gateway.port()
        said = gateway.process.stdout.readline()
        assert said.strip().startswith("openssl cmp -cmd ir -server 127.0.0.1:"), said
        assert post(port, b"nonsense")[0] == 400
        status, text = post(port, b"x", "/nowhere")
        assert status == 404 and b"/.well-known/cmp" in text and b"/pkix" in text, (status, text)
        status, answer = post(port, REQUEST.read_bytes())  # nobody listens upstream: a CMP error, in a 200
        assert status == 200 and answer[:1] == b"\x30", (status, answer)
        began = time.monotonic()
        code, log = gateway.end(signal.SIGTERM)
        assert code == 0, code
        assert time.monotonic() - began < 3
        assert "stopping signal=SIGTERM" in log and "stopped" in log, log
        assert "decision=failed" in log and "trace=" in log, log


def port_taken(cmpgate, folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Gateway(cmpgate, write_config(folder, "taken.toml", port=port)) as gateway:
            code, log = gateway.end()
            assert code == 1, code
            assert f"127.0.0.1:{port}" in log and "taken" in log, log


def drains(cmpgate, folder):
    """An exchange under way is waited for, no longer than drain_timeout."""
    ca = SilentCa()
    with Gateway(cmpgate, write_config(folder, "drain.toml", upstream=ca.port, drain="1s")) as gateway:
        port = gateway.port()
        client = socket.create_connection(("127.0.0.1", port))
        body = REQUEST.read_bytes()
        client.sendall(b"POST /.well-known/cmp HTTP/1.1\r\nHost: x\r\nContent-Type: application/pkixcmp\r\n"
                       b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert ca.seen.wait(5), "the request did not reach the CA"
        began = time.monotonic()
        code, log = gateway.end(signal.SIGTERM)
        took = time.monotonic() - began
        assert code == 0 and 0.8 < took < 5, (code, took)
        assert "cut off" in log, log
        client.close()
    with Gateway(cmpgate, write_config(folder, "second.toml", upstream=ca.port, drain="60s")) as gateway:
        port = gateway.port()
        ca.seen.clear()
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(b"POST /.well-known/cmp HTTP/1.1\r\nHost: x\r\nContent-Type: application/pkixcmp\r\n"
                       b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert ca.seen.wait(5), "the request did not reach the CA"
        began = time.monotonic()
        code, _ = gateway.end(signal.SIGINT, signal.SIGINT)
        assert code == -signal.SIGINT and time.monotonic() - began < 3, code
        client.close()
    ca.close()


def tells_its_manager(cmpgate, folder):
    """Type=notify, and sockets the manager has opened."""
    notify = folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, socket.create_server(("127.0.0.1", 0)) as opened:
        manager.bind(str(notify))
        manager.settimeout(10)
        port = opened.getsockname()[1]
        wrapper = ["bash", "-c", f'exec 3<&{opened.fileno()}; LISTEN_PID=$$ exec "$@"', "bash"]
        environment = dict(os.environ, NOTIFY_SOCKET=str(notify), LISTEN_FDS="1", LISTEN_FDNAMES="front")
        with Gateway(cmpgate, write_config(folder, "socket.toml", port=1), wrapper, env=environment,
                     pass_fds=[opened.fileno()]) as gateway:
            assert manager.recv(100) == b"READY=1"
            assert gateway.port() == port
            assert post(port, b"nonsense")[0] == 400
            gateway.process.send_signal(signal.SIGTERM)
            assert manager.recv(100) == b"STOPPING=1"
            assert gateway.end()[0] == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    cmpgate = parser.parse_args().cmpgate.resolve()
    for test in (starts_and_ends, port_taken, drains, tells_its_manager):
        with tempfile.TemporaryDirectory(prefix="cmpgate-serve-test-") as folder:
            test(cmpgate, pathlib.Path(folder))
        print(test.__name__, "ok")


if __name__ == "__main__":
    sys.exit(main())
