"""Checks the oracle against answers that others published or computed: FIPS 180, RFC 6962, MessagePack, openssl.

Run it directly with python3; it needs the openssl command and nothing from the node.
"""

import base64
import json
import os
import subprocess
import tempfile
import unittest
from decimal import Decimal

import fixtures
import scenario
import vectors
from encoding import decode, encode
from genesis import canonical_config, load, milliseconds
from oracle import Ancestor, Header, Invalid, Rules, check_batch_rule, leader
from rsa_pss import address_of, pss_verify, sha256
from trees import (ZERO, merkle_path, merkle_root, merkle_root_from_path, state_proof, state_root,
                   state_root_from_proof)


class Encoding(unittest.TestCase):
    def test_known_bytes(self):
        for value, expected in ((0, "00"), (127, "7f"), (128, "cc80"), (256, "cd0100"), (65536, "ce00010000"),
                                (2**64 - 1, "cfffffffffffffffff"), ("", "a0"),
                                ("a" * 31, "bf" + "61" * 31), ("a" * 32, "d920" + "61" * 32),
                                (b"", "c400"), ([], "90"), ([1] * 15, "9f" + "01" * 15),
                                ([1] * 16, "dc0010" + "01" * 16),
                                (["é", b"\xff"], "92a2c3a9c401ff")):
            self.assertEqual(encode(value).hex(), expected)

    def test_only_the_shortest_form_is_read(self):
        for raw in ("cc7f", "cd00ff", "ce0000ffff", "cf00000000ffffffff", "d90161", "da000161", "c5000161",
                    "dc000101", "c0", "c2", "ff", "80", "ca00000000", "d40000", "a1ff", "0000", "92", ""):
            with self.assertRaises(ValueError, msg=raw):
                decode(bytes.fromhex(raw))

    def test_round_trip(self):
        value = [1, 2**53 - 1, "ü" * 200, b"\0" * 300, [[], ["", b""]]]
        self.assertEqual(decode(encode(value)), value)


class Hashes(unittest.TestCase):
    # Leaves and roots of the certificate-transparency reference implementation.
    LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    ROOTS = {1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
             2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
             3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
             8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"}

    def test_sha256(self):
        self.assertEqual(sha256(b"abc").hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")

    def test_merkle(self):
        leaves = [bytes.fromhex(leaf) for leaf in self.LEAVES]
        for count, root in self.ROOTS.items():
            self.assertEqual(merkle_root(leaves[:count]).hex(), root)
        self.assertEqual(merkle_root([]), ZERO)

    def test_merkle_paths(self):
        items = [bytes([i]) for i in range(20)]
        for count in range(1, 21):
            root = merkle_root(items[:count])
            for i in range(count):
                path = merkle_path(i, items[:count])
                self.assertEqual(merkle_root_from_path(items[i], i, count, path), root)
                self.assertNotEqual(merkle_root_from_path(b"x", i, count, path), root)

    def test_state_by_hand(self):
        # Their paths begin with the bits 0 and 1: SHA-256 of twenty 04 bytes is 2..., of twenty 00 bytes de....
        low, high = b"\x04" * 20, b"\x00" * 20
        leaf = lambda a, n, b: sha256(b"\0" + sha256(a) + a + n.to_bytes(8, "big") + b.to_bytes(8, "big"))
        self.assertEqual((sha256(low)[0] >> 7, sha256(high)[0] >> 7), (0, 1))
        self.assertEqual(state_root({}), ZERO)
        self.assertEqual(state_root({low: (1, 2)}), leaf(low, 1, 2))
        self.assertEqual(state_root({high: (5, 6), low: (3, 4)}), sha256(b"\1" + leaf(low, 3, 4) + leaf(high, 5, 6)))

    def test_state_proofs(self):
        state = {sha256(bytes([i]))[:20]: (i, i) for i in range(50)}
        root = state_root(state)
        for i in range(100):
            address = sha256(bytes([i]))[:20]
            siblings, end = state_proof(state, address)
            self.assertEqual(state_root_from_proof(address, siblings, end), root)
            self.assertEqual(end is not None and end[0] == address, 0 < i < 50)
        self.assertIsNone(state_root_from_proof(bytes(20), [ZERO] * 257, None))


class Signatures(unittest.TestCase):
    def test_only_the_four_keys_fit_the_profile(self):
        fitting = [name for _, name, _, expected in vectors.keys() if expected["valid"]]
        self.assertEqual(fitting, list(fixtures.KEYS))

    def test_openssl_agrees_on_addresses(self):
        for name, key in fixtures.KEYS.items():
            pem = subprocess.run(["openssl", "pkey", "-pubin", "-inform", "DER", "-outform", "DER"], check=True,
                                 input=base64.b64decode(key), capture_output=True).stdout
            self.assertEqual(sha256(pem)[:20], address_of(base64.b64decode(key)), name)

    def test_openssl_agrees_on_signatures(self):
        # Unlike the rule, openssl takes short signatures, and its dgst reads no more bytes than the modulus has:
        # these are left to the oracle alone.
        strict_only = {"leading_zero_stripped", "zero_appended"}
        verdicts = {True: 0, False: 0}
        for name, key, message, signature, valid in fixtures.PSS:
            got = pss_verify(base64.b64decode(fixtures.KEYS[key]), bytes.fromhex(message), base64.b64decode(signature))
            self.assertEqual(got, valid, name)
            if name not in strict_only:
                self.assertEqual(openssl_verify(key, message, signature), valid, name)
                verdicts[valid] += 1
        self.assertGreater(min(verdicts.values()), 5)


def openssl_verify(key, message, signature):
    """Does openssl accept the signature with salt 32?"""
    with tempfile.TemporaryDirectory() as folder:
        pub, sig = os.path.join(folder, "pub"), os.path.join(folder, "sig")
        with open(pub, "wb") as out:
            out.write(base64.b64decode(fixtures.KEYS[key]))
        with open(sig, "wb") as out:
            out.write(base64.b64decode(signature))
        return subprocess.run(
            ["openssl", "dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32",
             "-keyform", "DER", "-verify", pub, "-signature", sig],
            input=bytes.fromhex(message), capture_output=True).returncode == 0


class Consensus(unittest.TestCase):
    RULES = Rules((b"a", b"b", b"c"), 2000, 50, 1000, 3, 9, True, 1, 1, 100)

    def allowed(self, time, count, signer=b"a", rules=RULES, chain=()):
        header = Header(1, 2, ZERO, ZERO, ZERO, signer, time, 1, 1, "")
        try:
            check_batch_rule(rules, header, count, [Ancestor(1, ZERO, 10_000, b"a"), *chain])
            return True
        except Invalid:
            return False

    def test_leader(self):
        miners = self.RULES.miners
        self.assertEqual([leader(miners, 2000, t) for t in (0, 1999, 2000, 4000, 6000)], [b"a", b"a", b"b", b"c", b"a"])

    def test_batch_rule(self):
        never = self.RULES._replace(allow_empty=False)
        self.assertTrue(self.allowed(10_050, 3))
        self.assertFalse(self.allowed(10_999, 0))
        self.assertTrue(self.allowed(11_000, 0))
        self.assertFalse(self.allowed(11_000, 0, rules=never))
        self.assertTrue(self.allowed(11_000, 1, rules=never))
        # Block 1 does not count as a turn already taken, later ones within the interval do.
        self.assertTrue(self.allowed(10_500, 1))
        own = [Ancestor(2, ZERO, 10_100, b"a"), Ancestor(3, ZERO, 11_050, b"b")]
        self.assertFalse(self.allowed(11_099, 2, chain=own))
        self.assertTrue(self.allowed(11_100, 2, chain=own))
        self.assertFalse(self.allowed(11_100, 2, signer=b"b", chain=own))

    def test_configuration(self):
        text = canonical_config(load('{"network_id":7,"miners":["AA"],"block_mining":{"interval":1.25}}'))
        self.assertIn('"interval_ms":1250', text)
        self.assertTrue(text.startswith('{"block_mining":{"allow_empty":true,"difficulty":5,'))
        self.assertEqual(milliseconds(Decimal("1523101619.336")), 1523101619336)
        for bad in ('{"a":1,"a":2}', "NaN"):
            with self.assertRaises(ValueError):
                load(bad)
        with self.assertRaises(ValueError):
            milliseconds(Decimal("0.0001"))


class Blocks(unittest.TestCase):
    def test_every_broken_block_breaks_its_rule(self):
        chain = scenario.build(vectors.KEYS, vectors.recorded)
        for name, rule, block in scenario.broken(chain):
            self.assertEqual(chain.verdict(block), rule, name)


class Vectors(unittest.TestCase):
    def test_file_is_what_the_oracle_says(self):
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "vectors.json")
        with open(path, encoding="utf-8") as file:
            stored = file.read()
        self.assertEqual(stored, vectors.text())
        cases = json.loads(stored)
        self.assertGreaterEqual(len(cases), 200)
        self.assertLess(len(stored), 300_000)
        self.assertEqual(len({(c["kind"], c["name"]) for c in cases}), len(cases))


if __name__ == "__main__":
    unittest.main()
