#!/usr/bin/env python3
"""`cmpgate bench`: its load against its CA, straight and through a gateway that checks everything."""

import argparse
import json
import pathlib
import socket
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from peers import Program, openssl  # noqa: E402

GATEWAY = """\
version = 1
workers = 1
[store]
kind = "memory"
[[listener]]
url = "http://127.0.0.1:0"
[[upstream]]
name = "ca"
url = "http://127.0.0.1:{ca}/"
trust = "file:{pki}/root.pem"
responder = {{ eku = "cmcCA" }}
[[profile]]
name = "devices"
origin = {{ signature = {{ trust = "file:{pki}/root.pem" }} }}
rules = {{ key = ["ec:P-256"], subject = "CN=${{sender.CN}}" }}
upstream = "ca"
"""


class Bench:
    def __init__(self, cmpgate, folder):
        self.cmpgate, self.folder, self.pki = cmpgate, folder, folder / "pki"

    def ca(self, *options):
        program = Program([self.cmpgate, "bench", "--ca", *options])
        program.url = f"http://127.0.0.1:{program.wait_for(r'listening on ([0-9]+)').group(1)}"
        return program

    def gateway(self, ca):
        config = self.folder / "gateway.toml"
        config.write_text(GATEWAY.format(ca=ca.url.rsplit(":", 1)[1], pki=self.pki))
        program = Program([self.cmpgate, "serve", "--config", config])
        program.url = f"http://127.0.0.1:{program.wait_for(r'127.0.0.1:([0-9]+)').group(1)}/.well-known/cmp"
        return program

    def run(self, *arguments):
        return subprocess.run([self.cmpgate, "bench", *map(str, arguments)], capture_output=True, text=True,
                              timeout=60, check=False, stdin=subprocess.DEVNULL)

    def load(self, url, *options):
        done = self.run(url, "--json", *options)
        assert done.returncode == 0, done
        return json.loads(done.stdout)


def prebuilt(bench):
    """Without a PKI: messages made beforehand, both ways; with certConf twice as many."""
    with bench.ca() as ca:
        result = bench.load(ca.url, "--prebuilt", "--requests", 200, "--connections", 8)
        assert result["messages"] == 200 and result["errors"] == 0, result
        assert 0 < result["p50_ms"] <= result["p90_ms"] <= result["p99_ms"] <= result["max_ms"], result
        assert "server_cpu_us" not in result and result["client_cpu_us"] > 0, result
        result = bench.load(ca.url, "--prebuilt", "--requests", 200, "--confirm", "--threads", 2, "--connections", 8,
                            "--operation", "cr", "--pid", ca.process.pid)
        assert result["messages"] == 400 and result["server_cpu_us"] > 0, result
        done = bench.run(ca.url, "--prebuilt", "--duration", 1)
        assert done.returncode == 0 and "latency ms" in done.stdout and "/s" in done.stdout, done
    assert ca.process.returncode == 0, ca.output


def through_gateway(bench):
    """Real enrolments, checked both ways: signature, POP, policy, and the CA's answer."""
    with bench.ca("--pki", bench.pki) as ca, bench.gateway(ca) as gateway:
        for options in ([], ["--confirm"], ["--operation", "cr", "--confirm"]):
            result = bench.load(gateway.url, "--pki", bench.pki, "--requests", 40, "--connections", 4,
                                "--pid", gateway.process.pid, *options)
            assert result["messages"] == (80 if options else 40), result
            assert result["server_cpu_us"] > 100, result  # three verifications at least
        result = bench.load(gateway.url, "--certificate", bench.pki / "device-3.pem", "--key",
                            bench.pki / "device-3.key", "--subject", "CN=device-3", "--requests", 5)
        assert result["messages"] == 5, result
        # What the gateway refuses is an error of the run, and is named.
        done = bench.run(gateway.url, "--pki", bench.pki, "--subject", "CN=somebody else", "--requests", 3)
        assert done.returncode == 1 and "3 without the right answer, the first: ip without certificate, rejection" in done.stderr, done
        assert 'subject' in gateway.output, gateway.output
    text = openssl("x509", "-in", bench.pki / "ca.pem", "-noout", "-text")
    assert "CMC Certificate Authority" in text or "1.3.6.1.5.5.7.3.27" in text, text
    for key in bench.pki.glob("*.key"):
        assert key.stat().st_mode & 0o077 == 0, key


def faults(bench):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{probe.getsockname()[1]}/"
    done = bench.run(nobody, "--prebuilt", "--requests", 2)
    assert done.returncode == 1 and "2 without the right answer, the first: not sent: connect" in done.stderr, done
    for arguments, said in ((["--prebuilt"], "URL"), (["ftp://x/", "--prebuilt"], "no http URL"),
                            (["http://127.0.0.1/"], "who enrols?"),
                            (["http://127.0.0.1/", "--pki", "x", "--prebuilt"], "excludes"),
                            (["http://127.0.0.1/", "--operation", "kur"], "--operation"),
                            (["http://127.0.0.1/", "--port", "1"], "--ca")):
        done = bench.run(*arguments)
        assert done.returncode in (1, 2) and said in done.stderr, (arguments, done)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    cmpgate = parser.parse_args().cmpgate.resolve()
    for test in (prebuilt, through_gateway, faults):
        with tempfile.TemporaryDirectory(prefix="cmpgate-bench-test-") as folder:
            test(Bench(cmpgate, pathlib.Path(folder)))
        print(test.__name__, "ok")


if __name__ == "__main__":
    sys.exit(main())
