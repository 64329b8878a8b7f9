#!/usr/bin/env python3
"""Runs the cells of tests/matrix.tsv: `openssl cmp` through real gateways at a real CA.

Each cell has gateways and a CA of its own, on ports the system picks.
"""

import argparse
import collections
import concurrent.futures
import os
import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from peers import EKU_CMC_CA, EKU_CMC_RA, ClientRun, Identity, MockCa, Pki, Program, configuration_fault, openssl, public_key_of  # noqa: E402

TABLE = pathlib.Path(__file__).resolve().parents[1] / "matrix.tsv"
COLUMNS = 8  # client, ca, treatment, protection, operation, confirm, key; then the outcome
SUBJECT = "/CN=device 1"
REFERENCE, SECRET = "device 1", "a secret of some length, 1234567"

GATEWAY = """\
version = 1
workers = 1

[log]
format = "json"

[[listener]]
url = "http://127.0.0.1:0"

[[upstream]]
name = "ca"
url = "{upstream}"
trust = [{upstream_trust}]
responder = {{ eku = ["cmcCA", "cmcRA"]{shares} }}
credential = "ra"

[[credential]]
name = "ra"
certificate = "file:{certificate}"
key = "file:{key}"

[[profile]]
name = "devices"
match = {{ operations = ["{operation}"] }}
origin = {{ {origin} }}
pop = "required"
rules = {{ key = ["rsa>=3072", "ec:P-256", "ec:P-384", "ed25519"], subject = "CN=${{sender.CN}}", genm = ["caCerts"] }}
treatment = {treatment}
upstream = "ca"
{more}"""


class RefusedAtCheck(Exception):
    """The gateway does not start with the configuration of a cell."""


class Gateway(Program):
    """`cmpgate serve` before a CA or before another one."""

    def __init__(self, cmpgate, folder, **values):
        folder.mkdir()
        config = folder / "cmpgate.toml"
        config.write_text(GATEWAY.format(**values))
        super().__init__([cmpgate, "serve", "-c", config])
        try:
            self.url = self.wait_for(r"(http://127\.0\.0\.1:[1-9]\d*/\.well-known/cmp)\b")[1]
        except RuntimeError as ended:
            self.stop()
            raise RefusedAtCheck(str(ended)) from ended


class LabCa(Program):
    """The project's lab CA as a program of its own."""

    def __init__(self, program, folder, client_trust, ra_trust, *options):
        folder.mkdir()
        super().__init__([program, "--trust", client_trust, "--ra-trust", ra_trust, "--write", folder, *options])
        self.url = self.wait_for(r"(http://127\.0\.0\.1:\d+\S*)")[1]
        self.root = folder / "root.pem"


class Cell:
    """What a row asks for."""

    def __init__(self, row):
        self.client, self.ca, self.treatment, self.protection, self.operation, self.confirm, self.key = row[:COLUMNS - 1]
        self.name = "/".join(row[:COLUMNS - 1])
        self.ca, *knows = self.ca.split("-")
        self.ca_knows_secrets = knows == ["secrets"]
        # kur, rr and genm are protected by the key of the case, the others by the device's.
        self.own_key = self.operation in ("kur", "rr", "genm")


class Matrix:
    """The peers and keys of one run over the table."""

    def __init__(self, folder, cmpgate, labca):
        self.folder, self.cmpgate, self.labca = folder, cmpgate, labca
        self.pki = Pki(folder / "pki")
        self.ras = Pki(folder / "ra-pki", "RA Root")
        self.ra = [self.ras.issue(f"ra-{i}", "p256", f"/CN=Gateway {i}", EKU_CMC_RA) for i in (1, 2)]
        self.ca = self.pki.issue("ca", "p256", "/CN=Mock CA", EKU_CMC_CA)
        self.device = self.pki.issue("device", "p256", SUBJECT)
        self.clients = folder / "clients.pem"
        self.clients.write_text(self.pki.root.read_text() + self.ras.root.read_text())
        self.secret = folder / "device.secret"
        self.secret.write_text(SECRET)
        self.secret.chmod(0o600)

    def run(self, cell, where):
        """One cell in a folder of its own -> (outcome, what the programs said)."""
        if cell.protection == "pbmac1":
            return "peer cannot (PasswordBasedMac is its only MAC)", ""
        where.mkdir()
        signer = self.pki.issue(f"{where.name}-own", cell.key, SUBJECT) if cell.own_key else self.device
        if cell.ca == "mock":
            # It answers with this certificate, whatever it is asked for.
            subject = SUBJECT + "/O=Amended" if cell.treatment == "raverified" else SUBJECT
            answer = signer if cell.own_key else self.pki.issue(f"{where.name}-new", cell.key, subject)
            options = ["-grant_implicitconf", "-accept_raverified"]
            if cell.ca_knows_secrets:
                options += ["-srv_ref", REFERENCE, "-srv_secret", f"pass:{SECRET}"]
            with MockCa(self.ca, self.clients, answer.certificate, *options) as mock:
                new_key = signer.key if cell.operation == "kur" else answer.key
                return self.through_gateways(cell, mock, self.pki.root, where, signer, new_key)
        options = ["--secret", f"{REFERENCE}={self.secret}"] if cell.ca_knows_secrets else []
        with LabCa(self.labca, where / "lab", self.pki.root, self.ras.root, *options) as lab:
            new_key = self.pki.key(f"{where.name}-new", cell.key)
            if cell.operation in ("kur", "rr") and cell.key != "ed25519" and cell.protection == "signature":
                # What is updated or revoked is a certificate of this CA.
                first = where / "first.pem"
                enrolled = ClientRun(lab.url, self.device, lab.root, "-cmd", "ir", "-newkey", signer.key,
                                     "-subject", SUBJECT, "-certout", first)
                if not enrolled.ok:
                    raise RuntimeError(f"the lab CA did not issue the certificate to {cell.operation}:\n{enrolled.output}")
                signer = Identity(signer.key, first)
            return self.through_gateways(cell, lab, lab.root, where, signer, new_key)

    def gateway(self, cell, where, number, treatment, upstream, ca_root):
        """One of the gateways: 1 is the device's; 2, before the CA, takes the other's approval."""
        devices = ", ".join(f'"file:{path}"' for path in (self.pki.root, ca_root))
        origin, more, shares = f"signature = {{ trust = [{devices}] }}", "", ""
        if treatment == "raverified":
            more += 'amend = { subject = "CN=${sender.CN},O=Amended" }\n'
        if number == 2:
            more += f'ra = {{ trust = "file:{self.ras.root}", allow = ["nested"] }}\n'
        if cell.protection == "pbm":
            origin += ', mac = "secrets"'
            more += f'[[secret]]\nreference = "{REFERENCE}"\nsecret = "file:{self.secret}"\nuses = 0\n'
            # The gateway behind this one knows the secrets, as a CA may.
            if cell.ca_knows_secrets or number == 1 and ">" in cell.treatment:
                shares = ", shared_secret = true"
        written = '{ nested = "unwrap" }' if treatment == "unwrap" else f'"{treatment}"'
        return Gateway(self.cmpgate, where / f"gateway-{number}", upstream=upstream, operation=cell.operation,
                       upstream_trust=f'"file:{ca_root}", "file:{self.ras.root}"', origin=origin, more=more,
                       shares=shares, treatment=written, certificate=self.ra[number - 1].certificate, key=self.ra[number - 1].key)

    def through_gateways(self, cell, ca, ca_root, where, signer, new_key):
        first, _, second = cell.treatment.partition(">")
        trust = where / "trust.pem"
        trust.write_text(self.clients.read_text() + ca_root.read_text())
        gateways = []
        try:
            url = ca.url
            if second:
                gateways.append(self.gateway(cell, where, 2, second, url, ca_root))
                url = gateways[-1].url
            gateways.append(self.gateway(cell, where, 1, first, url, ca_root))
            certificate = where / "certificate.pem"
            run = self.client(cell, gateways[-1].url, signer, trust, new_key, certificate)
        except RefusedAtCheck as refused:
            return f"refused at check ({configuration_fault(str(refused))})", str(refused)
        finally:
            for gateway in gateways:
                gateway.stop()
        logs = [gateway.output for gateway in reversed(gateways)]
        said = f"$ {' '.join(run.command)}\n{run.output}" + "".join(f"\n--- gateway\n{log}" for log in logs)
        return self.outcome(cell, run, logs, new_key, certificate), f"{said}\n--- CA\n{ca.output}"

    def client(self, cell, url, signer, trust, new_key, certificate):
        options = ["-cmd", cell.operation]
        if cell.operation in ("ir", "cr", "kur"):
            options += ["-newkey", new_key, "-subject", SUBJECT]
        if cell.operation == "p10cr":
            options += ["-csr", self.pki.request(new_key, SUBJECT)]
        if cell.operation == "rr" or (cell.operation == "kur" and cell.protection == "pbm"):
            options += ["-oldcert", signer.certificate]
        if cell.operation == "rr":
            options += ["-revreason", 1]
        if cell.operation == "genm":
            options += ["-infotype", "caCerts"]
        if cell.confirm != "-":
            options += ["-certout", certificate]
        if cell.confirm == "implicit":
            options.append("-implicit_confirm")
        if cell.protection == "pbm":
            return ClientRun(url, None, trust, "-ref", REFERENCE, "-secret", f"pass:{SECRET}", *options)
        return ClientRun(url, signer, trust, *options)

    @staticmethod
    def outcome(cell, run, logs, new_key, certificate):
        if run.ok:
            confirmed = "CMP info: sending CERTCONF" in run.output
            if cell.confirm == "certConf" and not confirmed or cell.confirm == "implicit" and confirmed:
                return f"answered, but {'confirmed' if confirmed else 'not confirmed'}"
            if cell.confirm == "-":
                return "revoked" if cell.operation == "rr" else "answered"
            if public_key_of(certificate, "certificate") != public_key_of(new_key, "key"):
                return "a certificate for another key"
            return "enrolled"
        rule = next((found[1] for log in logs if (found := re.search(r'"decision":"refused"[^\n]*"rule":"([^"]+)"', log))), None)
        if run.fail_info:
            return (f"refused per message ({rule}, {run.fail_info})" if rule
                    else f"peer cannot (the CA answers {run.fail_info})")
        if run.sent_nothing:
            return f"peer cannot ({run.reason})"
        return f"no answer ({run.reason})"


def wanted():
    """The cells the table must have: one that is taken out is noticed."""
    certificates = [(operation, confirm) for operation in ("ir", "cr", "kur", "p10cr") for confirm in ("certConf", "implicit")]
    operations = [*certificates, ("rr", "-"), ("genm", "-")]
    cells = {("openssl", ca, "forward", "signature", operation, confirm, key)
             for ca in ("lab", "mock") for key in ("rsa", "p256", "p384", "ed25519") for operation, confirm in operations}
    cells |= {("openssl", ca, treatment, protection, operation, confirm, "p256")
              for ca in ("lab", "mock") for treatment in ("forward", "nest", "reprotect", "raverified")
              for protection in ("signature", "pbm", "pbmac1") for operation, confirm in operations}
    cells |= {("openssl", "lab", f"nest>{second}", "signature", operation, confirm, "p256")
              for second in ("forward", "unwrap", "nest", "reprotect") for operation, confirm in operations}
    # A CA that knows the devices' secrets takes a MAC as it came, nested or not; and so does the second of two gateways.
    cells |= {("openssl", f"{ca}-secrets", treatment, "pbm", operation, confirm, "p256")
              for ca in ("lab", "mock") for treatment in ("forward", "nest") for operation, confirm in operations}
    cells |= {("openssl", "lab-secrets", f"nest>{second}", "pbm", operation, confirm, "p256")
              for second in ("forward", "unwrap", "nest", "reprotect") for operation, confirm in operations}
    cells |= {("openssl", "lab", "nest>reprotect", "pbm", operation, confirm, "p256") for operation, confirm in operations}
    return cells


def gaps():
    """What the table must have and has not, or has twice."""
    cells = [tuple(row[:COLUMNS - 1]) for row in rows()]
    return sorted("/".join(cell) for cell in wanted() - set(cells)) + sorted(
        f"{'/'.join(cell)} twice" for cell in set(cells) if cells.count(cell) > 1)


def rows():
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")


WORKS = ("enrolled", "revoked", "answered")


def summary(counts):
    """"12 work, 3 peer cannot, …" """
    return ", ".join([f"{counts['work']} work", *(f"{count} {what}" for what, count in sorted(counts.items()) if what != "work")])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True)
    parser.add_argument("--labca", help="the lab CA as a program; needed for its cells")
    parser.add_argument("--only", default="", help="cells whose name matches, as openssl/mock/nest/pbm/ir/certConf/p256")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--print", action="store_true", help="print the table as it comes out, of all cells there must be")
    options = parser.parse_args()

    version = openssl("version").split()[1]
    known = {tuple(row[:COLUMNS - 1]): row[COLUMNS - 1] for row in rows() if len(row) == COLUMNS}
    cells = sorted(wanted() | set(known)) if options.print else list(known)
    with tempfile.TemporaryDirectory(prefix="cmpgate-matrix-") as folder:
        matrix = Matrix(pathlib.Path(folder), options.cmpgate, options.labca)

        def run(row):
            cell = Cell(row)
            try:
                return row, *matrix.run(cell, pathlib.Path(folder) / re.sub(r"[^A-Za-z0-9]+", "-", cell.name.replace("/-", "/none")))
            except (RuntimeError, TimeoutError, OSError) as error:
                return row, f"broken ({type(error).__name__})", str(error)

        chosen = [row for row in cells if re.search(options.only, "/".join(row))]
        failed, counts = 0, collections.Counter()
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for row, outcome, said in pool.map(run, chosen):
                counts["work" if outcome in WORKS else outcome.split(" (")[0]] += 1
                if options.print:
                    print("\t".join([*row, outcome]), flush=True)
                elif outcome == known[row]:
                    print(f"ok    {'/'.join(row)}: {outcome}")
                else:
                    failed += 1
                    print(f"WRONG {'/'.join(row)}: {outcome}; the table says: {known[row]}\n{said}")
    missing = [] if options.print else gaps()
    for cell in missing:
        print(f"WRONG tests/matrix.tsv lacks {cell}")
    print(f"# openssl {version}: {len(chosen)} cells, {summary(counts)}, {failed} changed, {len(missing)} missing")
    sys.exit(1 if failed or missing or not chosen else 0)


if __name__ == "__main__":
    main()
