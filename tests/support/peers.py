"""What the tests with real programs share: children that end with the test, keys and certificates
made by `openssl`, the CMP client and the mock CA of `openssl cmp` (python3 stdlib only)."""

import os
import pathlib
import re
import select
import subprocess
import threading

OPENSSL_TIMEOUT = 30

KEY_ALGORITHMS = {
    "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"],
    "p256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "p384": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "p521": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
    "ed25519": ["-algorithm", "ED25519"],
    "ed448": ["-algorithm", "ED448"],
}
EKU_CMC_CA = "1.3.6.1.5.5.7.3.27"  # id-kp-cmcCA: may answer for the CA
EKU_CMC_RA = "1.3.6.1.5.5.7.3.28"  # id-kp-cmcRA: an RA


def openssl(*arguments):
    """Runs openssl; its text. Raises with its error text when it fails."""
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True,
                          timeout=OPENSSL_TIMEOUT, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeError(f"openssl {' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return done.stdout


class Program:
    """A child process whose output is read as it comes; ended, at the latest, with its block."""

    def __init__(self, command, environment=None, stdin=subprocess.DEVNULL):
        self.command = list(map(str, command))
        self.process = subprocess.Popen(self.command, stdin=stdin, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, env=environment)
        self._lines, self._rest, self._news = [], b"", threading.Condition()
        os.set_blocking(self.process.stdout.fileno(), False)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        while not self._ended():
            select.select([self.process.stdout], [], [])
            self._take()

    def _ended(self):
        return bool(self._lines) and self._lines[-1] is None

    def _take(self):
        """Takes what it has written by now."""
        with self._news:
            if self._ended():
                return
            try:
                while piece := os.read(self.process.stdout.fileno(), 65536):
                    *lines, self._rest = (self._rest + piece).split(b"\n")
                    self._lines += [line.decode(errors="replace") + "\n" for line in lines]
                self._lines += [self._rest.decode(errors="replace"), None]
            except BlockingIOError:
                pass
            self._news.notify_all()

    @property
    def output(self):
        """What it has written by now; a line that has not ended is missing."""
        self._take()
        with self._news:
            return "".join(line for line in self._lines if line is not None)

    def wait_for(self, pattern, timeout=20):
        """The first match of `pattern` in a line of its output. Raises if it ends or dawdles."""
        seen = 0

        def look():
            nonlocal seen
            while seen < len(self._lines):
                line = self._lines[seen]
                if line is None:
                    raise RuntimeError(f"{self.command[0]} ended without {pattern!r}:\n"
                                       + "".join(text for text in self._lines if text))
                if found := re.search(pattern, line):
                    return found
                seen += 1
            return None

        with self._news:
            found = self._news.wait_for(look, timeout)
            if not found:
                raise TimeoutError(f"no {pattern!r} from {' '.join(self.command)} in {timeout} s:\n"
                                   + "".join(text for text in self._lines if text))
            return found

    def stop(self, timeout=10):
        """Asks it to end (SIGTERM), insists after `timeout` seconds; its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self._reader.join(5)
        with self._news:
            if not self._ended():
                self._lines.append(None)  # somebody it started holds its output open
        self.process.stdout.close()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def configuration_fault(output):
    """The part of the first fault of a configuration that names the rule, not the profile."""
    found = re.search(r"error: (.*)", output)
    if not found:
        return "no reason given"
    text = re.sub(r'^profile "[^"]*":? ', "", found[1])
    return re.split(r"[:;.] ", text)[0].rstrip(".")


class Identity:
    """A key and a certificate in files."""

    def __init__(self, key, certificate):
        self.key, self.certificate = key, certificate


class Pki:
    """A root and what it issues, below one folder. Keys are made once a name and algorithm."""

    def __init__(self, folder, root_name="Test Root"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self.root = self.folder / "root.pem"
        self._root_key = self.key("root", "p256")
        openssl("req", "-x509", "-new", "-key", self._root_key, "-subj", f"/CN={root_name}", "-days", 30,
                "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", self.root)

    def key(self, name, algorithm):
        """The path of a private key."""
        path = self.folder / f"{name}-{algorithm}.key"
        with self._lock:
            if not path.exists():
                openssl("genpkey", *KEY_ALGORITHMS[algorithm], "-out", path)
        return path

    def request(self, key, subject):
        """The path of a PKCS#10 request for `key`."""
        path = key.with_suffix(".csr")
        openssl("req", "-new", "-key", key, "-subj", subject, "-out", path)
        return path

    def issue(self, name, algorithm, subject, eku=None, days=20, key=None, serial=None,
              usage="digitalSignature"):
        """An end entity's Identity that may sign messages; `key`, `serial`: those it has already."""
        path = self.folder / f"{name}-{algorithm}.pem"
        key = key or self.key(name, algorithm)
        request = self.request(key, subject)
        extensions, certificate = path.with_suffix(".ext"), path
        extensions.write_text(f"basicConstraints=CA:FALSE\nkeyUsage=critical,{usage}\n"
                              "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
                              + (f"extendedKeyUsage={eku}\n" if eku else ""))
        serial = serial or f"0x01{openssl('rand', '-hex', 8).strip()}"
        openssl("x509", "-req", "-in", request, "-CA", self.root, "-CAkey", self._root_key,
                "-set_serial", serial, "-days", days, "-extfile", extensions, "-out", certificate)
        return Identity(key, certificate)


def public_key_of(path, kind):
    """The SubjectPublicKeyInfo in PEM of a file: kind is "key" or "certificate"."""
    if kind == "key":
        return openssl("pkey", "-in", path, "-pubout")
    return openssl("x509", "-in", path, "-noout", "-pubkey")


class MockCa(Program):
    """The mock CA of `openssl cmp`: always answers with the certificate it was given."""

    def __init__(self, signer, client_trust, answer_certificate, *options):
        super().__init__(["openssl", "cmp", "-config", "", "-port", 0, "-srv_cert", signer.certificate,
                          "-srv_key", signer.key, "-srv_trusted", client_trust,
                          "-rsp_cert", answer_certificate, *options])
        self.port = int(self.wait_for(r"^ACCEPT .*:(\d+) ")[1])
        self.url = f"http://127.0.0.1:{self.port}/pkix/"


class ClientRun:
    """One run of the CMP client of `openssl cmp`. Without `identity`, `options` say how it protects; without `trust`
    it believes what its secret protects, and nothing else."""

    def __init__(self, url, identity, trust, *options):
        server, path = re.fullmatch(r"http://([^/]+)/?(.*)", url).groups()
        self.command = ["openssl", "cmp", "-config", "", "-server", server, "-path", path or "/",
                        *(["-cert", str(identity.certificate), "-key", str(identity.key)] if identity else []),
                        *(["-trusted", str(trust)] if trust else []), "-total_timeout", "20", *map(str, options)]
        done = subprocess.run(self.command, capture_output=True, text=True, errors="replace",
                              timeout=OPENSSL_TIMEOUT, check=False, stdin=subprocess.DEVNULL)
        self.status, self.output = done.returncode, done.stdout + done.stderr

    @property
    def ok(self):
        return self.status == 0

    @property
    def fail_info(self):
        """The failInfo the client was told, or None."""
        found = re.search(r"PKIFailureInfo: ([A-Za-z0-9, ]+)", self.output)
        return found[1].strip() if found else None

    @property
    def reason(self):
        """The reason of the first error on OpenSSL's error stack, or None."""
        found = re.search(r"CMP error: (.+)", self.output) or re.search(r":error:[^:]*:[^:]*:[^:]*:([^:\n]+)", self.output)
        return found[1].strip() if found else None

    @property
    def sent_nothing(self):
        return "CMP info: sending" not in self.output
