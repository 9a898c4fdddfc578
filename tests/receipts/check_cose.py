"""Checks a COSE Receipt (RFC 9942) of a transaction with nothing of ccoin.

usage: check_cose.py RECEIPT TXID KEY.pem      exit code 0: it holds, 7: it does not

The CBOR reader knows the few kinds of items that such a receipt has.
"""

import hashlib
import pathlib
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding


class Refused(Exception):
    """Why a receipt does not hold."""


def need(holds, reason):
    if not holds:
        raise Refused(reason)


class Reader:
    """CBOR (RFC 8949) of definite lengths; a tag gives (tag, item)."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        taken = self.data[self.at : self.at + count]
        need(len(taken) == count, "the CBOR ends early")
        self.at += count
        return taken

    def item(self, depth=0):
        need(depth < 16, "the CBOR is nested too deep")
        kind, short = divmod(self.take(1)[0], 32)
        if kind == 7:
            need(short == 22, "a simple value but null")
            return None
        need(short < 28, "an indefinite length")
        number = short if short < 24 else int.from_bytes(self.take(1 << (short - 24)), "big")
        if kind < 2:
            return number if kind == 0 else -1 - number
        if kind == 2:
            return self.take(number)
        if kind == 3:
            return self.take(number).decode()
        if kind == 4:
            return [self.item(depth + 1) for _ in range(number)]
        if kind == 6:
            return number, self.item(depth + 1)
        entries = [(self.item(depth + 1), self.item(depth + 1)) for _ in range(number)]
        need(len(dict(entries)) == number, "a key twice")
        return dict(entries)


def read(data):
    reader = Reader(data)
    item = reader.item()
    need(reader.at == len(data), "bytes behind the CBOR")
    return item


def encode_bytes(data):
    """A byte string of less than 64 KiB."""
    length = len(data)
    if length < 24:
        return bytes([0x40 + length]) + data
    if length < 256:
        return bytes([0x58, length]) + data
    return b"\x59" + length.to_bytes(2, "big") + data


def root_of(entry, size, index, path):
    """RFC 9162, 2.1.3.2, with SHA-256."""
    need(0 <= index < size, "no such place")
    place, last = index, size - 1
    digest = hashlib.sha256(b"\0" + entry).digest()
    for sibling in path:
        need(last > 0 and len(sibling) == 32, "the path is too long")
        if place & 1 or place == last:
            digest = hashlib.sha256(b"\1" + sibling + digest).digest()
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            digest = hashlib.sha256(b"\1" + digest + sibling).digest()
        place, last = place >> 1, last >> 1
    need(last == 0, "the path is too short")
    return digest


def check(receipt, entry, key):
    tag, (protected, unprotected, payload, signature) = read(receipt)
    need(tag == 18, "no COSE_Sign1")
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    kid = hashlib.sha256(der).digest()[:20]
    need(read(protected) == {1: -37, 4: kid, 395: 1}, "another protected header")
    need(payload is None, "the payload is not detached")
    [inclusion] = unprotected[396][-1]
    size, index, path = read(inclusion)
    root = root_of(entry, size, index, path)
    message = b"\x84\x6aSignature1" + encode_bytes(protected) + b"\x40" + encode_bytes(root)
    salted = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
    key.verify(signature, message, salted, hashes.SHA256())
    return f"transaction {index} of {size}, root {root.hex()}"


def main():
    file, entry, key = sys.argv[1:]
    key = serialization.load_pem_public_key(pathlib.Path(key).read_bytes())
    try:
        print(check(pathlib.Path(file).read_bytes(), bytes.fromhex(entry), key))
    except (Refused, InvalidSignature, KeyError, TypeError, ValueError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(7)


if __name__ == "__main__":
    main()
