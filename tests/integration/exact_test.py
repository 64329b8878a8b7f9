#!/usr/bin/env python3
"""A forwarded message leaves as it came, to the octet; asserted at the sockets of client and CA.

The vectors of other implementations (tests/vectors/cmp) through an opaque profile and through one that
verifies them; messages varied by seed that stay valid; `openssl cmp` at the lab CA. Whatever way HTTP
cuts them: with a length, in chunks, in odd segments. What strictness refuses stands in
tests/vectors/refused.tsv with field and octet.
"""

import argparse
import pathlib
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
import cmp_message as cmp  # noqa: E402
from gateway import Client, Framing, Gateway, Recorder, ScriptedCa, sign  # noqa: E402
from peers import ClientRun, Identity, Pki, Program  # noqa: E402

VECTORS = ROOT / "tests/vectors"
# A day after their certificates begin: the validity one of them asks for is refused as past from then on.
VECTORS_BEGIN = 1795501770 + 86400 + 600
ROUNDS = 5  # framings by seed, besides the plain one

OPAQUE = """
workers = 1
[store]
kind = "memory"
[[listener]]
url = "http://127.0.0.1:0"
[[upstream]]
url = "{ca}"
[[profile]]
match = {{ operations = ["ir", "cr", "kur", "p10cr", "rr", "genm", "ccr"] }}
origin = "opaque"
"""
VERIFIED = """
workers = 1
[store]
kind = "memory"
[[listener]]
url = "http://127.0.0.1:0"
[[upstream]]
url = "{ca}"
trust = "file:{trust}"
responder = {responder}
ca_pubs = ["file:{trust}"]
[[profile]]
origin = {{ signature = {{ trust = "file:{devices}" }}, time_window = {window} }}
[profile.rules]
key = ["ec:P-256"]
subject = "*"
san_dns = ["*.example"]
san_ip = ["192.0.2.0/24"]
genm = ["signKeyPairTypes", "caCerts"]
rr = ["own", "C=DE,O=Example,CN=device-4711"]
general_info = [{infos}]
"""


def hexed(octets):
    return octets.hex() if len(octets) < 200 else f"{octets[:80].hex()}… ({len(octets)} octets)"


def rows(name):
    for line in (VECTORS / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")


def read_vectors():
    return {path.stem: path.read_bytes() for path in sorted((VECTORS / "cmp").glob("*.der"))}


def with_identifiers(der, of, answer=False):
    """The octets of another message, for the transaction of `of`: as the request whose answer `of` is, or as
    an answer to it."""
    message, other = cmp.Message(der), cmp.Message(of)
    message.transaction_id = other.transaction_id
    if answer:
        message.recip_nonce = other.sender_nonce
    else:
        message.sender_nonce, message.recip_nonce = other.recip_nonce, None
    return message.der()


def conversations(vectors):
    """[[(name, request, name, answer), …]]: each vector in its place in a transaction; what a vector's
    other side is not there for is made of another vector."""
    messages = {name: cmp.Message(der) for name, der in vectors.items()}
    requests = {name: one for name, one in messages.items() if one.type in cmp.REQUESTS}
    by_transaction = {}
    for name, message in messages.items():
        by_transaction.setdefault(message.transaction_id, []).append(name)
    found = []
    for names in by_transaction.values():
        steps, unanswered = [], {name for name in names if name in requests}
        for name in sorted(names):
            if name in requests:
                continue
            asked = [other for other in unanswered
                     if messages[other].sender_nonce == messages[name].recip_nonce]
            if asked:
                steps.append((asked[0], vectors[asked[0]], name, vectors[name]))
                unanswered.discard(asked[0])
            else:
                steps.append(("made of ir-sig", with_identifiers(vectors["ir-sig"], vectors[name]), name, vectors[name]))
        for name in unanswered:
            steps.append((name, vectors[name], "made of error",
                          with_identifiers(vectors["error"], vectors[name], answer=True)))
        # What begins comes first; a follow-up after the answer whose nonce it names.
        steps.sort(key=lambda step: cmp.Message(step[1]).type in cmp.FOLLOW_UPS)
        found.append(steps)
    return found


class Relay:
    """A gateway between a client and a CA that both write down what they see."""

    def __init__(self, cmpgate, folder, config, **values):
        self.ca = ScriptedCa()
        self.gateway = Gateway(cmpgate, folder, config.format(ca=self.ca.url, **values))
        self.client = Client(self.gateway.port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()
        self.gateway.stop()
        self.ca.__exit__()
        assert not self.ca.faults, self.ca.faults

    def exact(self, what, request, answer, framing=None):
        """One exchange that must come through both ways as it is, and from memory when it is repeated."""
        self.ca.received.clear()
        self.ca.answer, self.ca.framing = answer, framing or Framing()
        status, content = self.client.post(request, framing=framing)
        said = f"{what}: status {status}\nsent     {hexed(request)}\nat CA    {[hexed(one) for one in self.ca.received]}" \
               f"\nanswered {hexed(answer)}\ngot      {hexed(content)}\n{self.gateway.output[-1500:]}"
        assert status == 200 and self.ca.received == [request] and content == answer, said
        status, again = self.client.post(request)
        assert status == 200 and again == answer and self.ca.received == [request], f"repeated {said}"

    def outcome(self, request, answer, framing=None):
        """What becomes of an exchange, in the words of verified.tsv."""
        self.ca.received.clear()
        self.ca.answer, self.ca.framing = answer, framing or Framing()
        status, content = self.client.post(request, framing=framing)
        record = self.gateway.record(self.client.trace)
        assert status == 200 and self.ca.received in ([], [request]), (status, self.ca.received)
        if content == answer and self.ca.received:
            return "exact"
        assert cmp.Message(content).fail_info() == record["failInfo"], record
        return f"{'answer' if self.ca.received else 'request'} refused ({record['rule']}, {record['failInfo']})"


def framings(*seed):
    yield None
    for number in range(ROUNDS):
        yield Framing(cmp.Seeded("framing", number, *seed))


def vectors_opaque(cmpgate, folder):
    """Every vector, requests at the CA and answers at the client, in every framing."""
    vectors, exchanges = read_vectors(), 0
    for framing in framings("opaque"):
        seen = set()
        with Relay(cmpgate, folder, OPAQUE) as relay:
            for steps in conversations(vectors):
                for name, request, answered, answer in steps:
                    relay.exact(f"{name} and {answered}", request, answer, framing)
                    seen |= {name, answered}
                    exchanges += 1
        missing = set(vectors) - seen
        assert not missing, f"not sent: {missing}"
    print(f"  {len(vectors)} vectors, {exchanges} exchanges, each repeated", flush=True)


def vectors_verified(cmpgate, folder):
    """Those that verify, exactly; the others by the rule that stands in verified.tsv."""
    if time.time() < VECTORS_BEGIN:
        print("SKIPPED: the clock is before 2026-11-25 06:40, when what the vectors ask for has settled")
        return
    vectors = read_vectors()
    wanted = {name: outcome for name, outcome in rows("verified.tsv")}
    requests = {name for name, der in vectors.items() if cmp.Message(der).type in cmp.REQUESTS}
    assert set(wanted) == requests, f"verified.tsv: {set(wanted) ^ requests}"
    signer = folder / "responder.der"
    signer.write_bytes(cmp.Message(vectors["ip-sig"]).extra_certs[0])
    trust = VECTORS / "cmp/ca.pem"
    differ, exact = [], 0
    for framing in framings("verified"):
        with Relay(cmpgate, folder, VERIFIED, trust=trust, devices=trust, window=0, infos="",
                   responder=f'{{ certificate = "file:{signer}" }}') as relay:
            for steps in conversations(vectors):
                for name, request, answered, answer in steps:
                    if name not in wanted:
                        continue  # nobody here can sign what is made of another
                    outcome = relay.outcome(request, answer, framing)
                    exact += outcome == "exact"
                    if outcome != wanted[name]:
                        differ.append(f"{name} and {answered}: {outcome}; verified.tsv says {wanted[name]}")
    assert not differ, "\n".join(differ)
    print(f"  {len(wanted)} requests, {exact} exact exchanges", flush=True)


def varied(random, vectors, names):
    """(request, answer): a pair of vectors with everything changed that may be."""
    asked, answered = (cmp.Message(vectors[name]) for name in names)
    asked.transaction_id = answered.transaction_id = random.octets(16 + random.below(49))
    asked.sender_nonce = random.octets(16 + random.below(49))
    answered.recip_nonce, answered.sender_nonce = asked.sender_nonce, random.octets(16 + random.below(49))
    for message in (asked, answered):
        cmp.vary_header(message, random)
        if random.chance(3):
            message.set_octet_string(cmp.SENDER_KID, random.octets(1 + random.below(200)))
        if random.chance(4):
            message.fields.pop(cmp.MESSAGE_TIME, None)
        if message.type in ("genm", "genp"):
            infos = [cmp.tlv(0x30, cmp.oid(cmp.UNKNOWN_INFO + str(number)) + cmp.any_value(random))
                     for number in range(1 + random.below(9))]
            message.body = cmp.tlv(message.body[0], cmp.tlv(0x30, b"".join(infos)))
        if random.chance(2):
            certificates = message.extra_certs
            picked = [random.pick(certificates) for _ in range(1 + random.below(16))] if certificates else []
            message.rest = [part for part in message.rest if part[0] != 0xa1]
            if picked:
                content = cmp.tlv(0x30, b"".join(picked))
                message.rest.append((0xa1, content, cmp.tlv(0xa1, content)))
        if random.chance(5):  # unprotected; without the algorithm, as RFC 9810 5.1.1 wants it
            message.fields.pop(cmp.PROTECTION_ALG, None)
            message.rest = [part for part in message.rest if part[0] != 0xa0]
    if asked.type == "cr" and random.chance(2):  # ccr and ccp have the same content
        asked.body, answered.body = bytes([0xad]) + asked.body[1:], bytes([0xae]) + answered.body[1:]
    return asked.der(), answered.der()


def varied_opaque(cmpgate, folder, seeds):
    """Other identifiers, texts, unknown generalInfo, certificates, no protection: still exact."""
    vectors = read_vectors()
    pairs = [("ir-sig", "ip-sig"), ("ir-pbm", "ip-pbm"), ("cr-implicit", "cp-implicit"), ("kur", "kup"),
             ("p10cr", "p10cr-cp"), ("rr", "rp"), ("genm", "genp"), ("genm-unprotected", "genp"),
             ("ir-nopopo", "ip-rejected"), ("ir-raverified", "error"), ("ir-sig", "ip-waiting")]
    with Relay(cmpgate, folder, OPAQUE) as relay:
        for seed in seeds:
            random = cmp.Seeded("opaque", seed)
            request, answer = varied(random, vectors, random.pick(pairs))
            relay.exact(f"seed {seed}", request, answer, Framing(random))
    print(f"  {len(seeds)} seeds", flush=True)


class Lab(Program):
    """The lab CA in front of which everything is written down."""

    def __init__(self, program, folder, trust):
        super().__init__([program, "--trust", trust, "--write", folder])
        self.port = int(self.wait_for(r"http://127\.0\.0\.1:(\d+)")[1])
        self.root = folder / "root.pem"


def varied_signed(cmpgate, labca, folder, seeds):
    """`openssl cmp` at the lab CA through a gateway that verifies: exact both ways; and its requests with
    other headers, signed again."""
    pki = Pki(folder / "pki")
    device = pki.issue("device", "p256", "/CN=device 1")
    infos = ", ".join(f'"{cmp.UNKNOWN_INFO}{number}"' for number in range(1, 10))
    with Lab(labca, folder, pki.root) as lab, Recorder(lab.port) as at_ca:
        devices = folder / "devices.pem"
        devices.write_text(pki.root.read_text() + lab.root.read_text())
        config = VERIFIED.format(ca=f"http://127.0.0.1:{at_ca.port}/pkix/", trust=lab.root, devices=devices, infos=infos,
                                 responder='{ eku = "cmcCA" }', window=300)
        with Gateway(cmpgate, folder, config) as gateway, Recorder(gateway.port) as at_client:
            url = f"http://127.0.0.1:{at_client.port}/.well-known/cmp"
            first = folder / "first.pem"
            new, other = pki.key("new", "p256"), pki.key("other", "p256")
            enrolled = Identity(new, first)
            what = ["-subject", "/CN=device 1", "-geninfo", f"{cmp.UNKNOWN_INFO}9:int:7"]
            runs = [
                ("ir", device, ["-newkey", new, *what, "-sans", "a.example", "-certout", first]),
                ("cr", device, ["-newkey", other, *what, "-implicit_confirm", "-certout", folder / "cr.pem"]),
                ("p10cr", device, ["-csr", pki.request(other, "/CN=device 1"), "-certout", folder / "p10cr.pem"]),
                ("kur", enrolled, ["-newkey", pki.key("next", "p256"), "-certout", folder / "kur.pem"]),
                ("genm", device, ["-infotype", "caCerts"]),
                ("rr", enrolled, ["-oldcert", first, "-revreason", 1]),
            ]
            for operation, identity, options in runs:
                run = ClientRun(url, identity, lab.root, "-cmd", operation, "-untrusted", device.certificate, *options)
                assert run.ok, f"{operation}\n{run.output}\n{gateway.output}"
            assert at_client.exchanges == at_ca.exchanges and len(at_ca.exchanges) == 9, len(at_ca.exchanges)
            requests = [cmp.Message(asked) for asked, _ in at_ca.exchanges]
            requests = [one.der() for one in requests if one.type in ("ir", "cr", "p10cr", "genm")]
            with Client(gateway.port) as client:
                for seed in seeds:
                    random = cmp.Seeded("signed", seed)
                    message = cmp.Message(random.pick(requests))
                    message.transaction_id = random.octets(16 + random.below(49))
                    message.sender_nonce = random.octets(16 + random.below(49))
                    cmp.vary_header(message, random)
                    message.protect(sign(device.key, message.protected_part()))
                    at_ca.exchanges.clear()
                    status, content = client.post(message.der(), framing=Framing(random))
                    answer = cmp.Message(content)
                    assert status == 200 and answer.type in ("ip", "cp", "genp"), (seed, answer.type, gateway.output[-1500:])
                    assert at_ca.exchanges == [(message.der(), content)], f"seed {seed}"
    print(f"  9 exchanges of openssl cmp, {len(seeds)} seeds", flush=True)


def edit(der, where):
    """`der` with one place changed: "PATH what[=HEX]", PATH the numbers of TLVs from the outside in. Lengths
    around it are put right, and DER, so that only the place itself is not."""
    path, what = where.split(" ", 1)
    what, _, value = what.partition("=")

    def change(tag, content, whole):
        head = whole[:len(whole) - len(content)]
        return {"long-length": lambda: bytes([tag]) + _long(len(content)) + content,
                "indefinite": lambda: bytes([tag | 0x20, 0x80]) + content + b"\0\0",
                "tag": lambda: bytes.fromhex(value) + head[1:] + content,
                "content": lambda: cmp.tlv(tag, bytes.fromhex(value)),
                "append": lambda: cmp.tlv(tag, content + bytes.fromhex(value)),
                "prepend": lambda: cmp.tlv(tag, bytes.fromhex(value) + content),
                "after": lambda: whole + bytes.fromhex(value),
                "twice": lambda: whole + whole,
                "drop": lambda: b"",
                "cut": lambda: whole[:-int(value)]}[what]()

    def walk(octets, numbers):
        parts = cmp.split(octets)
        number, *deeper = numbers
        tag, content, whole = parts[number]
        made = cmp.tlv(tag, walk(content, deeper)) if deeper else change(tag, content, whole)
        return b"".join(part[2] for part in parts[:number]) + made + b"".join(part[2] for part in parts[number + 1:])

    return walk(der, [int(number) for number in path.split("/")])


def _long(size):
    octets = size.to_bytes((max(size, 1).bit_length() + 7) // 8, "big")
    if size >= 0x80:
        octets = b"\0" + octets
    return bytes([0x80 | len(octets)]) + octets


def refused_vectors(cmpgate, folder, show):
    """refused.tsv line by line: each edit of a vector, what the log says of it, and that the other side sees
    nothing of it."""
    vectors, differ, count = read_vectors(), [], 0
    steps = {name: step for step in sum(conversations(vectors), []) for name in (step[0], step[2])}
    with Relay(cmpgate, folder, OPAQUE) as relay:
        for count, (name, where, *wanted) in enumerate(rows("refused.tsv"), 1):
            _, asked, _, answer = steps[name]
            if is_request := asked == vectors[name]:
                asked = edit(asked, where)
            else:
                # Identifiers of its own for each row, as long as they were: no offset moves.
                request, answered, random = cmp.Message(asked), cmp.Message(answer), cmp.Seeded("row", count)
                request.transaction_id = answered.transaction_id = random.octets(16)
                request.sender_nonce = answered.recip_nonce = random.octets(16)
                asked, answer = request.der(), edit(answered.der(), where)
            relay.ca.received.clear()
            relay.ca.answer = answer
            status, content = relay.client.post(asked)
            record = relay.gateway.record(relay.client.trace)
            got = [record.get("rule", record["decision"]), record.get("detail", "")]
            if show:
                print("\t".join([name, where, *got]))
                continue
            if got != wanted:
                differ.append(f"{name} {where}: {got}; refused.tsv says {wanted}")
            # Nothing of it comes through, and the client is told in CMP.
            came_through = bool(relay.ca.received) if is_request else content == answer
            if came_through or status not in (200, 400):
                differ.append(f"{name} {where}: status {status}, came through: {came_through}")
            elif cmp.Message(content).fail_info() != ("badDataFormat" if is_request else "systemFailure"):
                differ.append(f"{name} {where}: the client was told {cmp.Message(content).fail_info()}")
    assert not differ, "\n".join(differ)
    print(f"  {count} rows", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    parser.add_argument("--labca", required=True, type=pathlib.Path)
    parser.add_argument("--seed", type=int, help="this seed alone")
    parser.add_argument("--show", action="store_true", help="print refused.tsv as it comes out")
    options = parser.parse_args()
    cmpgate = options.cmpgate.resolve()
    seeds = [options.seed] if options.seed is not None else range(400)
    tests = [
        ("vectors, opaque", lambda folder: vectors_opaque(cmpgate, folder)),
        ("vectors, verified", lambda folder: vectors_verified(cmpgate, folder)),
        ("varied, opaque", lambda folder: varied_opaque(cmpgate, folder, seeds)),
        ("varied, signed", lambda folder: varied_signed(cmpgate, options.labca, folder, seeds[:60])),
        ("refused by strictness", lambda folder: refused_vectors(cmpgate, folder, options.show)),
    ]
    for name, test in tests:
        with tempfile.TemporaryDirectory(prefix="cmpgate-exact-") as folder:
            test(pathlib.Path(folder))
        print(f"{name}: ok", flush=True)


if __name__ == "__main__":
    sys.exit(main())
