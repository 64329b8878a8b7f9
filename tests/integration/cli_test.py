#!/usr/bin/env python3
"""`cmpgate version`, `check` (with --explain) and `inspect` from the command line."""

import argparse
import base64
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
REQUEST = ROOT / "tests/vectors/cmp/ir-sig.der"

OPAQUE = """\
version = 1
[[listener]]
url = "http://127.0.0.1:0"
[[upstream]]
url = "http://127.0.0.1:9/"
[[profile]]
name = "relay"
match = { operations = ["ir"] }
origin = "opaque"
"""


def run(cmpgate, *arguments, stdin=b""):
    done = subprocess.run([cmpgate, *map(str, arguments)], input=stdin, capture_output=True, timeout=30, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def version(cmpgate, _):
    code, out, _ = run(cmpgate, "version", "--json")
    facts = json.loads(out)
    assert code == 0
    assert set(facts) == {"version", "commit", "compiler", "libraries", "algorithms"}, facts
    assert facts["libraries"]["openssl"] in subprocess.run(["openssl", "version"], capture_output=True, text=True, check=True).stdout
    assert {"RSA", "ECDSA", "ED25519"} <= set(facts["algorithms"]["signatures"])
    code, out, _ = run(cmpgate, "version")
    assert code == 0 and out.startswith(f"cmpgate {facts['version']} ("), out


def usage(cmpgate, folder):
    assert run(cmpgate)[0] == 2
    assert run(cmpgate, "serv")[0] == 2
    assert run(cmpgate, "serve")[0] == 2
    code, out, _ = run(cmpgate, "--help")
    assert code == 0 and all(command in out for command in ("demo", "serve", "check", "inspect", "version")), out
    code, _, err = run(cmpgate, "check", "-c", folder / "nothing.toml")
    assert code == 1 and "nothing.toml: error: cannot be read: No such file" in err, err


def check(cmpgate, folder):
    config = folder / "a.toml"
    config.write_text(OPAQUE)
    code, out, err = run(cmpgate, "check", "-c", config)
    assert code == 0 and "good (1 listener, 1 upstream, 1 profile, 2 warnings)" in out, (out, err)
    assert f"{config}:9:10: warning:" in err and "S-10" in err, err
    config.write_text(OPAQUE.replace("operations", "operation"))
    code, out, err = run(cmpgate, "check", "-c", config)
    assert code == 1 and f'{config}:8:11: error: unknown key "operation"' in err and 'did you mean "operations"?' in err, err
    assert "1 error, 2 warnings" in err, err


def explain(cmpgate, folder):
    config = folder / "a.toml"
    config.write_text(OPAQUE)
    code, out, _ = run(cmpgate, "check", "-c", config, "--explain", REQUEST)
    assert code == 0 and out.rstrip().endswith("permitted"), out
    assert "relay" in out and "opaque: nobody verifies" in out, out
    config.write_text(OPAQUE.replace('"ir"', '"kur"'))
    code, out, _ = run(cmpgate, "check", "-c", config, "--explain", REQUEST)
    assert code == 1 and "REFUSED no-profile" in out and "notAuthorized" in out and out.rstrip().endswith("refused"), out
    cut = folder / "cut.der"
    cut.write_bytes(REQUEST.read_bytes()[:-1])
    code, out, err = run(cmpgate, "check", "-c", config, "--explain", cut)
    assert code == 1 and ("truncated" in out + err), (out, err)


def inspect(cmpgate, folder):
    der = REQUEST.read_bytes()
    code, text, _ = run(cmpgate, "inspect", REQUEST)
    assert code == 0 and "transactionID:" in text and "certTemplate" in text, text
    for form in (der, base64.encodebytes(der), b"-----BEGIN CMP-----\n" + base64.encodebytes(der) + b"-----END CMP-----\n"):
        assert run(cmpgate, "inspect", stdin=form)[:2] == (0, text)
        assert run(cmpgate, "inspect", "-", stdin=form)[1] == text
    code, out, _ = run(cmpgate, "inspect", "--json", REQUEST)
    assert code == 0 and isinstance(json.loads(out), dict), out
    code, out, _ = run(cmpgate, "inspect", "--json", stdin=der + der)
    assert code == 0 and len([json.loads(line) for line in out.splitlines()]) == 2, out
    code, _, err = run(cmpgate, "inspect", stdin=b"hello")
    assert code == 1 and err.startswith("cmpgate: "), err
    code, _, err = run(cmpgate, "inspect", folder / "nothing.der")
    assert code == 1 and "No such file" in err, err


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    cmpgate = parser.parse_args().cmpgate.resolve()
    for test in (version, usage, check, explain, inspect):
        with tempfile.TemporaryDirectory(prefix="cmpgate-cli-test-") as folder:
            test(cmpgate, pathlib.Path(folder))
        print(test.__name__, "ok")


if __name__ == "__main__":
    sys.exit(main())
