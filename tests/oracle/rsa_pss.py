"""RSA keys and signatures with nothing but integers: the strict key profile and RSASSA-PSS.

Key profile: SubjectPublicKeyInfo DER, 2048, 3072 or 4096 bits exactly, e = 65537, canonical.
Signatures: RFC 8017 8.1.2 with SHA-256, MGF1-SHA-256 and salt 32. It never signs and holds no private key.
"""

import hashlib

KEY_BITS = (2048, 3072, 4096)
SALT_LEN = HASH_LEN = 32
# AlgorithmIdentifier { rsaEncryption (1.2.840.113549.1.1.1), NULL }
_RSA_ENCRYPTION = bytes.fromhex("300d06092a864886f70d0101010500")
_EXPONENT = 65537


def sha256(raw):
    """32-byte SHA-256 of `raw`."""
    return hashlib.sha256(raw).digest()


def tlv(tag, body):
    """DER element of a tag and its body."""
    size = len(body)
    if size < 0x80:
        return bytes([tag, size]) + body
    width = (size.bit_length() + 7) // 8
    return bytes([tag, 0x80 | width]) + size.to_bytes(width, "big") + body


def _der_integer(value):
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def spki(modulus, exponent=_EXPONENT):
    """Canonical SubjectPublicKeyInfo DER of an RSA key."""
    key = tlv(0x30, _der_integer(modulus) + _der_integer(exponent))
    return tlv(0x30, _RSA_ENCRYPTION + tlv(0x03, b"\x00" + key))


def modulus_of(der):
    """The modulus of a key that fits the profile; ValueError for any other bytes."""
    # With the bits and the exponent fixed, the modulus stands at one place: cut it out, re-encode, compare.
    tail = len(_der_integer(_EXPONENT))
    for bits in KEY_BITS:
        modulus = int.from_bytes(der[-(bits // 8 + tail):-tail], "big")
        if modulus.bit_length() == bits and spki(modulus) == der:
            return modulus
    raise ValueError("key does not fit the profile: 2048, 3072 or 4096 bits, e = 65537, canonical DER")


def address_of(der):
    """20-byte address of a public key: the first bytes of SHA-256 over its DER."""
    modulus_of(der)
    return sha256(der)[:20]


def mgf1(seed, length):
    """Mask of `length` bytes (RFC 8017 B.2.1 with SHA-256)."""
    blocks = -(-length // HASH_LEN)
    return b"".join(sha256(seed + i.to_bytes(4, "big")) for i in range(blocks))[:length]


def pss_verify(der, message, signature):
    """Is `signature` over the 32-byte `message` (hashed once more inside PSS) by the key in `der`?"""
    modulus = modulus_of(der)
    em_len = modulus.bit_length() // 8
    s = int.from_bytes(signature, "big")
    if len(signature) != em_len or s >= modulus:
        return False
    em = pow(s, _EXPONENT, modulus).to_bytes(em_len, "big")
    db_len = em_len - HASH_LEN - 1
    masked, digest, trailer = em[:db_len], em[db_len:-1], em[-1]
    # The modulus has a multiple of 8 bits, so exactly the top bit lies outside emBits = modBits - 1.
    if trailer != 0xBC or masked[0] & 0x80:
        return False
    db = bytes(a ^ b for a, b in zip(masked, mgf1(digest, db_len)))
    db = bytes([db[0] & 0x7F]) + db[1:]
    padding, salt = db[:-SALT_LEN], db[-SALT_LEN:]
    if padding != bytes(len(padding) - 1) + b"\x01":
        return False
    return digest == sha256(bytes(8) + sha256(message) + salt)
