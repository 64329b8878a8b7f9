"""`cmpgate serve` under test: its log read as JSON, what it holds of descriptors, memory and rows, and peers
that speak HTTP octet by octet, on either side of it (python3 stdlib only)."""

import json
import os
import pathlib
import re
import socket
import subprocess
import threading
import time

from peers import ClientRun, Program

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATH = "/.well-known/cmp"


class Gateway(Program):
    """One process with a configuration file of its own; its log is JSON."""

    def __init__(self, cmpgate, folder, config, name="cmpgate.toml", level="info"):
        # AddressSanitizer keeps what is freed for a while: there memory says nothing.
        self.counts_memory = b"__asan_init" not in pathlib.Path(cmpgate).read_bytes()
        path = pathlib.Path(folder) / name
        path.write_text(f'version = 1\n{config}\n[log]\nformat = "json"\nlevel = "{level}"\n', encoding="utf-8")
        super().__init__([cmpgate, "serve", "-c", path])
        try:
            self.port = int(self.wait_for(r"http://127\.0\.0\.1:([1-9]\d*)" + re.escape(PATH))[1])
        except RuntimeError:
            errors = [line for line in self.output.splitlines() if "error" in line]
            raise RuntimeError("cmpgate does not start:\n" + "\n".join(errors)) from None
        self.url = f"http://127.0.0.1:{self.port}{PATH}"
        if level == "info":
            self.wait_for(r'"event":"ready"')

    def records(self, event="message"):
        """What it logged so far, the oldest first: a line is written before its answer leaves."""
        found = []
        for line in self.output.splitlines():
            if line.startswith("{"):
                record = json.loads(line)
                if record["event"] == event:
                    found.append(record)
        return found

    def record(self, trace, timeout=10):
        """What it logged of the exchange with this X-Request-Id."""
        wanted = f'"trace":"{trace}"'
        return json.loads(self.wait_for(r"^\{.*" + wanted + r".*\}$", timeout)[0])

    @property
    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    @property
    def memory(self):
        """Resident octets that are not of files."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"^RssAnon:\s+(\d+) kB", text, re.MULTILINE)[1]) * 1024

    @property
    def peak(self):
        """The most octets it ever had resident, those of files not counted as they are now."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        peak, now, anonymous = (int(re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)[1])
                                for name in ("VmHWM", "VmRSS", "RssAnon"))
        return (peak - now + anonymous) * 1024

    def rest(self, quiet=1.5, timeout=30):
        """(descriptors, memory) once it has had the same number of descriptors for a while."""
        until, since, last = time.monotonic() + timeout, time.monotonic(), self.descriptors
        while time.monotonic() - since < quiet:
            if (now := self.descriptors) != last:
                since, last = time.monotonic(), now
            if time.monotonic() > until:
                raise TimeoutError(f"{now} descriptors, and never at rest")
            time.sleep(0.05)
        return last, self.memory

    def back_to(self, descriptors, memory, spare, timeout=30):
        """Waits until it holds what it held at rest, and `spare` octets more at most; at no time it may have held
        more than twice that."""
        until = time.monotonic() + timeout
        if not self.counts_memory:
            spare = 1 << 40
        while True:
            now = self.descriptors, self.memory
            if now[0] <= descriptors and now[1] <= memory + spare:
                break
            if time.monotonic() > until:
                raise AssertionError(f"{now[0]} descriptors, {now[1] >> 20} MiB; at rest {descriptors}, "
                                     f"{memory >> 20} MiB")
            time.sleep(0.05)
        if (peak := self.peak) > memory + 2 * spare:
            raise AssertionError(f"{peak >> 20} MiB at its peak, {memory >> 20} MiB at rest")

    def ended_with(self):
        """Asks it to end; its "stopped" record, which says what the store still held."""
        status = self.stop(30)
        if status != 0:
            raise RuntimeError(f"cmpgate ended with {status}:\n{self.output[-4000:]}")
        return self.records("stopped")[-1]


def read_head(connection, received=b""):
    """(head, what came behind it); head None: the peer closed before it was whole."""
    while b"\r\n\r\n" not in received:
        octets = connection.recv(65536)
        if not octets:
            return None, received
        received += octets
    head, _, behind = received.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", behind


def read_content(connection, head, received):
    """(content, what came behind it) of a message with Content-Length or chunks."""
    if re.search(rb"^transfer-encoding:\s*chunked\s*$", head, re.MULTILINE | re.IGNORECASE):
        content = b""
        while True:
            while b"\r\n" not in received:
                received += _more(connection)
            size, _, received = received.partition(b"\r\n")
            size = int(size.split(b";")[0], 16)
            while len(received) < size + 2:
                received += _more(connection)
            content, received = content + received[:size], received[size + 2:]
            if size == 0:
                return content, received
    length = re.search(rb"^content-length:\s*(\d+)\s*$", head, re.MULTILINE | re.IGNORECASE)
    length = int(length[1]) if length else 0
    while len(received) < length:
        received += _more(connection)
    return received[:length], received[length:]


def _more(connection):
    octets = connection.recv(65536)
    if not octets:
        raise ConnectionError("closed within a message")
    return octets


class Framing:
    """How one HTTP message is cut: its content in chunks or with a length, its octets in segments."""

    def __init__(self, random=None):
        self.chunked = random is not None and random.chance(2)
        self.random = random

    def fields(self, content):
        return "Transfer-Encoding: chunked" if self.chunked else f"Content-Length: {len(content)}"

    def content(self, content):
        if not self.chunked:
            return content
        cut, at = b"", 0
        while at < len(content):
            size = 1 + self.random.below(self.random.pick([3, 40, 700]))
            piece = content[at:at + size]
            extension = self.random.pick([b"", b";a=b", b' ; q="x\\"y"'])
            cut += b"%x" % len(piece) + extension + b"\r\n" + piece + b"\r\n"
            at += size
        return cut + b"0\r\n" + self.random.pick([b"", b"X-Trailer: 1\r\n"]) + b"\r\n"

    def send(self, connection, octets):
        if self.random is None or self.random.chance(4):
            connection.sendall(octets)
            return
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        at, cuts = 0, 0
        while at < len(octets):
            size = 1 + self.random.below(self.random.pick([1, 30, 900]))
            if cuts > 40:
                size = len(octets)
            connection.sendall(octets[at:at + size])
            at, cuts = at + size, cuts + 1


class Client:
    """Speaks HTTP to the gateway over one connection, opened when it is needed."""

    def __init__(self, port, timeout=30):
        self.port, self.timeout, self.connection = port, timeout, None
        self.trace = None  # of the last answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def open(self):
        if self.connection is None:
            self.connection = socket.create_connection(("127.0.0.1", self.port), self.timeout)
        return self.connection

    def post(self, der, path=PATH, framing=None):
        """(status, content) of the answer."""
        framing = framing or Framing()
        head = (f"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Type: application/pkixcmp\r\n"
                f"{framing.fields(der)}\r\n\r\n").encode()
        framing.send(self.open(), head + framing.content(der))
        return self.response()

    def raw(self, octets):
        """The answer to octets that are sent as they are."""
        self.open().sendall(octets)
        return self.response()

    def response(self):
        head, behind = read_head(self.open())
        if head is None:
            self.close()
            return None, behind
        content, behind = read_content(self.connection, head, behind)
        if behind:
            raise RuntimeError(f"octets after the answer: {behind[:80]!r}")
        trace = re.search(rb"^x-request-id: ([0-9a-f]+)", head, re.MULTILINE | re.IGNORECASE)
        self.trace = trace[1].decode() if trace else None
        if re.search(rb"^connection:\s*close\s*$", head, re.MULTILINE | re.IGNORECASE):
            self.close()
        return int(head.split()[1]), content


class Server:
    """Listens on a port of its own; `serve(connection)` runs in a thread for each connection."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.connections, self.lock, self.faults = set(), threading.Lock(), []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            for connection in self.connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.settimeout(60)
            with self.lock:
                self.connections.add(connection)
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection):
        try:
            self.serve(connection)
        except OSError:
            pass  # the gateway closed first
        except Exception as fault:  # noqa: BLE001 - told by the test that reads `faults`
            self.faults.append(repr(fault))
        finally:
            with self.lock:
                self.connections.discard(connection)
            connection.close()

    def serve(self, connection):
        raise NotImplementedError


class ScriptedCa(Server):
    """Writes down each request as it came off the socket, and sends the answer it was given."""

    def __init__(self):
        super().__init__()
        self.received, self.answer, self.framing = [], b"", Framing()

    def serve(self, connection):
        behind = b""
        while True:
            head, behind = read_head(connection, behind)
            if head is None:
                return
            content, behind = read_content(connection, head, behind)
            self.received.append(content)
            framing = self.framing
            said = (f"HTTP/1.1 200 OK\r\nContent-Type: application/pkixcmp\r\n{framing.fields(self.answer)}\r\n\r\n"
                    ).encode()
            framing.send(connection, said + framing.content(self.answer))


class Recorder(Server):
    """A proxy that writes down (request, answer) of each exchange as they came off the sockets."""

    def __init__(self, port):
        super().__init__()
        self.to, self.exchanges = port, []

    def serve(self, connection):
        behind = b""
        with socket.create_connection(("127.0.0.1", self.to), 60) as onward:
            answered = b""
            while True:
                head, behind = read_head(connection, behind)
                if head is None:
                    return
                asked, behind = read_content(connection, head, behind)
                onward.sendall(head + asked)
                head, answered = read_head(onward, answered)
                if head is None:
                    return
                said, answered = read_content(onward, head, answered)
                passed = self.passed(said)
                if passed != said:
                    head = (b"HTTP/1.1 200 OK\r\nContent-Type: application/pkixcmp\r\nContent-Length: %d\r\n\r\n"
                            % len(passed))
                with self.lock:
                    self.exchanges.append((asked, passed))
                connection.sendall(head + passed)

    def passed(self, answer):
        """What is made of an answer."""
        return answer


def sign(key, octets):
    """An ECDSA signature with SHA-256 by openssl."""
    return subprocess.run(["openssl", "dgst", "-sha256", "-sign", str(key)], input=octets, capture_output=True,
                          check=True, timeout=30).stdout


class Steady:
    """A device that enrols again and again with `openssl cmp` while its block runs; each time must succeed."""

    def __init__(self, url, identity, trust, key, subject):
        self.command = (url, identity, trust, "-cmd", "ir", "-newkey", key, "-subject", subject,
                        "-certout", key.with_suffix(".new.pem"))
        self.enrolled, self.slowest, self._ending, self._fault = 0, 0.0, threading.Event(), None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def once(self, times=1):
        for _ in range(times):
            began = time.monotonic()
            run = ClientRun(*self.command)
            if not run.ok or "received PKICONF" not in run.output:
                raise AssertionError(f"{' '.join(run.command)}\n{run.output}")
            self.slowest = max(self.slowest, time.monotonic() - began)

    def _run(self):
        try:
            while not self._ending.is_set():
                self.once()
                self.enrolled += 1
        except Exception as fault:  # noqa: BLE001 - raised again by the block's end
            self._fault = fault

    def __enter__(self):
        self.slowest = 0.0
        self._thread.start()
        return self

    def __exit__(self, kind, *_):
        self._ending.set()
        self._thread.join(60)
        if self._fault and kind is None:
            raise self._fault


def documented(file, heading):
    """The table below a heading: {code in the first column: the texts of the other columns}."""
    text = (ROOT / file).read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and (name := re.search(r"`([^`]+)`\s*\)?$", cells[0])):
            found[name[1]] = tuple(cell.strip("`") for cell in cells[1:])
    return found
