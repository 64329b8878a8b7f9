#!/usr/bin/env python3
"""README.md tells the truth: its files are written, its commands run, in order, in one folder.

Fenced blocks whose info string has `file=NAME` become files; `sh run` blocks are run by bash and
must end well, `sh run fails` blocks must not. A `sh background` block is started, and ended at the
end; the next block begins when it has printed a URL. Other `sh` blocks name the scripts of the
repository, which must exist and know the options shown. The keys and certificates the text speaks of
are there; its ports are replaced by free ones.
"""

import argparse
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from peers import Pki, Program  # noqa: E402


def blocks(text):
    """(language, the words after it, content, line) of each fenced block."""
    for found in re.finditer(r"^```(\S*)[ \t]*([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield found[1], found[2].split(), found[3], text.count("\n", 0, found.start()) + 1


def check_script(command):
    """A script of the repository that is named with options: all of them are in its --help."""
    script, *options = command.split()
    path = ROOT / script
    if not os.access(path, os.X_OK):
        return f"{script} is no program of the repository"
    text = subprocess.run([path, "--help"], capture_output=True, text=True, timeout=20, check=False).stdout
    unknown = [option for option in options if option.startswith("--") and option not in text]
    return f"{script} does not know {unknown}" if unknown else None


def make_files(folder):
    """What the README's reader has: the roots, a device's certificate, a key of the wrong kind."""
    maker, plant = Pki(folder / "maker", "Maker Root"), Pki(folder / "plant", "Plant Root")
    device = maker.issue("device", "p256", "/CN=device 1")
    for source, name in [(maker.root, "maker-root.pem"), (plant.root, "plant-root.pem"), (device.key, "device.key"),
                         (device.certificate, "device.pem"), (maker.key("other", "p384"), "p384.key")]:
        shutil.copy(source, folder / name)


def with_free_port(text):
    """The text with a port nobody uses in place of the one it names."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return text.replace("0.0.0.0:8080", f"127.0.0.1:{port}").replace("127.0.0.1:8080", f"127.0.0.1:{port}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    options = parser.parse_args()
    environment = dict(os.environ, PATH=f"{options.cmpgate.resolve().parent}:{os.environ['PATH']}")

    ran, faults, running = 0, [], []
    with tempfile.TemporaryDirectory(prefix="cmpgate-readme-") as folder:
        make_files(pathlib.Path(folder))
        text = with_free_port((ROOT / "README.md").read_text(encoding="utf-8"))
        os.chdir(folder)
        try:
            for language, words, content, line in blocks(text):
                where = f"README.md:{line}"
                names = [word[5:] for word in words if word.startswith("file=")]
                if names:
                    pathlib.Path(names[0]).write_text(content, encoding="utf-8")
                elif language == "sh" and "background" in words:
                    running.append(Program(["bash", "-c", "exec " + content.strip()], environment))
                    running[-1].wait_for(r"http://\S+")
                elif language == "sh" and "run" in words:
                    done = subprocess.run(["bash", "-euo", "pipefail", "-c", content], env=environment, text=True,
                                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                                          stdin=subprocess.DEVNULL, check=False)
                    print(f"== {where}\n{content}--\n{done.stdout}")
                    if done.returncode != (1 if "fails" in words else 0):
                        faults.append(f"{where}: ended with {done.returncode}")
                elif language == "sh":
                    for command in filter(None, (text.split("#")[0].strip() for text in content.splitlines())):
                        if fault := check_script(command):
                            faults.append(f"{where}: {fault}")
                else:
                    continue
                ran += 1
        finally:
            for program in running:
                program.stop()
                print(f"== {' '.join(program.command)}\n{program.output}")
            os.chdir(ROOT)
    for fault in faults:
        print(f"error: {fault}")
    print(f"README.md: {ran} blocks, {len(faults)} wrong")
    sys.exit(1 if faults or not ran else 0)


if __name__ == "__main__":
    main()
