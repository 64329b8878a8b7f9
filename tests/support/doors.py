"""Every door a device may come in by, each opened by a client nobody here wrote, and every way to a CA (python3 stdlib,
curl). A door carries one DER message to one gateway and brings the answer back; it knows nothing of CMP."""

import email
import email.message
import email.policy
import hashlib
import http.server
import pathlib
import re
import ssl
import subprocess
import tempfile
import threading
import uuid

from spool import Courier, exchange
from tcp_client import TcpClient

PATH = "/.well-known/cmp"
PSK = "0123456789abcdef0123456789abcdef"  # of the CoAP doors


class Door:
    """One way in. `config` is its [[listener]] (doors that share one are told apart by what the client speaks),
    `found` takes its address from the gateway's log, `send` brings one message."""

    name, listener = "", ""

    def config(self, world):
        raise NotImplementedError

    def found(self, gateway, world):
        raise NotImplementedError

    def send(self, der, label):
        raise NotImplementedError


class CurlDoor(Door):
    """HTTP in its versions, by curl."""

    def __init__(self, name, listener, scheme, *options):
        self.name, self.listener, self.scheme, self.options = name, listener, scheme, options

    def config(self, world):
        tls = f'tls = {{ certificate = "file:{world.tls[0]}", key = "file:{world.tls[1]}" }}\n' if self.scheme == "https" else ""
        return f'url = "{self.scheme}://127.0.0.1:0"\n{tls}'

    def found(self, gateway, world):
        self.port = int(gateway.wait_for(rf"{self.scheme}://127\.0\.0\.1:([1-9]\d*){re.escape(PATH)}")[1])
        self.root = world.tls_root

    def send(self, der, label):
        with tempfile.NamedTemporaryFile(prefix="cmpgate-door-") as body:
            body.write(der)
            body.flush()
            done = subprocess.run(
                ["curl", "-sS", "--max-time", "20", "--resolve", f"localhost:{self.port}:127.0.0.1", "--cacert", self.root,
                 "-H", "Content-Type: application/pkixcmp", "-H", "Expect:", "--data-binary", f"@{body.name}",
                 "-w", "%{stderr}%{http_code} %{http_version}", *self.options,
                 f"{self.scheme}://localhost:{self.port}{PATH}/p/{label}"],
                capture_output=True, timeout=30, check=False, stdin=subprocess.DEVNULL)
        if done.returncode or not done.stderr.startswith(b"200 "):
            raise RuntimeError(f"{self.name}: curl ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
        return done.stdout


class TcpDoor(Door):
    """CMP directly over TCP. A frame names no label: each has a listener of its own."""

    def __init__(self, name, listener, framing, secure=False):
        self.name, self.listener, self.framing, self.scheme = name, listener, framing, "tcps" if secure else "tcp"

    def config(self, world):
        tls = f'tls = {{ certificate = "file:{world.tls[0]}", key = "file:{world.tls[1]}" }}\n' if self.scheme == "tcps" else ""
        return "[[listener]]\n".join(
            ("" if number == 0 else f'name = "{self.listener}-{label}"\n')
            + f'url = "{self.scheme}://127.0.0.1:0"\nlabel = "{label}"\n{tls}' for number, label in enumerate(ways()))

    def found(self, gateway, world):
        self.ports = {}
        for number, label in enumerate(ways()):
            name = self.listener if number == 0 else f"{self.listener}-{label}"
            self.ports[label] = int(gateway.wait_for(
                rf'"event":"listening","listener":"{re.escape(name)}"[^\n]*"address":"127\.0\.0\.1:(\d+)"')[1])
        self.port = next(iter(self.ports.values()))
        self.tls = ssl.create_default_context(cafile=str(world.tls_root)) if self.scheme == "tcps" else None

    def send(self, der, label):
        with TcpClient(self.ports[label], self.tls) as client:
            return client.exchange(der, self.framing)


class CoapDoor(Door):
    """CoAP, by libcoap's client."""

    def __init__(self, name, client, listener=None, options=()):
        self.name, self.client, self.listener, self.scheme = name, client, listener or name, name.split("-")[0]
        self.options = options

    def config(self, world):
        text = f'url = "{self.scheme}://127.0.0.1:0"\n'
        if not self.scheme.startswith("coaps"):
            return text
        self.secret = world.folder / "door.psk"
        self.secret.write_text(PSK, encoding="ascii")
        self.secret.chmod(0o600)
        text += f'psk = "secrets"\ntls = {{ certificate = "file:{world.tls[0]}", key = "file:{world.tls[1]}" }}\n'
        if self.listener == "coaps":
            text += (f'[[secret]]\nreference = "door"\nsecret = "file:{self.secret}"\nuses = 0\ngenerated = true\n')
        return text

    def found(self, gateway, world):
        self.port = int(gateway.wait_for(
            rf'"event":"listening","listener":"{re.escape(self.listener)}"[^\n]*"address":"127\.0\.0\.1:(\d+)"')[1])
        self.root = world.tls_root

    def send(self, der, label):
        with tempfile.TemporaryDirectory(prefix="cmpgate-door-") as folder:
            request, answer = pathlib.Path(folder, "request"), pathlib.Path(folder, "answer")
            request.write_bytes(der)
            done = subprocess.run(
                [self.client, "-m", "post", "-t", "259", "-B", "30", *(option.format(door=self) for option in self.options), "-f", request, "-o", answer,
                 f"{self.scheme}://127.0.0.1:{self.port}{PATH}/p/{label}"],
                capture_output=True, timeout=40, check=False, stdin=subprocess.DEVNULL)
            # It ends with 0 whatever happened.
            if not answer.exists() or not (octets := answer.read_bytes()):
                raise RuntimeError(f"{self.name}: {(done.stdout + done.stderr).decode(errors='replace')}")
            return octets


class FileDoor(Door):
    """Spool directories, one a label."""

    name = listener = "file"

    def config(self, world):
        self.spools = {label: pathlib.Path(tempfile.mkdtemp(prefix=f"spool-{label}-", dir=world.folder)) for label in ways()}
        return "[[listener]]\n".join(
            ("" if number == 0 else f'name = "{self.listener}-{label}"\n') + f'url = "file://{spool}"\nlabel = "{label}"\n'
            for number, (label, spool) in enumerate(self.spools.items()))

    def found(self, gateway, world):
        self.port = 0

    def send(self, der, label):
        return exchange(self.spools[label], f"{uuid.uuid4()}.pki", der)


class MailDoor(CurlDoor):
    """A mail of Python's, into the pipe an MTA would have; on to the gateway under the label's path."""

    def __init__(self):
        super().__init__("mail", "plain", "http")

    def found(self, gateway, world):
        super().found(gateway, world)
        self.command = [gateway.command[0], "mail", "--from", "ra@example.org"]

    def send(self, der, label):
        asked = email.message.EmailMessage()
        asked["From"], asked["To"], asked["Subject"] = "press-17@example.org", "ra@example.org", "CMP"
        asked["Message-ID"] = f"<{uuid.uuid4()}@example.org>"
        asked.add_attachment(der, maintype="application", subtype="pkixcmp", filename="request.pki")
        done = subprocess.run([*self.command, "--to", f"http://127.0.0.1:{self.port}{PATH}/p/{label}"],
                              input=asked.as_bytes(policy=email.policy.SMTP), capture_output=True, timeout=40, check=False)
        answer = email.message_from_bytes(done.stdout, policy=email.policy.default)
        parts = [part for part in answer.walk() if part.get_content_type() == "application/pkixcmp"]
        if done.returncode or len(parts) != 1 or answer["In-Reply-To"] != asked["Message-ID"]:
            raise RuntimeError(f"mail: {done.returncode}, {len(parts)} parts: {done.stderr.decode(errors='replace')}")
        return parts[0].get_content()


def doors():
    """All of them, by name. Those of one listener stand next to each other."""
    every = [
        CurlDoor("http", "plain", "http", "--http1.1"),
        CurlDoor("http-chunked", "plain", "http", "--http1.1", "-H", "Transfer-Encoding: chunked"),
        CurlDoor("h2c", "plain", "http", "--http2-prior-knowledge"),
        MailDoor(),
        CurlDoor("https", "secure", "https", "--http1.1"),
        CurlDoor("h2", "secure", "https", "--http2"),
        TcpDoor("tcp", "frames", "versioned"),
        TcpDoor("tcp-2510", "frames", "rfc2510"),
        TcpDoor("tcps", "frames-tls", "versioned", secure=True),
        CoapDoor("coap", "coap-client-openssl"),
        CoapDoor("coap-gnutls", "coap-client-gnutls", listener="coap"),
        CoapDoor("coap+tcp", "coap-client-notls"),
        CoapDoor("coaps", "coap-client-openssl", options=("-C", "{door.root}")),
        CoapDoor("coaps-psk", "coap-client-gnutls", listener="coaps", options=("-u", "door", "-k", PSK)),
        CoapDoor("coaps+tcp", "coap-client-openssl", options=("-C", "{door.root}")),
        FileDoor(),
    ]
    return {door.name: door for door in every}


class Way:
    """One way on: the [[upstream]] that leads from the near gateway to a door of the far one."""

    def __init__(self, name, door, url, *keys):
        self.name, self.door, self.url, self.keys = name, door, url, keys
        self.profile = ""  # what else the profile says that leads there

    def config(self, far):
        text = f'name = "{self.name}"\nurl = "{self.url.format(port=far.doors[self.door].port if self.door else 0)}"\n'
        return text + "".join(key.format(world=far.world) + "\n" for key in self.keys)


class FileWay(Way):
    """A spool, with a courier who carries between it and that of the far gateway. Devices are not told to wait: the
    client of these tests cannot everywhere."""

    def __init__(self):
        super().__init__("file", "file", "", 'patience = "15s"')
        self.profile = "ee_trusts_ra = true\n"

    def config(self, far):
        spool = pathlib.Path(tempfile.mkdtemp(prefix="spool-way-", dir=far.world.folder))
        for name in ("in", "out"):
            (spool / name).mkdir(mode=0o700)
        courier = Courier(spool, lambda der: far.doors["file"].send(der, self.name))
        courier.thread.start()
        self.url = f"file://{spool}"
        return super().config(far)


TLS = 'tls = {{ trust = "file:{world.tls_root}" }}'


def ways():
    every = [
        Way("http", "http", "http://127.0.0.1:{port}" + PATH, 'http2 = "never"'),
        Way("h2c", "h2c", "http://127.0.0.1:{port}" + PATH, 'http2 = "prior-knowledge"'),
        Way("https", "https", "https://localhost:{port}" + PATH, 'http2 = "never"', TLS),
        Way("h2", "h2", "https://localhost:{port}" + PATH, TLS),
        Way("tcp", "tcp", "tcp://127.0.0.1:{port}"),
        Way("tcp-2510", "tcp", "tcp://127.0.0.1:{port}", 'tcp_framing = "rfc2510"'),
        Way("tcps", "tcps", "tcps://localhost:{port}", TLS),
        Way("coap", "coap", "coap://127.0.0.1:{port}" + PATH),
        Way("coaps", "coaps", "coaps://127.0.0.1:{port}" + PATH, TLS.replace(" }}", ', name = "localhost" }}')),
        Way("coap+tcp", "coap+tcp", "coap+tcp://127.0.0.1:{port}" + PATH),
        Way("coaps+tcp", "coaps+tcp", "coaps+tcp://127.0.0.1:{port}" + PATH, TLS),
        FileWay(),
        Way("labca", None, "labca:"),
    ]
    return {way.name: way for way in every}


class Bridge:
    """An HTTP server for `openssl cmp`, which speaks nothing else: what is posted to /DOOR/LABEL goes through that door
    as it is, and so does the answer. It keeps both."""

    def __init__(self, gates):
        self.gates, self.passed, self.faults, self.lock = gates, {}, {}, threading.Lock()
        bridge = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # noqa: N802 - as the base class wants it
                _, door, label = self.path.split("/")
                der = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    answer = bridge.gates[door].send(der, label)
                except Exception as fault:  # noqa: BLE001 - told by the test
                    with bridge.lock:
                        bridge.faults.setdefault((door, label), []).append(repr(fault))
                    self.send_error(502)
                    return
                with bridge.lock:
                    bridge.passed.setdefault((door, label), []).append((der, answer))
                self.send_response(200)
                self.send_header("Content-Type", "application/pkixcmp")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def digest(octets):
    return hashlib.sha256(octets).hexdigest()
