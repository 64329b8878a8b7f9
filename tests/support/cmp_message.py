"""PKIMessages as tests look at and change them, apart from the code that is tested: where header, body
and identifiers stand, what an answer says, and valid messages made of others by seed (stdlib only)."""

import hashlib

BODIES = ["ir", "ip", "cr", "cp", "p10cr", "popdecc", "popdecr", "kur", "kup", "krr", "krp", "rr", "rp", "ccr",
          "ccp", "ckuann", "cann", "rann", "crlann", "pkiconf", "nested", "genm", "genp", "error", "certConf",
          "pollReq", "pollRep"]
REQUESTS = {"ir", "cr", "kur", "p10cr", "rr", "genm", "certConf", "pollReq", "ccr", "krr", "nested"}
FOLLOW_UPS = {"certConf", "pollReq"}
FAIL_INFOS = ["badAlg", "badMessageCheck", "badRequest", "badTime", "badCertId", "badDataFormat", "wrongAuthority",
              "incorrectData", "missingTimeStamp", "badPOP", "certRevoked", "certConfirmed", "wrongIntegrity",
              "badRecipientNonce", "timeNotAvailable", "unacceptedPolicy", "unacceptedExtension",
              "addInfoNotAvailable", "badSenderNonce", "badCertTemplate", "signerNotTrusted", "transactionIdInUse",
              "unsupportedVersion", "notAuthorized", "systemUnavail", "systemFailure", "duplicateCertReq"]
# Tags of the header's optional fields (RFC 9810 5.1.1).
MESSAGE_TIME, PROTECTION_ALG, SENDER_KID, RECIP_KID, TRANSACTION_ID, SENDER_NONCE, RECIP_NONCE, FREE_TEXT, \
    GENERAL_INFO = (0xa0 + number for number in range(9))


def tlv(tag, content):
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def split(octets):
    """[(tag, content, whole)] of DER TLVs one after the other."""
    found, at = [], 0
    while at < len(octets):
        size, start = octets[at + 1], at + 2
        if size & 0x80:
            start += size & 0x7f
            size = int.from_bytes(octets[at + 2:start], "big")
        if start + size > len(octets):
            raise ValueError(f"truncated at octet {at}")
        found.append((octets[at], octets[start:start + size], octets[at:start + size]))
        at = start + size
    return found


def oid(text):
    first, second, *arcs = map(int, text.split("."))
    content = b""
    for arc in (first * 40 + second, *arcs):
        groups = [arc & 0x7f]
        while arc := arc >> 7:
            groups.append(0x80 | arc & 0x7f)
        content += bytes(reversed(groups))
    return tlv(0x06, content)


class Message:
    """Header fields, body and the rest; `der()` puts them together again, unchanged where nothing was changed."""

    def __init__(self, der):
        (tag, content, whole), *rest = split(der)
        if tag != 0x30 or rest:
            raise ValueError("not one SEQUENCE")
        header, body, *self.rest = split(content)  # rest: protection [0], extraCerts [1]
        fields = split(header[1])
        self.pvno, self.sender, self.recipient = (field[2] for field in fields[:3])
        self.fields = {field[0]: field[1] for field in fields[3:]}
        self.body = body[2]

    @property
    def type(self):
        return BODIES[self.body[0] - 0xa0]

    @property
    def content(self):
        return split(self.body)[0][1]

    def octet_string(self, tag):
        return split(self.fields[tag])[0][1] if tag in self.fields else None

    def set_octet_string(self, tag, octets):
        if octets is None:
            self.fields.pop(tag, None)
        else:
            self.fields[tag] = tlv(0x04, octets)

    transaction_id = property(lambda self: self.octet_string(TRANSACTION_ID),
                              lambda self, octets: self.set_octet_string(TRANSACTION_ID, octets))
    sender_nonce = property(lambda self: self.octet_string(SENDER_NONCE),
                            lambda self, octets: self.set_octet_string(SENDER_NONCE, octets))
    recip_nonce = property(lambda self: self.octet_string(RECIP_NONCE),
                           lambda self, octets: self.set_octet_string(RECIP_NONCE, octets))

    @property
    def header(self):
        fields = b"".join(tlv(tag, self.fields[tag]) for tag in sorted(self.fields))
        return tlv(0x30, self.pvno + self.sender + self.recipient + fields)

    @property
    def extra_certs(self):
        return [one[2] for tag, content, _ in self.rest if tag == 0xa1 for one in split(split(content)[0][1])]

    def der(self):
        return tlv(0x30, self.header + self.body + b"".join(whole for _, _, whole in self.rest))

    def protected_part(self):
        """What a protection is computed over (RFC 9810 5.1.3)."""
        return tlv(0x30, self.header + self.body)

    def protect(self, signature):
        """Replaces the protection by `signature` (octets of it)."""
        whole = tlv(0xa0, tlv(0x03, b"\0" + signature))
        self.rest = [(0xa0, b"", whole)] + [part for part in self.rest if part[0] != 0xa0]

    def fail_info(self):
        """The failInfo of a rejection in error, ip, cp, kup or rp; None: it is no rejection."""
        status = self._status_info()
        if status is None or split(status)[0][1] != b"\x02":
            return None
        bits = next((content for tag, content, _ in split(status) if tag == 0x03), None)
        if bits is None:
            return ""
        value = int.from_bytes(bits[1:], "big")
        width = 8 * (len(bits) - 1)
        return ",".join(name for number, name in enumerate(FAIL_INFOS)
                        if number < width and value >> (width - 1 - number) & 1)

    def _status_info(self):
        """The content of the first PKIStatusInfo."""
        outer = split(self.content)[0][1]
        if self.type == "error":
            return split(outer)[0][1]
        if self.type == "rp":
            return split(split(outer)[0][1])[0][1]
        if self.type in ("ip", "cp", "kup", "ccp"):
            responses = next(content for tag, content, _ in split(outer) if tag == 0x30)
            return split(split(responses)[0][1])[1][1]
        return None


def extra_certificates(der):
    """The certificates (DER) in a message's extraCerts."""
    field = next((content for tag, content, _ in Message(der).rest if tag == 0xa1), None)
    return [whole for _, _, whole in split(split(field)[0][1])] if field else []


class Seeded:
    """The same octets for the same seed, whatever Python it is."""

    def __init__(self, *seed):
        self.seed, self.number = repr(seed).encode(), 0

    def octets(self, count):
        made = b""
        while len(made) < count:
            made += hashlib.sha256(self.seed + self.number.to_bytes(8, "big")).digest()
            self.number += 1
        return made[:count]

    def below(self, limit):
        return int.from_bytes(self.octets(8), "big") % limit

    def chance(self, one_in):
        return self.below(one_in) == 0

    def pick(self, choices):
        return choices[self.below(len(choices))]


def any_value(random, depth=3):
    """Some DER nobody here knows."""
    kind = random.below(6)
    if kind == 0 and depth:
        return tlv(random.pick([0x30, 0xa0, 0xa1]), b"".join(any_value(random, depth - 1)
                                                             for _ in range(random.below(4))))
    if kind == 1:
        return tlv(0x02, bytes([1 + random.below(0x7e)]) + random.octets(random.below(20)))
    if kind == 2:
        return tlv(0x0c, "größer ☃".encode() * random.below(40))
    if kind == 3:
        return b"\x05\x00"
    return tlv(0x04, random.octets(random.pick([0, 1, 127, 128, 255, 256, 1000])))


UNKNOWN_INFO = "1.3.6.1.4.1.99999.7."  # generalInfo of nobody; the last arc is 1 to 8 here


def vary_header(message, random, pvno=True):
    """Another header that says as much: what a valid message may have there and nobody acts on.
    transactionID and nonces are the caller's."""
    if pvno and random.chance(3):
        message.pvno = b"\x02\x01\x03"
    if random.chance(2):
        # freeText: SEQUENCE OF UTF8String
        texts = [tlv(0x0c, ("ü" * random.below(90)).encode()) for _ in range(1 + random.below(3))]
        message.fields[FREE_TEXT] = tlv(0x30, b"".join(texts))
    if random.chance(2):
        infos = [tlv(0x30, oid(UNKNOWN_INFO + str(1 + number)) + (b"" if random.chance(5) else any_value(random)))
                 for number in range(1 + random.below(8))]
        kept = split(message.fields[GENERAL_INFO])[0][1] if GENERAL_INFO in message.fields else b""
        message.fields[GENERAL_INFO] = tlv(0x30, kept + b"".join(infos))
    if random.chance(3):
        message.set_octet_string(RECIP_KID, random.octets(1 + random.below(64)))
