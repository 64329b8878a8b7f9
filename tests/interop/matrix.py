#!/usr/bin/env python3
"""Runs the cells of tests/matrix.tsv: `openssl cmp` through a real gateway at a real CA.

Each cell has a gateway and a CA of its own, on ports the system picks.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from peers import EKU_CMC_CA, ClientRun, Identity, MockCa, Pki, Program, openssl, public_key_of  # noqa: E402

TABLE = pathlib.Path(__file__).resolve().parents[1] / "matrix.tsv"
SUBJECT = "/CN=device 1"

GATEWAY = """\
version = 1
workers = 1

[log]
format = "json"

[[listener]]
url = "http://127.0.0.1:0"

[[upstream]]
name = "ca"
url = "{ca_url}"
trust = "file:{ca_trust}"
responder = {{ eku = "cmcCA" }}
credential = "ra"

[[credential]]
name = "ra"
certificate = "file:{ra_certificate}"
key = "file:{ra_key}"

[[profile]]
name = "devices"
match = {{ operations = ["ir", "cr", "kur", "p10cr", "rr", "genm"] }}
origin = {{ signature = {{ trust = [{device_trust}] }} }}
pop = "required"
rules = {{ key = ["rsa>=3072", "ec:P-256", "ec:P-384", "ed25519"], subject = "CN=${{sender.CN}}", genm = ["caCerts"] }}
treatment = "forward"
upstream = "ca"
"""


class RefusedAtCheck(Exception):
    """The gateway does not start with the configuration of a cell."""


class Gateway(Program):
    """`cmpgate serve` in front of one CA."""

    def __init__(self, cmpgate, folder, ca_url, ca_trust, ra, device_trust):
        config = folder / "cmpgate.toml"
        config.write_text(GATEWAY.format(
            ca_url=ca_url, ca_trust=ca_trust, ra_certificate=ra.certificate, ra_key=ra.key,
            device_trust=", ".join(f'"file:{path}"' for path in device_trust)))
        super().__init__([cmpgate, "serve", "-c", config])
        try:
            self.url = self.wait_for(r"(http://127\.0\.0\.1:[1-9]\d*/\.well-known/cmp)\b")[1]
        except RuntimeError as ended:
            self.stop()
            raise RefusedAtCheck(str(ended)) from ended


class LabCa(Program):
    """The project's lab CA as a program of its own."""

    def __init__(self, program, folder, client_trust):
        folder.mkdir()
        super().__init__([program, "--trust", client_trust, "--write", folder])
        self.url = self.wait_for(r"(http://127\.0\.0\.1:\d+\S*)")[1]
        self.root = folder / "root.pem"


class Matrix:
    """The peers and keys of one run over the table."""

    def __init__(self, folder, cmpgate, labca):
        self.folder, self.cmpgate, self.labca = folder, cmpgate, labca
        self.pki = Pki(folder / "pki")
        self.ra = self.pki.issue("ra", "p256", "/CN=Gateway")
        self.ca = self.pki.issue("ca", "p256", "/CN=Mock CA", EKU_CMC_CA)
        self.device = self.pki.issue("device", "p256", SUBJECT)

    def client(self, url, identity, trust, *options):
        return ClientRun(url, identity, trust, *options)

    def run(self, ca, operation, confirm, key, where):
        """One cell in a folder of its own -> (outcome, what the programs said)."""
        where.mkdir()
        # kur, rr and genm are protected by the key of the case, the others by the device's.
        own_key = operation in ("kur", "rr", "genm")
        signer = self.pki.issue(f"{where.name}-own", key, SUBJECT) if own_key else self.device
        if ca == "mock":
            answer = signer if own_key else self.pki.issue(f"{where.name}-new", key, SUBJECT)
            with MockCa(self.ca, self.pki.root, answer.certificate, "-grant_implicitconf") as mock:
                new_key = signer.key if operation == "kur" else answer.key
                return self.through_gateway(mock, self.pki.root, where, operation, confirm, signer, new_key)
        with LabCa(self.labca, where / "lab", self.pki.root) as lab:
            new_key = self.pki.key(f"{where.name}-new", key)
            if operation in ("kur", "rr") and key != "ed25519":
                # What is updated or revoked is a certificate of this CA.
                first = where / "first.pem"
                enrolled = self.client(lab.url, self.device, lab.root, "-cmd", "ir", "-newkey", signer.key,
                                       "-subject", SUBJECT, "-certout", first)
                if not enrolled.ok:
                    raise RuntimeError(f"the lab CA did not issue the certificate to {operation}:\n{enrolled.output}")
                signer = Identity(signer.key, first)
            return self.through_gateway(lab, lab.root, where, operation, confirm, signer, new_key)

    def through_gateway(self, ca, ca_root, where, operation, confirm, signer, new_key):
        trust = where / "trust.pem"
        trust.write_text(self.pki.root.read_text() + ca_root.read_text())
        try:
            gateway = Gateway(self.cmpgate, where, ca.url, ca_root, self.ra, [self.pki.root, ca_root])
        except RefusedAtCheck as refused:
            found = re.search(r"error: (.*)", str(refused))
            return f"refused at check ({found[1] if found else 'no reason given'})", str(refused)
        with gateway:
            certificate = where / "certificate.pem"
            options = ["-cmd", operation]
            if operation in ("ir", "cr", "kur"):
                options += ["-newkey", new_key, "-subject", SUBJECT]
            if operation == "p10cr":
                options += ["-csr", self.pki.request(new_key, SUBJECT)]
            if operation == "rr":
                options += ["-oldcert", signer.certificate, "-revreason", 1]
            if operation == "genm":
                options += ["-infotype", "caCerts"]
            if confirm != "-":
                options += ["-certout", certificate]
            if confirm == "implicit":
                options.append("-implicit_confirm")
            run = self.client(gateway.url, signer, trust, *options)
        said = f"$ {' '.join(run.command)}\n{run.output}\n--- gateway\n{gateway.output}\n--- CA\n{ca.output}"
        return self.outcome(run, gateway.output, operation, confirm, new_key, certificate), said

    @staticmethod
    def outcome(run, log, operation, confirm, new_key, certificate):
        if run.ok:
            confirmed = "CMP info: sending CERTCONF" in run.output
            if confirm == "certConf" and not confirmed or confirm == "implicit" and confirmed:
                return f"answered, but {'confirmed' if confirmed else 'not confirmed'}"
            if confirm == "-":
                return "revoked" if operation == "rr" else "answered"
            if public_key_of(certificate, "certificate") != public_key_of(new_key, "key"):
                return "a certificate for another key"
            return "enrolled"
        if run.fail_info:
            rule = re.search(r'"rule":"([^"]+)"', log)
            return (f"refused per message ({rule[1]}, {run.fail_info})" if rule
                    else f"refused by the CA ({run.fail_info})")
        if run.sent_nothing:
            return f"peer cannot ({run.reason})"
        return f"no answer ({run.reason})"


def gaps():
    """What the table must have and has not, or has twice: a cell that is taken out is noticed."""
    confirmed = [(operation, confirm) for operation in ("ir", "cr", "kur", "p10cr") for confirm in ("certConf", "implicit")]
    wanted = {(ca, operation, confirm, key) for ca in ("lab", "mock") for key in ("rsa", "p256", "p384", "ed25519")
              for operation, confirm in [*confirmed, ("rr", "-"), ("genm", "-")]}
    cells = [tuple(row[:4]) for row in rows()]
    return sorted("/".join(cell) for cell in wanted - set(cells)) + sorted(
        f"{'/'.join(cell)} twice" for cell in set(cells) if cells.count(cell) > 1)


def rows():
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True)
    parser.add_argument("--labca", help="the lab CA as a program; needed for its cells")
    parser.add_argument("--only", default="", help="cells whose name matches, as mock/ir/certConf/rsa")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--print", action="store_true", help="print the table as it comes out")
    options = parser.parse_args()

    version = openssl("version").split()[1]
    with tempfile.TemporaryDirectory(prefix="cmpgate-matrix-") as folder:
        matrix = Matrix(pathlib.Path(folder), options.cmpgate, options.labca)

        def run(row):
            try:
                return row, *matrix.run(*row[:4], pathlib.Path(folder) / "-".join(row[:4]).replace("--", "-none-"))
            except (RuntimeError, TimeoutError, OSError) as error:
                return row, f"broken ({type(error).__name__})", str(error)

        chosen = [row for row in rows() if re.search(options.only, "/".join(row[:4]))]
        failed = 0
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for row, outcome, said in pool.map(run, chosen):
                if options.print:
                    print("\t".join(row[:4] + [outcome]))
                elif outcome == row[4]:
                    print(f"ok    {'/'.join(row[:4])}: {outcome}")
                else:
                    failed += 1
                    print(f"WRONG {'/'.join(row[:4])}: {outcome}; the table says: {row[4]}\n{said}")
    missing = gaps()
    for cell in missing:
        print(f"WRONG tests/matrix.tsv lacks {cell}")
    print(f"openssl {version}: {len(chosen)} cells, {failed} changed, {len(missing)} missing")
    sys.exit(1 if failed or missing or not chosen else 0)


if __name__ == "__main__":
    main()
