#!/usr/bin/env python3
"""The lab CA as a process: `openssl cmp` enrols, updates, revokes and asks, with each kind of key,
protected by a signature and by a MAC; the misbehaving CA is refused where `openssl cmp` looks."""

import argparse
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from peers import KEY_ALGORITHMS, ClientRun, Identity, Program, openssl, public_key_of  # noqa: E402

SECRET = "an agreed secret"
SUBJECT = "/CN=device"
# Fault -> what the client of OpenSSL 3.0 says. What it does not look at (device-as-ca, ca-pubs,
# implicit-confirm-unasked) is for the gateway's own tests.
SEEN_BY_CLIENT = {
    "wrong-recip-nonce": "recipnonce unmatched",
    "foreign-transaction-id": "transactionid unmatched",
    "wrong-body-type": "unexpected pkibody",
    "foreign-certificate": "public key in new certificate does not match",
    "stranger-as-ca": "error validating protection",
    "bad-signature": "error validating protection",
    "unprotected-error": "missing protection",
    "unprotected-answer": "missing protection",
    "truncated": "transfer error",
    "hang-up": "transfer error",
    "short-content": "transfer error",
    "wrong-media-type": "transfer error",
    "server-error": "transfer error",
    "garbage": "transfer error",
}


class Ca(Program):
    """One of the CA programs, its files in a folder of its own."""

    def __init__(self, program, folder, *options):
        folder.mkdir()
        self.folder = folder
        super().__init__([program, "--write", folder, "--device", "CN=device", *options])
        self.url = self.wait_for(r"(http://127\.0\.0\.1:\d+\S*)")[1]
        self.root = folder / "root.pem"
        self.device = Identity(folder / "device.key", folder / "device.pem")


class MacClient(ClientRun):
    """openssl cmp with a reference and a secret instead of a certificate."""

    def __init__(self, ca, secret, *options):
        # -cert and -key of the base class are what a MAC replaces.
        self.secret = secret
        super().__init__(ca.url, ca.device, ca.root, "-ref", "ref 1", "-secret", f"pass:{secret}", *options)


def expect(run, wanted=True):
    assert run.ok == wanted, f"{' '.join(run.command)}\n{run.output}"
    return run


def enrolled(run, key, certificate, implicit):
    expect(run)
    assert ("sending CERTCONF" in run.output) != implicit, run.output
    assert public_key_of(certificate, "certificate") == public_key_of(key, "key")
    return Identity(key, certificate)


def whole_life(ca, algorithm, implicit):
    """ir, cr, p10cr, kur, genm and rr with one kind of key."""
    folder = ca.folder / f"{algorithm}-{'implicit' if implicit else 'certConf'}"
    folder.mkdir()
    confirm = ["-implicit_confirm"] if implicit else []

    def key(name):
        path = folder / f"{name}.key"
        openssl("genpkey", *KEY_ALGORITHMS[algorithm], "-out", path)
        return path

    made = {}
    for operation in ("ir", "cr", "p10cr"):
        new, certificate = key(operation), folder / f"{operation}.pem"
        what = ["-newkey", new, "-subject", SUBJECT]
        if operation == "p10cr":
            openssl("req", "-new", "-key", new, "-subj", SUBJECT, "-addext", "subjectAltName=DNS:device.example",
                    "-out", folder / "new.csr")
            what = ["-csr", folder / "new.csr"]
        run = ClientRun(ca.url, ca.device, ca.root, "-cmd", operation, *what, "-certout", certificate, *confirm)
        made[operation] = enrolled(run, new, certificate, implicit)
    assert "DNS:device.example" in openssl("x509", "-in", made["p10cr"].certificate, "-noout", "-ext",
                                           "subjectAltName")
    openssl("verify", "-CAfile", ca.root, made["ir"].certificate)
    if algorithm == "ed25519":
        return  # OpenSSL 3.0 protects no message by such a key

    new, certificate = key("kur"), folder / "kur.pem"
    run = ClientRun(ca.url, made["ir"], ca.root, "-cmd", "kur", "-newkey", new, "-certout", certificate, *confirm)
    updated = enrolled(run, new, certificate, implicit)
    run = expect(ClientRun(ca.url, updated, ca.root, "-cmd", "genm", "-infotype", "caCerts"))
    assert "id-it-caCerts" in run.output, run.output
    revoke = ["-cmd", "rr", "-oldcert", updated.certificate, "-revreason", "1"]
    expect(ClientRun(ca.url, updated, ca.root, *revoke))
    assert expect(ClientRun(ca.url, updated, ca.root, *revoke), False).fail_info == "certRevoked"


def by_mac(ca):
    folder = ca.folder / "mac"
    folder.mkdir()
    for algorithm, digest in (("p256", "sha256"), ("rsa", "sha512")):
        key, certificate = folder / f"{algorithm}.key", folder / f"{algorithm}.pem"
        openssl("genpkey", *KEY_ALGORITHMS[algorithm], "-out", key)
        options = ["-cmd", "ir", "-newkey", key, "-subject", SUBJECT, "-certout", certificate, "-digest", digest]
        enrolled(MacClient(ca, SECRET, *options), key, certificate, False)
        wrong = expect(MacClient(ca, "another secret", *options), False)
        assert wrong.fail_info == "badMessageCheck", wrong.output


def polled(program, folder):
    with Ca(program, folder, "--poll-count", 1, "--check-after", 0) as ca:
        key = folder / "new.key"
        openssl("genpkey", *KEY_ALGORITHMS["p256"], "-out", key)
        run = ClientRun(ca.url, ca.device, ca.root, "-cmd", "ir", "-newkey", key, "-subject", SUBJECT,
                        "-certout", folder / "new.pem")
        enrolled(run, key, folder / "new.pem", False)
        assert "received POLLREP" in run.output, run.output
        assert ca.stop() == 0


def misbehaved(program, folder):
    for fault, said in SEEN_BY_CLIENT.items():
        with Ca(program, folder / fault, "--fault", fault) as ca:
            key = ca.folder / "new.key"
            openssl("genpkey", *KEY_ALGORITHMS["p256"], "-out", key)
            run = expect(ClientRun(ca.url, ca.device, ca.root, "-cmd", "ir", "-newkey", key, "-subject", SUBJECT,
                                   "-certout", ca.folder / "new.pem", "-msg_timeout", "5"), False)
            assert said in run.output, f"{fault}: {run.output}"
            assert ca.stop() == 0, fault


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labca", required=True, type=pathlib.Path)
    parser.add_argument("--bad-ca", required=True, type=pathlib.Path)
    programs = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cmpgate-labca-") as name:
        folder = pathlib.Path(name)
        secret = folder / "secret"
        secret.write_text(SECRET + "\n")
        with Ca(programs.labca, folder / "ca", "--secret", f"ref 1={secret}") as ca:
            # openssl 3.0 protects nothing with Ed448.
            for algorithm in (name for name in KEY_ALGORITHMS if name != "ed448"):
                for implicit in (False, True):
                    whole_life(ca, algorithm, implicit)
                    print(f"{algorithm} {'implicitConfirm' if implicit else 'certConf'}: ok", flush=True)
            by_mac(ca)
            print("mac: ok", flush=True)
            assert ca.stop() == 0
        polled(programs.labca, folder / "polled")
        print("polling: ok", flush=True)
        (folder / "bad").mkdir()
        misbehaved(programs.bad_ca, folder / "bad")
        print("misbehaving: ok", flush=True)


if __name__ == "__main__":
    sys.exit(main())
