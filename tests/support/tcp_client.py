"""CMP directly over TCP as a peer speaks it (spec 03 section 4), octet by octet, on either side (python3 stdlib only)."""

import socket
import ssl
import struct

from gateway import Server

REQ, POLL_REP, POLL_REQ, FIN_REP, REP, ERROR = 0, 1, 2, 3, 5, 6


def versioned(kind, value, flags=0, version=10):
    return struct.pack(">IBBB", 3 + len(value), version, flags, kind) + value


def rfc2510(kind, value):
    return struct.pack(">IB", 1 + len(value), kind) + value


FRAMINGS = {"versioned": versioned, "rfc2510": rfc2510}


class Frame:
    def __init__(self, octets):
        self.octets, self.framing = octets, "versioned" if octets[4] >= 10 else "rfc2510"
        head = 7 if self.framing == "versioned" else 5
        self.kind, self.value = octets[head - 1], octets[head:]
        self.close = self.framing == "versioned" and bool(octets[5] & 1)

    @property
    def error(self):
        """(error type, data, text) of a versioned errorMsgRep."""
        kind, size = struct.unpack(">HH", self.value[:4])
        return kind, self.value[4:4 + size], self.value[4 + size:].decode()


class Frames:
    """Whole frames over a connected socket."""

    def __init__(self, connection):
        self.connection, self.pending = connection, b""

    def send(self, octets):
        self.connection.sendall(octets)

    def read(self):
        """The next frame; None: the peer closed before it."""
        while len(self.pending) < 4 or len(self.pending) < 4 + struct.unpack(">I", self.pending[:4])[0]:
            try:
                octets = self.connection.recv(65536)
            except (ConnectionResetError, ssl.SSLEOFError):
                octets = b""
            if not octets:
                return None
            self.pending += octets
        size = 4 + struct.unpack(">I", self.pending[:4])[0]
        frame, self.pending = Frame(self.pending[:size]), self.pending[size:]
        return frame


class TcpClient(Frames):
    """A connection to a gateway. `tls`: an ssl.SSLContext."""

    def __init__(self, port, tls=None, timeout=20, source=None, name="localhost"):
        plain = socket.create_connection(("127.0.0.1", port), timeout, source_address=source)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(tls.wrap_socket(plain, server_hostname=name) if tls else plain)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def exchange(self, der, framing="versioned"):
        """The answer to one message, polled for where that is asked."""
        frame = FRAMINGS[framing]
        self.send(frame(REQ, der))
        answer = self.read()
        if answer is None or answer.kind != REP or answer.framing != framing:
            raise RuntimeError(f"no answer but {answer.octets if answer else 'the end'}")
        return answer.value


class TcpServer(Server):
    """A CA that speaks frames: `answer(der)` makes what it sends back, a whole frame."""

    def __init__(self, answer):
        self.answer = answer
        super().__init__()
        self.url = f"tcp://127.0.0.1:{self.port}"

    def serve(self, connection):
        frames = Frames(connection)
        while (frame := frames.read()) is not None:
            if not (octets := self.answer(frame)):
                return
            frames.send(octets)
            if Frame(octets).close:
                return
