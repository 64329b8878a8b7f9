"""What the figures are taken of: gateway, haproxy, and the CA and the load of `cmpgate bench`, on
ports of their own."""

import json
import os
import pathlib
import resource
import socket
import subprocess
import time

from peers import Program  # tests/support

SERVE = """\
version = 1
workers = {workers}
[log]
level = "{level}"
[store]
kind = "{store}"
open = 1000000
open_per_principal = 1000000
remembered = 10000000
remembered_per_principal = 10000000
[[listener]]
url = "http://127.0.0.1:{port}"
{listener}
[[upstream]]
name = "ca"
url = "http://127.0.0.1:{ca_port}/"
max_connections = 2048
"""
OPAQUE = """\
[[profile]]
name = "all"
origin = "opaque"
upstream = "ca"
"""
HAPROXY = """\
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
  http-reuse always
frontend f
  bind 127.0.0.1:{port}
  default_backend b
backend b
  server s 127.0.0.1:{ca_port}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, seconds=10):
    until = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def cpu_seconds(pid):
    """Of all threads the process has now."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def resident_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no VmRSS of {pid}")


class Setup:
    def __init__(self, build, folder, quick, store="memory", remembered=0):
        """`store`: of every gateway that names none; `remembered`: the transactions it holds when it is handed out."""
        self.folder, self.quick, self.store, self.remembered = folder, quick, store, remembered
        self.cmpgate = build / "ra/app/cmpgate"
        self.bench = build / "tests/bench/cmpgate_bench"
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    def test_ca(self, delay=0, pki=None):
        """A Program with `.port`; its answers are signed where there is a PKI."""
        program = Program([self.cmpgate, "bench", "--ca", "--delay", delay,
                           *(["--pki", pki] if pki else [])])
        program.port = int(program.wait_for(r"listening on (\d+)").group(1))
        return program

    def gateway(self, ca_port, profile=OPAQUE, workers=1, level="warning", wait=True, port=None,
                store=None, most=None, name=None, pki=None):
        """`most`: connections its listener takes; `name`: of the configuration, and so of its store, to start again on;
        `pki`: of the messages its profile lets through."""
        program_port = port or free_port()
        config = self.folder / f"{name or f'gateway-{program_port}'}.toml"
        config.write_text(SERVE.format(workers=workers, level=level, port=program_port, ca_port=ca_port,
                                       store=store or self.store, listener=f"max_connections = {most}" if most else "")
                          + profile)
        program = Program([self.cmpgate, "serve", "--config", config])
        program.port = program_port
        if wait:
            try:
                wait_for_port(program_port)
            except OSError as fault:
                program.stop()
                raise RuntimeError(f"the gateway does not listen: {program.output}") from fault
            if self.remembered and store is None and (pki or profile is OPAQUE):
                self.load(program.port, 256, self.remembered, pki=pki)
        return program

    def haproxy(self, ca_port):
        port = free_port()
        config = self.folder / f"haproxy-{port}.cfg"
        config.write_text(HAPROXY.format(port=port, ca_port=ca_port))
        program = Program(["haproxy", "-db", "-f", config])
        program.port = port
        wait_for_port(port)
        return program

    def load_command(self, port, connections, requests, *options, pki=None):
        return [self.cmpgate, "bench", f"http://127.0.0.1:{port}/.well-known/cmp", "--json",
                "--connections", str(connections), "--requests", str(requests),
                *(["--pki", pki] if pki else ["--prebuilt"]), *options]

    def load(self, *arguments, **settings):
        done = subprocess.run(self.load_command(*arguments, **settings), capture_output=True,
                              text=True, timeout=300, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return json.loads(done.stdout)

    def in_process(self, *arguments):
        """The lines of cmpgate_bench, each a dictionary."""
        done = subprocess.run([self.bench, *map(str, arguments)], capture_output=True, text=True,
                              timeout=300, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return [json.loads(line) for line in done.stdout.splitlines()]

    def mock_ca(self, pki, issued):
        """`openssl cmp -port`, which answers every request with the same certificate."""
        port = free_port()
        responder = pki["responder"]
        program = Program(["openssl", "cmp", "-port", port, "-srv_cert", responder.certificate,
                           "-srv_key", responder.key, "-srv_trusted", pki["root"], "-rsp_cert", issued,
                           "-grant_implicitconf"])
        program.port = port
        wait_for_port(port)
        return program

    @staticmethod
    def has(program):
        return any(os.access(pathlib.Path(folder) / program, os.X_OK)
                   for folder in [*os.environ.get("PATH", "").split(":"), "/usr/sbin"])

    @staticmethod
    def post(port, octets):
        """One POST on a connection of its own; the content of the answer."""
        with socket.create_connection(("127.0.0.1", port), 10) as connection:
            connection.sendall(b"POST /.well-known/cmp HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
                               b"Content-Type: application/pkixcmp\r\nContent-Length: "
                               + str(len(octets)).encode() + b"\r\n\r\n" + octets)
            answer = b""
            while part := connection.recv(65536):
                answer += part
        head, _, content = answer.partition(b"\r\n\r\n")
        return head.split(b"\r\n")[0].decode(), content
