"""Makes new test keys and signatures with openssl and writes them into fixtures.py.

Needed only when a recorded message changes. The private keys live in a temporary directory and are never kept.
"""

import base64
import os
import pprint
import subprocess
import tempfile

import scenario
from rsa_pss import mgf1, modulus_of, sha256, spki

SIZES = {"miner_a": 2048, "miner_b": 2048, "user_c": 3072, "user_d": 4096}
MESSAGE = sha256(b"ccoin oracle")


def run(*words, stdin=b""):
    """Standard output of an openssl command."""
    return subprocess.run(["openssl", *words], input=stdin, capture_output=True, check=True).stdout


class Signer:
    """Four keys below `folder`; remembers every signature it made for the scenario."""

    def __init__(self, folder):
        self.path = {name: os.path.join(folder, name) for name in SIZES}
        self.made = {}
        for name, bits in SIZES.items():
            run("genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}", "-out", self.path[name])
        self.keys = {name: run("pkey", "-in", path, "-pubout", "-outform", "DER") for name, path in self.path.items()}

    def pss(self, name, message, salt=32, mgf="sha256", digest="sha256"):
        """PSS signature over `message`, which openssl hashes."""
        return run("dgst", f"-{digest}", "-sign", self.path[name], "-sigopt", "rsa_padding_mode:pss",
                   "-sigopt", f"rsa_pss_saltlen:{salt}", "-sigopt", f"rsa_mgf1_md:{mgf}", stdin=message)

    def raw(self, name, encoded):
        """The bare private-key operation (openssl calls it decrypt) on bytes as long as the modulus."""
        return run("pkeyutl", "-decrypt", "-inkey", self.path[name], "-pkeyopt", "rsa_padding_mode:none", stdin=encoded)

    def sign(self, name, message):
        """Recorded signature of the scenario."""
        key = f"{name}:{message.hex()}"
        if key not in self.made:
            self.made[key] = self.pss(name, message)
        return self.made[key]


def encoded(message, salt=b"\x5a" * 32, padding=0, separator=1, trailer=0xBC, top=0, masked_seed=8):
    """A 256-byte PSS encoding, optionally spoilt in one place."""
    digest = sha256(bytes(masked_seed) + sha256(message) + salt)
    db = bytes([0, padding]) + bytes(220 - len(salt)) + bytes([separator]) + salt
    masked = bytes(x ^ y for x, y in zip(db, mgf1(digest, 223)))
    return bytes([masked[0] & 0x7F | top]) + masked[1:] + digest + bytes([trailer])


def until(make, wanted):
    """First made value that is wanted."""
    while True:
        value = make()
        if wanted(value):
            return value


def with_top_bit(signer):
    """Signature whose encoding has its top bit set and is still below the modulus."""
    modulus = modulus_of(signer.keys["miner_a"])
    for i in range(1000):
        spoilt = encoded(MESSAGE, salt=sha256(bytes([i // 256, i % 256])), top=0x80)
        if int.from_bytes(spoilt, "big") < modulus:
            return signer.raw("miner_a", spoilt)
    raise SystemExit("modulus too close to 2^2047: run again")


def pss_cases(signer):
    """[(name, key, message, signature, verdict)] for one message and every way to spoil it."""
    key, n = "miner_a", modulus_of(signer.keys["miner_a"])
    good = signer.pss(key, MESSAGE)
    number = lambda s: int.from_bytes(s, "big")
    small = until(lambda: signer.pss(key, MESSAGE), lambda s: number(s) + n < 1 << 2048)
    zero = until(lambda: signer.pss(key, MESSAGE), lambda s: s[0] == 0)
    flip = lambda s, i, bit=1: s[:i] + bytes([s[i] ^ bit]) + s[i + 1:]
    valid = [(f"valid_{name}", name, MESSAGE, signer.pss(name, MESSAGE)) for name in SIZES]
    valid += [
        ("valid_small", key, MESSAGE, small), ("valid_leading_zero", key, MESSAGE, zero),
        ("valid_fixed_salt", key, MESSAGE, signer.raw(key, encoded(MESSAGE))),
        ("valid_zero_message", key, bytes(32), signer.pss(key, bytes(32))),
    ]
    spoilt = {
        "salt_20": signer.pss(key, MESSAGE, salt=20), "salt_0": signer.pss(key, MESSAGE, salt=0),
        "salt_222": signer.pss(key, MESSAGE, salt=222), "mgf1_sha1": signer.pss(key, MESSAGE, mgf="sha1"),
        "digest_sha512": signer.pss(key, MESSAGE, digest="sha512"),
        "pkcs1_v1_5": run("dgst", "-sha256", "-sign", signer.path[key], stdin=MESSAGE),
        "message_not_hashed_again": run("pkeyutl", "-sign", "-inkey", signer.path[key], "-pkeyopt", "digest:sha256",
                                        "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:32",
                                        stdin=MESSAGE),
        "s_plus_n": (number(small) + n).to_bytes(256, "big"), "leading_zero_stripped": zero[1:],
        "last_byte_missing": good[:-1], "empty": b"", "zero_prepended": b"\0" + good, "zero_appended": good + b"\0",
        "first_bit": flip(good, 0, 0x40), "last_bit": flip(good, 255), "zeros": bytes(256),
        "equal_to_n": n.to_bytes(256, "big"), "n_minus_1": (n - 1).to_bytes(256, "big"),
        "n_minus_s": (n - number(good)).to_bytes(256, "big"), "all_ones": b"\xff" * 256,
        "trailer_cc": signer.raw(key, encoded(MESSAGE, trailer=0xCC)),
        "padding_not_zero": signer.raw(key, encoded(MESSAGE, padding=1)),
        "separator_2": signer.raw(key, encoded(MESSAGE, separator=2)),
        "seven_zero_bytes": signer.raw(key, encoded(MESSAGE, masked_seed=7)),
        "top_bit_set": with_top_bit(signer),
    }
    bad = [(name, key, MESSAGE, signature) for name, signature in spoilt.items()]
    bad += [("other_key", "miner_b", MESSAGE, good), ("other_message", key, sha256(MESSAGE), good),
            ("longer_key", "user_c", MESSAGE, good), ("shorter_key", key, MESSAGE, signer.pss("user_c", MESSAGE))]
    return [(*case, True) for case in valid] + [(*case, False) for case in bad]


def odd_keys(folder):
    """{name: DER} of keys that openssl makes and the profile refuses."""
    path = os.path.join(folder, "odd")
    made = {}
    for name, options in (("bits_1024", ("rsa_keygen_bits:1024",)), ("bits_2047", ("rsa_keygen_bits:2047",)),
                          ("bits_2056", ("rsa_keygen_bits:2056",)), ("exponent_3", ("rsa_keygen_pubexp:3",))):
        run("genpkey", "-algorithm", "RSA", *(w for o in options for w in ("-pkeyopt", o)), "-out", path)
        made[name] = run("pkey", "-in", path, "-pubout", "-outform", "DER")
    run("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048", "-out", path)
    made["algorithm_pss"] = run("pkey", "-in", path, "-pubout", "-outform", "DER")
    run("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)
    made["elliptic_curve"] = run("pkey", "-in", path, "-pubout", "-outform", "DER")
    return made


def main():
    text = lambda raw: base64.b64encode(raw).decode()
    with tempfile.TemporaryDirectory() as folder:
        signer = Signer(folder)
        assert all(spki(modulus_of(der)) == der for der in signer.keys.values())
        list(scenario.cases(signer.keys, signer.sign))
        recorded = {
            "KEYS": {name: text(der) for name, der in signer.keys.items()},
            "ODD_KEYS": {name: text(der) for name, der in odd_keys(folder).items()},
            "SIGNATURES": {name: text(raw) for name, raw in signer.made.items()},
            "PSS": [(name, key, message.hex(), text(raw), valid)
                    for name, key, message, raw, valid in pss_cases(signer)],
        }
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures.py"), "w", encoding="ascii") as out:
        out.write('"""Public test keys and signatures over fixed messages, as base64.\n\n'
                  'Written by record.py and never edited; it holds no private key.\n"""\n')
        for name, value in recorded.items():
            out.write(f"\n{name} = {pprint.pformat(value, width=2000, sort_dicts=False)}\n")


if __name__ == "__main__":
    main()
