#!/usr/bin/env python3
"""README.md tells the truth: its files are written, its commands run, in order, in one folder.

Fenced blocks whose info string has `file=NAME` become files; `sh run` blocks are run by bash and
must end well, `sh run fails` blocks must not. A `sh background` block is started, and ended at the
end; the next block begins when it has printed a URL. Each line of a `text said` block it has said by then. Other `sh` blocks, and `commands` within lines, name
scripts of the repository: tests/run.sh is run with --dry-run and must know tests of the name shown,
conf/demo.sh is what demo_test.py runs, and each must know the options shown. The keys and certificates
the text speaks of are there; its ports are replaced by free ones.
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


SCRIPTS = ("conf/demo.sh", "tests/run.sh", ".ci/run")


def check_script(command, tests):
    """What is wrong with a command that names a script of the repository; None: nothing."""
    script, *options = command.split()
    path = ROOT / script
    if script not in SCRIPTS or not os.access(path, os.X_OK):
        return f"{script} is no program of the repository"
    if script == ".ci/run":
        return None if not options else f"{script} takes no options"
    if script == "tests/run.sh":
        done = subprocess.run([path, *options, "--dry-run"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=20, check=False)
        if done.returncode != 0:
            return done.stdout
        name = re.search(r"tests: (\S+)", done.stdout)
        if name and not any(re.search(name[1], test) for test in tests):
            return f"no test is called {name[1]}"
        return None
    known = set(re.findall(r"(?<!\S)--[a-z-]+", subprocess.run([path, "--help"], capture_output=True, text=True, timeout=20,
                                                              check=False).stdout))
    unknown = [option for option in options if option.startswith("--") and option not in known]
    return f"{script} does not know {unknown}" if unknown else None


def inline_commands(text):
    """Scripts with their options in the running text."""
    outside = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return [code for code in re.findall(r"`([^`\n]+)`", outside) if code.split()[0] in SCRIPTS]


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
    parser.add_argument("--tests", required=True, type=pathlib.Path, help="the build tree whose tests there are")
    options = parser.parse_args()
    listed = subprocess.run(["ctest", "--test-dir", options.tests, "-N"], capture_output=True, text=True, timeout=60, check=True)
    tests = re.findall(r"Test +#\d+: (\S+)", listed.stdout)
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
                elif language == "text" and "said" in words:
                    for said in content.splitlines():
                        try:
                            running[-1].wait_for(re.escape(said), timeout=5)
                        except TimeoutError:
                            faults.append(f"{where}: not said: {said}")
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
                        if fault := check_script(command, tests):
                            faults.append(f"{where}: {fault}")
                else:
                    continue
                ran += 1
            for command in inline_commands(text):
                if fault := check_script(command, tests):
                    faults.append(f"README.md: `{command}`: {fault}")
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
