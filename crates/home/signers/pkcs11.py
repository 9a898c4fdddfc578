#!/usr/bin/env python3
"""Signs for a ccoin node with an RSA key in a PKCS#11 token (an HSM, a smart card, SoftHSM).

Needs the package PyKCS11 (Debian: python3-pykcs11). In ccoin.json:

    "signer": {"command": ["/usr/bin/python3", "/opt/ccoin/pkcs11.py", "--module",
               "/usr/lib/softhsm/libsofthsm2.so", "--token", "ccoin", "--key", "validator",
               "--pin-file", "/etc/ccoin/pin"]}

Reads messages of 32 bytes from standard input and writes RSASSA-PSS signatures (SHA-256, MGF1
with SHA-256, salt of 32 bytes) to standard output, one after another, until the input ends.
With --public-key it prints the public key as PEM instead, for create-account --public-key.
"""
import argparse
import base64
import hashlib
import sys

import PyKCS11
from PyKCS11 import LowLevel as ck

MESSAGE = 32
RSA_ENCRYPTION = bytes.fromhex("300d06092a864886f70d0101010500")


def der(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def integer(number):
    return der(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def pem(modulus, exponent):
    key = der(0x30, integer(modulus), integer(exponent))
    text = base64.encodebytes(der(0x30, RSA_ENCRYPTION, der(3, b"\0", key)))
    lines = text.decode().replace("\n", "")
    lines = "\n".join(lines[at:at + 64] for at in range(0, len(lines), 64))
    return f"-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----"


def session_of(options):
    library = PyKCS11.PyKCS11Lib()
    library.load(options.module)
    for slot in library.getSlotList(tokenPresent=True):
        if library.getTokenInfo(slot).label.strip() == options.token:
            session = library.openSession(slot)
            if options.pin_file:
                with open(options.pin_file, encoding="utf-8") as file:
                    session.login(file.readline().rstrip("\r\n"))
            return session
    sys.exit(f"no token {options.token!r} in {options.module}")


def find(session, kind, label):
    found = session.findObjects([(ck.CKA_CLASS, kind), (ck.CKA_LABEL, label)])
    if len(found) != 1:
        sys.exit(f"{len(found)} keys with the label {label!r} where 1 is expected")
    return found[0]


def print_public_key(session, label):
    key = find(session, ck.CKO_PUBLIC_KEY, label)
    values = session.getAttributeValue(key, [ck.CKA_MODULUS, ck.CKA_PUBLIC_EXPONENT])
    print(pem(*(int.from_bytes(bytes(value), "big") for value in values)))


def sign_all(session, label):
    key = find(session, ck.CKO_PRIVATE_KEY, label)
    pss = PyKCS11.RSA_PSS_Mechanism(ck.CKM_RSA_PKCS_PSS, ck.CKM_SHA256, ck.CKG_MGF1_SHA256, 32)
    while message := sys.stdin.buffer.read(MESSAGE):
        if len(message) != MESSAGE:
            sys.exit("the input ended within a message")
        # The token gets the digest: PSS hashes the message once more.
        digest = hashlib.sha256(message).digest()
        sys.stdout.buffer.write(bytes(session.sign(key, digest, pss)))
        sys.stdout.buffer.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--module", required=True, help="the library of the token")
    parser.add_argument("--token", required=True, help="the label of the token")
    parser.add_argument("--key", required=True, help="the label of the key")
    parser.add_argument("--pin-file", help="a file whose first line is the PIN")
    parser.add_argument("--public-key", action="store_true", help="print it and end")
    options = parser.parse_args()
    session = session_of(options)
    (print_public_key if options.public_key else sign_all)(session, options.key)


if __name__ == "__main__":
    main()
