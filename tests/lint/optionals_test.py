#!/usr/bin/env python3
"""S-15: every OPTIONAL in the ASN.1 of requests has a case in tests/policy.

The ASN.1 stands above the parse functions of ra/cmp, as the RFCs print it. A case names what it is
about: "CertTemplate.serialNumber", "PKIHeader.messageTime: old", …
"""

import re

from sources import ROOT, finish, sources

# What stands in messages an EE or RA sends; answers have types of their own.
REQUEST_TYPES = {
    "PKIMessage", "PKIHeader", "CertReqMsg", "CertRequest", "CertTemplate", "OptionalValidity", "POPOSigningKey",
    "RevDetails", "CertStatus", "PKIStatusInfo", "InfoTypeAndValue",
}
# AlgorithmIdentifier.parameters: ra/crypto judges them with the algorithm (signature_test.cpp).
ELSEWHERE = {"AlgorithmIdentifier"}
ANSWERS = {"CertifiedKeyPair", "CertResponse", "CertRepMessage", "RevRepContent", "PollRepContent", "ErrorMsgContent"}
# What no OPTIONAL marks, and what is OPTIONAL as a whole.
MORE = ["CertificationRequestInfo.attributes", "CertTemplate.version", "CertTemplate.serialNumber",
        "CertTemplate.signingAlg", "CertTemplate.issuer", "CertTemplate.validity", "CertTemplate.subject",
        "CertTemplate.publicKey", "CertTemplate.issuerUID", "CertTemplate.subjectUID", "CertTemplate.extensions",
        "POPOSigningKeyInput.authInfo"]


def optionals(text):
    """{type: fields} of the ASN.1 in the comments of a file."""
    comments = re.sub(r"^(?!\s*//).*$", "\n;", text, flags=re.MULTILINE)
    asn1 = re.sub(r"\s*\n\s*///?\s*", " ", comments)
    found = {}
    for start in re.finditer(r"(\w+) ::= SEQUENCE \{", asn1):
        name = start[1]
        depth, flat = 1, ""
        for letter in asn1[start.end():]:
            depth += (letter == "{") - (letter == "}")
            if depth == 0:
                break
            if depth == 1 and letter != "}":
                flat += letter
        for field in flat.split(","):
            words = field.split()
            if words and words[-1] == "OPTIONAL":
                found.setdefault(name, []).append(words[0])
    return found


def main():
    wanted, faults = set(MORE), []
    seen = set()
    for path, text in sources():
        if not path.startswith("ra/cmp/") or "inspect" in path:
            continue
        for name, fields in optionals(text).items():
            if name in ANSWERS | ELSEWHERE:
                continue
            if name not in REQUEST_TYPES:
                faults.append(f"{path}: is {name} of requests or of answers? Say so in tests/lint/optionals_test.py")
            seen.add(name)
            wanted.update(f"{name}.{field}" for field in fields)
    # A comment that changed its form must not make the walk shorter unnoticed.
    for name in sorted(REQUEST_TYPES - seen - {"CertTemplate"}):
        faults.append(f"ra/cmp: no OPTIONAL found in the ASN.1 of {name}")
    cases = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests/policy").glob("*.cpp")))
    for one in sorted(wanted):
        if not re.search(r'"' + re.escape(one) + r"\b", cases):
            faults.append(f"tests/policy: no case named {one} (S-15)")
    print(f"{len(wanted)} OPTIONALs")
    finish("optionals", faults)


if __name__ == "__main__":
    main()
