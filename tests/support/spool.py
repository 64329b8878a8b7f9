"""The peers of a spool (RFC 9483 6.3): whoever puts files there and fetches the answers, and the courier who carries them
between two networks (python3 stdlib only)."""

import os
import pathlib
import threading
import time


def put(folder, name, octets):
    """As a peer should: written aside, then renamed."""
    aside = pathlib.Path(folder) / f".{name}"
    aside.write_bytes(octets)
    os.rename(aside, pathlib.Path(folder) / name)


def fetch(folder, name, timeout=20):
    """The octets of a file once it is there, and takes it away."""
    file, until = pathlib.Path(folder) / name, time.monotonic() + timeout
    while not file.exists():
        if time.monotonic() > until:
            raise TimeoutError(f"{file} never came")
        time.sleep(0.02)
    octets = file.read_bytes()
    file.unlink()
    return octets


def exchange(spool, name, octets, timeout=20):
    """The answer to one message by the spool of a listener."""
    put(spool / "in", name, octets)
    return fetch(spool / "out", name, timeout)


class Courier:
    """Carries requests out of one gateway's spool to `answer(octets)` (another network's listener, a CA) and the answers
    back, each once. It looks every now and then."""

    def __init__(self, spool, answer, pause=0.05):
        self.spool, self.answer, self.pause = pathlib.Path(spool), answer, pause
        self.carried, self.faults, self.ended = [], [], threading.Event()
        self.thread = threading.Thread(target=self._carry, daemon=True)

    def once(self):
        """Carries what is there now; how many that was."""
        waiting = sorted((self.spool / "out").glob("*.pki"))
        for file in waiting:
            octets = file.read_bytes()
            file.unlink()
            self.carried.append(file.name)
            put(self.spool / "in", file.name, self.answer(octets))
        return len(waiting)

    def _carry(self):
        while not self.ended.wait(self.pause):
            try:
                self.once()
            except Exception as fault:  # noqa: BLE001 - told by the test that reads `faults`
                self.faults.append(repr(fault))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join(30)
