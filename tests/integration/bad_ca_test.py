#!/usr/bin/env python3
"""CAs that misbehave, each in its own way, behind one gateway: every device is told what the table in
transports/README.md says, nothing is sent twice, other devices enrol meanwhile, and nothing is left of it."""

import argparse
import concurrent.futures
import pathlib
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
import cmp_message as cmp  # noqa: E402
from gateway import PATH, Client, Gateway, Steady, documented  # noqa: E402
from peers import ClientRun, Pki, Program, public_key_of  # noqa: E402

SUBJECT = "/CN=device 1"
EXCHANGE_TIME = 3  # seconds a device and its CA have
LATE = 5  # seconds
OPEN_TIME = 10  # seconds a transaction of unknown outcome counts as open
SPARE = 24 << 20  # octets of memory that may come and go; a CA's 100 MiB may not

CONFIG = """
workers = 2
[[listener]]
url = "http://127.0.0.1:0"
exchange_timeout = "{time}s"
[[credential]]
certificate = "file:{ra_certificate}"
key = "file:{ra_key}"
[limits]
open_time = "{open}s"
"""
UPSTREAM = """
[[upstream]]
name = "{name}"
url = "{url}"
trust = "file:{trust}"
idle_timeout = "1s"
[[profile]]
name = "{name}"
match = {{ label = "{name}" }}
origin = {{ signature = {{ trust = "file:{devices}" }}, time_window = 0 }}
rules = {{ key = ["ec:P-256"], subject = "CN=${{sender.CN}}" }}
upstream = "{name}"
"""


class Ca(Program):
    """A lab CA that behaves, or not."""

    def __init__(self, folder, command, *options):
        folder.mkdir()
        super().__init__([*command, "--write", folder, *options])
        self.url = self.wait_for(r"(http://127\.0\.0\.1:\d+\S*)")[1]
        self.root = folder / "root.pem"


class Case:
    """One CA's fault, from a device's enrolment to the repetition of its request."""

    def __init__(self, folder, gateway, pki, device, name, trust):
        self.url = f"{gateway.url}/p/{name}"
        self.name, self.gateway = name, gateway
        self.key = pki.key(f"new-{name}", "p256")
        self.request, self.certificate = folder / f"{name}.req", folder / f"{name}.pem"
        self.run = ClientRun(self.url, device, trust, "-cmd", "ir", "-newkey", self.key, "-subject", SUBJECT,
                             "-certout", self.certificate, "-reqout", f"{self.request},{folder / name}.conf")
        self.record = self.last_record()
        self.request = self.request.read_bytes()

    def last_record(self):
        self.gateway.wait_for(f'"profile":"{self.name}"')
        return [one for one in self.gateway.records() if one.get("profile") == self.name][-1]

    def outcome(self):
        """(rule, failInfo, possibly issued) as the table has them."""
        if self.run.ok:
            return "", "enrolled", ""
        assert not self.certificate.exists(), "it got a certificate"
        assert self.run.fail_info == self.record["failInfo"], self.run.output
        return self.record["rule"], self.record["failInfo"], "yes" if self.record.get("possibly_issued") else ""

    def repeat(self):
        """The same octets again: nothing goes to the CA, nothing positive comes back (S-04)."""
        with Client(self.gateway.port) as client:
            status, content = client.post(self.request, path=f"{PATH}/p/{self.name}")
            record = self.gateway.record(client.trace)
        assert status == 200 and cmp.Message(content).fail_info() is not None, (status, content.hex())
        kept = record["decision"] == "repeated" or record["rule"] == "outcome-unknown"
        assert kept and "upstream_ms" not in record, record


def run_all(programs, folder, show):
    table = documented("transports/README.md", "A CA that misbehaves")
    pki = Pki(folder / "pki")
    ra, device, other = (pki.issue(name, "p256", subject) for name, subject in
                         (("ra", "/CN=Gateway"), ("device", SUBJECT), ("other", "/CN=device 2")))
    trusting = ["--trust", pki.root]
    names = [name for name in table if name != "absent"]
    (folder / "cas").mkdir()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        # What a bad CA does badly, it does at once or after seconds.
        cas = dict(zip(names, pool.map(
            lambda name: Ca(folder / "cas" / name, [programs.bad_ca, "--fault", name, "--delay", LATE * 1000], *trusting),
            names)))
    cas["good"] = Ca(folder / "cas/good", [programs.labca], *trusting)
    try:
        config = CONFIG.format(time=EXCHANGE_TIME, open=OPEN_TIME, ra_certificate=ra.certificate, ra_key=ra.key)
        trust = folder / "trust.pem"
        trust.write_text(pki.root.read_text() + "".join(ca.root.read_text() for ca in cas.values()))
        for name, ca in cas.items():
            config += UPSTREAM.format(name=name, url=ca.url, trust=ca.root, devices=pki.root)
        # Nobody listens there: the port of a program that has ended.
        cas["absent"] = Ca(folder / "cas/absent", [programs.labca], *trusting)
        assert cas["absent"].stop() == 0
        config += UPSTREAM.format(name="absent", url=cas["absent"].url, trust=cas["absent"].root, devices=pki.root)

        with Gateway(programs.cmpgate, folder, config) as gateway:
            steady = Steady(f"{gateway.url}/p/good", other, trust, pki.key("steady", "p256"), "/CN=device 2")
            steady.once(20)  # what is built once is there
            descriptors, memory = gateway.rest()
            with steady, concurrent.futures.ThreadPoolExecutor(6) as pool:
                cases = list(pool.map(
                    lambda name: Case(folder, gateway, pki, device, name, trust), [*names, "absent"]))
            ended, differ = time.monotonic(), []
            for case in cases:
                outcome = case.outcome()
                if show:
                    print(f"| `{case.name}` | `{outcome[0]}` | {outcome[1]} | {outcome[2]} |  {case.record.get('detail')}")
                elif outcome != table[case.name]:
                    differ.append(f"{case.name}: {outcome}; the table says {table[case.name]}\n"
                                  f"{case.run.output}\n{case.record}")
                if outcome[1] == "enrolled":
                    assert public_key_of(case.certificate, "certificate") == public_key_of(case.key, "key")
                elif case.name != "absent":
                    case.repeat()
            assert not differ, "\n".join(differ)
            assert cas["good"].process.poll() is None and steady.enrolled > 5, steady.enrolled
            print(f"  {len(cases)} faults; {steady.enrolled} enrolments meanwhile, the slowest {steady.slowest:.2f} s")
            gateway.back_to(descriptors, memory, SPARE)
            # Nothing is under way any more, and what is remembered against replay is what was sent, no more.
            time.sleep(max(0, ended + OPEN_TIME + 2 - time.monotonic()))
            stopped = gateway.ended_with()
            sent = {one["transactionID"] for one in gateway.records() if "upstream_ms" in one and one.get("rule") != "not-sent"}
            assert (stopped["open"], stopped["remembered"]) == (0, len(sent)), (stopped, len(sent))
    finally:
        for ca in cas.values():
            ca.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("cmpgate", "labca", "bad-ca"):
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
    parser.add_argument("--show", action="store_true", help="print the table as it comes out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cmpgate-bad-ca-") as folder:
        run_all(options, pathlib.Path(folder), options.show)
    print("misbehaving CAs: ok")


if __name__ == "__main__":
    sys.exit(main())
