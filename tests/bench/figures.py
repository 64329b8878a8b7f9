"""The figures: each yields rows of (figure, what, measured, reach, aim, verdict)."""

import http.client
import pathlib
import re
import socket
import ssl
import statistics
import subprocess
import threading
import time

from peers import EKU_CMC_CA, Pki
from setup import OPAQUE, cpu_seconds, free_port, resident_mb


class Skipped(Exception):
    """Something this machine lacks."""


def row(number, what, value, reach, aim, unit="", smaller=False, note=""):
    def good(limit):
        return value <= limit if smaller else value >= limit

    verdict = "aim" if good(aim) else "reach" if good(reach) else "SHORT"
    sign = "≤" if smaller else "≥"
    return (number, what, f"{value:.3g}{unit}", f"{sign} {reach:g}{unit}", f"{sign} {aim:g}{unit}",
            verdict, note)


def print_table(rows):
    table = [("figure", "what", "measured", "reach", "aim", "verdict", "")] + rows
    widths = [max(len(line[column]) for line in table) for column in range(7)]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def median_of(runs, key):
    return statistics.median(run[key] for run in runs)


def against_haproxy(setup):
    """1: requests per CPU-second; 1b: what is added at one connection, and the slowest 1 %."""
    if not setup.has("haproxy"):
        raise Skipped("haproxy is not installed")
    repeats, rows = (1 if setup.quick else 7), []
    with setup.test_ca() as ca, setup.gateway(ca.port) as gateway, setup.haproxy(ca.port) as haproxy:
        both = {"gateway": gateway, "haproxy": haproxy}

        def measured(program, connections, count):
            before = cpu_seconds(program.process.pid)
            run = setup.load(program.port, connections, count)
            run["per_cpu_second"] = run["messages"] / (cpu_seconds(program.process.pid) - before)
            return run

        for connections in (16, 64):
            count = 500 if setup.quick else 20_000
            runs = {name: [] for name in both}
            for repeat in range(repeats + 1):
                for name, program in both.items():
                    run = measured(program, connections, count)
                    if repeat or setup.quick:  # the first warms up
                        runs[name].append(run)
            ours, theirs = (median_of(runs[name], "per_cpu_second") for name in both)
            rows.append(row("1", f"of haproxy's requests per CPU-second, {connections} connections",
                            100 * ours / theirs, 60, 80, " %",
                            note=f"{ours:,.0f}/s and {theirs:,.0f}/s"))
            ours, theirs = (median_of(runs[name], "p99_ms") for name in both)
            rows.append(row("1b", f"p99 against haproxy's, {connections} connections", ours / theirs,
                            1.5, 1, " ×", True, f"{ours:.2f} ms and {theirs:.2f} ms"))
        runs = {"gateway": [], "haproxy": [], "ca": []}
        for _ in range(repeats):
            for name, program in {**both, "ca": ca}.items():
                runs[name].append(setup.load(program.port, 1, 50 if setup.quick else 2000))
        ours, theirs, direct = (1000 * median_of(runs[name], "p50_ms") for name in runs)
        rows.append(row("1b", "latency added at 1 connection against haproxy's",
                        (ours - direct) / max(theirs - direct, 1), 1.5, 1, " ×", True,
                        f"{ours - direct:.0f} µs and {theirs - direct:.0f} µs"))
    return rows


def checked_profile(folder):
    """What `cmpgate bench --pki` needs to be let through: everything checked, both ways."""
    return f"""\
trust = "file:{folder}/root.pem"
responder = {{ eku = "cmcCA" }}
[[profile]]
name = "devices"
origin = {{ signature = {{ trust = "file:{folder}/root.pem" }} }}
rules = {{ key = ["ec:P-256"], subject = "CN=${{sender.CN}}" }}
upstream = "ca"
"""


def checked(setup):
    """2: protection, POP and answer verified: CPU of an ir and its ip against that of the crypto
    alone and of haproxy, which passes on the very same messages."""
    if not setup.has("haproxy"):
        raise Skipped("haproxy is not installed")
    folder, runs = setup.folder / "bench-pki", []
    count, repeats = (200, 1) if setup.quick else (4000, 7)
    with (setup.test_ca(pki=folder) as ca, setup.haproxy(ca.port) as haproxy,
          setup.gateway(ca.port, checked_profile(folder), pki=folder) as gateway):

        def cpu_us(program):
            before = cpu_seconds(program.process.pid)
            run = setup.load(program.port, 16, count, pki=folder)
            return 1e6 * (cpu_seconds(program.process.pid) - before) / run["messages"]

        for repeat in range(repeats + 1):
            crypto = setup.in_process("crypto")[0]
            run = {"gateway": cpu_us(gateway), "haproxy": cpu_us(haproxy),
                   "crypto": 3 * crypto["verify_us"] + crypto["key_us"]}
            run["ratio"] = run["gateway"] / (run["crypto"] + run["haproxy"])
            if repeat or setup.quick:  # the first warms up
                runs.append(run)
    note = (f"{median_of(runs, 'gateway'):.0f} µs; crypto {median_of(runs, 'crypto'):.0f} µs, "
            f"haproxy {median_of(runs, 'haproxy'):.0f} µs")
    return [row("2", "CPU of a checked ir and ip against its crypto and one haproxy exchange",
                median_of(runs, "ratio"), 1.33, 1.15, " ×", True, note)]


def workers(setup):
    """4b: the gateway without sockets, one and two workers on one store, CPU of their threads."""
    folder = setup.folder / "bench-pki"
    rows = []
    for name, options, count in (("checked", [], 2000), ("opaque", ["--opaque"], 40_000)):
        runs = []
        for _ in range(1 if setup.quick else 7):
            one, two = (setup.in_process("gateway", "--pki", folder, "--threads", threads, "--messages",
                                         100 if setup.quick else count, *options)[0]["us"]
                        for threads in (1, 2))
            runs.append({"one": one, "two": two, "gain": 2 * one / two})
        rows.append(row("4b", f"1 → 2 workers, {name}", median_of(runs, "gain"), 1.7, 1.9, " ×",
                        note=f"{median_of(runs, 'one'):.1f} and {median_of(runs, 'two'):.1f} µs of CPU "
                             "a message, without sockets"))
    return rows


def parse(setup):
    """What it costs to take a message apart, header and body, of every vector."""
    vectors = pathlib.Path(__file__).resolve().parents[1] / "vectors/cmp"
    costs = setup.in_process("parse", vectors)
    slowest = max(costs, key=lambda cost: cost["ns"])
    rows = [("parse", cost["name"], f"{cost['ns']:.0f} ns", "", "", "", f"{cost['octets']} octets")
            for cost in costs if cost["name"] in ("ir-sig", "ip-sig", "certconf-sig", "p10cr")]
    return rows + [("parse", f"slowest of {len(costs)} vectors: {slowest['name']}",
                    f"{slowest['ns']:.0f} ns", "", "", "", f"{slowest['octets']} octets")]


def slow_ca(setup):
    """5: a CA that takes 50 ms for each message."""
    rows = []
    with setup.test_ca(delay=50) as ca, setup.gateway(ca.port) as gateway:
        for clients in (16,) if setup.quick else (16, 512):
            count = clients * (2 if setup.quick else 40 if clients == 16 else 10)
            direct = setup.load(ca.port, clients, count, "--confirm")
            before = cpu_seconds(gateway.process.pid)
            run = setup.load(gateway.port, clients, count, "--confirm")
            cpu = 100 * (cpu_seconds(gateway.process.pid) - before) / run["seconds"]
            bound = clients / 0.1
            what = f"transactions/s, {clients} clients, 50 ms a message"
            note = f"direct {direct['rate'] / 2:.0f}/s; gateway's CPU {cpu:.0f} %"
            if clients == 16:
                rows.append(row("5", what, run["rate"] / 2, 0.9 * bound, 0.97 * bound, "/s", note=note))
            else:
                # The load and the CA share the processors: what they reach without a gateway is the most there is.
                rows.append(row("5", f"transactions/s against direct, {clients} clients, 50 ms a message",
                                100 * run["rate"] / direct["rate"], 80, 95, " %",
                                note=f"{run['rate'] / 2:.0f} of {bound:.0f}/s; {note}"))
    return rows


def make_pki(setup):
    pki = Pki(setup.folder / "pki")
    made = {"root": pki.root, "responder": pki.issue("responder", "p256", "/CN=CA", EKU_CMC_CA),
            "device": pki.issue("device", "p256", "/CN=device"), "ra": pki.issue("ra", "p256", "/CN=RA"),
            "new": pki.issue("new", "p256", "/CN=device")}
    return made


def certificate_der(path):
    return ssl.PEM_cert_to_DER_cert(path.read_text())


def signed_profile(pki):
    """Everything checked: keys and trust are loaded at start."""
    return f"""\
trust = "file:{pki['root']}"
responder = {{ eku = "cmcCA" }}
credential = "ra"
[[credential]]
name = "ra"
certificate = "file:{pki['ra'].certificate}"
key = "file:{pki['ra'].key}"
[[profile]]
name = "devices"
origin = {{ signature = {{ trust = "file:{pki['root']}" }} }}
rules = {{ key = ["ec:P-256"], subject = "CN=${{sender.CN}}" }}
upstream = "ca"
"""


def enrol_command(pki, port, folder, *options, path="/.well-known/cmp"):
    return ["openssl", "cmp", "-cmd", "ir", "-server", f"127.0.0.1:{port}", "-path", path,
            "-cert", pki["device"].certificate, "-key", pki["device"].key, "-newkey", pki["new"].key,
            "-subject", "/CN=device", "-trusted", pki["root"], "-certout", folder / "out.pem",
            "-keep_alive", "2", *options]


def time_enrolments(command):
    """Milliseconds from "sending IR" to "received PKICONF" of each, as the client prints them."""
    times, began = [], None
    with subprocess.Popen(["stdbuf", "-oL", "-eL", *map(str, command)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as client:
        text = ""
        watchdog = threading.Timer(60, client.kill)
        watchdog.start()
        for line in client.stdout:
            now = time.monotonic()
            text += line
            if "sending IR" in line:
                began = now
            elif "received PKICONF" in line:
                times.append(1000 * (now - began))
        watchdog.cancel()
        if client.wait():
            raise RuntimeError(f"openssl cmp: {text[-2000:]}")
    return times


def stock_client(setup):
    """6: `openssl cmp` at its own mock CA, through the gateway and without it."""
    pki = make_pki(setup)
    count = 2 if setup.quick else 31
    rows = []
    with setup.mock_ca(pki, pki["new"].certificate) as ca:
        direct = statistics.median(time_enrolments(
            enrol_command(pki, ca.port, setup.folder, "-repeat", count, path="/")))
        for name, profile in (("opaque", None), ("checked", signed_profile(pki))):
            with setup.gateway(ca.port, store=setup.store, **({"profile": profile} if profile else {})) as gateway:
                times = time_enrolments(enrol_command(pki, gateway.port, setup.folder, "-repeat", count))
            if len(times) != count:
                raise RuntimeError(f"{len(times)} of {count} enrolments seen")
            rows.append(row("6", f"openssl cmp, ir + certConf, kept alive, {name}, p50",
                            statistics.median(times), 8, 5, " ms", True, f"direct {direct:.1f} ms"))
    return rows


def memory(setup):
    """7: resident memory, one worker."""
    rows = []
    with setup.test_ca() as ca, setup.gateway(ca.port) as gateway:
        pid = gateway.process.pid
        rows.append(row("7", "resident memory at start", resident_mb(pid), 16, 12, " MB", True))
        most, stop = [0.0], threading.Event()

        def sample():
            while not stop.wait(0.05):
                most[0] = max(most[0], resident_mb(pid))

        sampler = threading.Thread(target=sample)
        sampler.start()
        try:
            count = 2000 if setup.quick else 20_000
            setup.load(gateway.port, 512, count)
        finally:
            stop.set()
            sampler.join()
        rows.append(row("7", "… 512 connections under load", max(most[0], resident_mb(pid)), 32, 24,
                        " MB", True, f"{count:,} transactions"))
    with setup.test_ca() as ca, setup.gateway(ca.port) as gateway:
        idle = 200 if setup.quick else 10_000
        holder = subprocess.Popen(setup.load_command(gateway.port, idle, idle, "--hold"),
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        with holder:
            line = holder.stdout.readline()
            if line.strip() != "holding":
                raise RuntimeError(f"{idle} connections could not be held")
            rows.append(row("7", f"… {idle:,} idle connections, one exchange each",
                            resident_mb(gateway.process.pid), 45, 35, " MB", True))
            holder.stdin.close()
            holder.stdout.read()
            if holder.wait(30):
                raise RuntimeError("not all of the connections had their answer")
    return rows


def start(setup):
    """8: from the spawn to the answer of a signed ir, checked."""
    pki = make_pki(setup)
    request = setup.folder / "ir.der"
    times = []
    with setup.mock_ca(pki, pki["new"].certificate) as ca:
        done = subprocess.run(list(map(str, enrol_command(pki, ca.port, setup.folder, "-reqout", request,
                                                          "-implicit_confirm", path="/"))),
                              capture_output=True, text=True, timeout=30, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        octets, issued = request.read_bytes(), certificate_der(pki["new"].certificate)
        for _ in range(2 if setup.quick else 11):
            port = free_port()
            began = time.monotonic()
            with setup.gateway(ca.port, signed_profile(pki), wait=False, port=port) as gateway:
                while True:
                    try:
                        status, content = setup.post(port, octets)
                        break
                    except ConnectionRefusedError:
                        if time.monotonic() - began > 10:
                            raise
                        time.sleep(0.0005)
                times.append(1000 * (time.monotonic() - began))
                if issued not in content:
                    raise RuntimeError(f"{status}, without the certificate\n{gateway.output}")
    return [row("8", "start to the first answered ir, keys and trust loaded", statistics.median(times), 50,
                20, " ms", True, f"fastest {min(times):.1f} ms")]


def store_on_disk(setup):
    """2d: what a store on the disk costs: ir + certConf, three synced changes a transaction."""
    rows, repeats = [], 1 if setup.quick else 5
    with setup.test_ca() as ca, setup.gateway(ca.port) as memory, \
            setup.gateway(ca.port, store="sqlite") as sqlite:
        both = {"memory": memory, "sqlite": sqlite}
        for connections in (16, 64):
            count = 200 if setup.quick else 4000
            runs = {name: [] for name in both}
            for repeat in range(repeats + 1):
                for name, program in both.items():
                    before = cpu_seconds(program.process.pid)
                    run = setup.load(program.port, connections, count, "--confirm")
                    run["cpu_us"] = 1e6 * (cpu_seconds(program.process.pid) - before) / count
                    if repeat or setup.quick:
                        runs[name].append(run)
            cpu = {name: median_of(runs[name], "cpu_us") for name in both}
            rate = {name: median_of(runs[name], "rate") / 2 for name in both}
            p99 = {name: median_of(runs[name], "p99_ms") for name in both}
            rows.append(("2d", f"sqlite, {connections} connections: transactions/s", f"{rate['sqlite']:.0f}/s", "", "",
                         "", f"memory {rate['memory']:.0f}/s; p99 {p99['sqlite']:.1f} and {p99['memory']:.1f} ms"))
            rows.append(("2d", f"sqlite, {connections} connections: CPU added a transaction",
                         f"{cpu['sqlite'] - cpu['memory']:.0f} µs", "", "", "",
                         f"{cpu['sqlite']:.0f} and {cpu['memory']:.0f} µs"))
    return rows


class Admin:
    """[admin] of a gateway, on a Unix socket."""

    def __init__(self, folder, name):
        self.path = folder / f"{name}.sock"
        self.section = f'[admin]\nurl = "unix:{self.path}"\n'

    def metric(self, name):
        connection = http.client.HTTPConnection("admin", timeout=30)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(30)
        connection.sock.connect(str(self.path))
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return float(re.search(rf"^{name} (\S+)$", text, re.MULTILINE)[1])


def remembering(setup):
    """1m: what 100,000 transactions that are remembered against replay cost those that come: CPU, p99, memory; with
    the store on disk how long the next start takes over them."""
    rows, repeats = [], 1 if setup.quick else 5
    entries, count, connections = 1000 if setup.quick else 100_000, 500 if setup.quick else 20_000, 16
    with setup.test_ca() as ca:
        for store in ("memory", "sqlite"):
            admins = {name: Admin(setup.folder, f"{store}-{name}") for name in ("full", "fresh")}
            profiles = {name: OPAQUE + admin.section for name, admin in admins.items()}
            with setup.gateway(ca.port, profiles["full"], store=store, name=f"{store}-full") as full:
                before = resident_mb(full.process.pid)
                setup.load(full.port, 64, entries)
                held, grown = admins["full"].metric("cmpgate_store_remembered"), resident_mb(full.process.pid) - before
                if held < entries:
                    raise RuntimeError(f"{held:.0f} of {entries} are remembered")
                runs = {name: [] for name in admins}
                for repeat in range(repeats + 1):
                    # One that holds nothing, new each time; the other holds what it is given here as well.
                    with setup.gateway(ca.port, profiles["fresh"], store=store, name=f"{store}-fresh-{repeat}") as fresh:
                        for name, program in (("full", full), ("fresh", fresh)):
                            setup.load(program.port, connections, count // 10)  # connections and arenas are there
                            cpu = cpu_seconds(program.process.pid)
                            run = setup.load(program.port, connections, count)
                            run["cpu_us"] = 1e6 * (cpu_seconds(program.process.pid) - cpu) / run["messages"]
                            if repeat or setup.quick:
                                runs[name].append(run)
                most = admins["full"].metric("cmpgate_store_remembered")
                cpu = {name: median_of(runs[name], "cpu_us") for name in admins}
                p99 = {name: median_of(runs[name], "p99_ms") for name in admins}
                rows.append(("1m", f"{store}: CPU of a message with {held:,.0f} to {most:,.0f} remembered / with few",
                             f"{cpu['full'] / cpu['fresh']:.3g} ×", "", "", "",
                             f"{cpu['full']:.1f} and {cpu['fresh']:.1f} µs; p99 {p99['full']:.2f} and {p99['fresh']:.2f} ms"))
                rows.append(("1m", f"{store}: memory grown by the first {held:,.0f}", f"{grown:.1f} MB", "", "", "",
                             f"{1e6 * grown / held:.0f} octets each, kept answers and arenas included"))
            if store == "sqlite":
                began = time.monotonic()
                with setup.gateway(ca.port, profiles["full"], store=store, name="sqlite-full") as again:
                    took = time.monotonic() - began
                    held = admins["full"].metric("cmpgate_store_remembered")
                    if held < entries:
                        raise RuntimeError(f"{held:.0f} of {most:.0f} are remembered after a restart")
                    octets = admins["full"].metric("cmpgate_store_file_bytes")
                    rows.append(("1m", f"sqlite: start with {held:,.0f} remembered, until it listens", f"{took:.2f} s", "", "", "",
                                 f"{octets / 1e6:.0f} MB on disk; {resident_mb(again.process.pid):.0f} MB resident"))
    return rows


FIGURES = {"2d": store_on_disk, "1m": remembering, "1": against_haproxy, "2": checked, "4b": workers, "parse": parse, "5": slow_ca,
           "6": stock_client, "7": memory, "8": start}
