"""`ccoin.py`: the vectors of the Rust code and of the oracle, then a network of real processes."""

import base64
import importlib.util
import json
import os
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "crates/client/sdk"))
import ccoin  # noqa: E402

VECTORS = json.loads((ROOT / "crates/client/sdk/vectors.json").read_text())
ORACLE = json.loads((ROOT / "tests/oracle/vectors.json").read_text())
SIGNS = importlib.util.find_spec("cryptography") is not None


def judged(work):
    """What a call returns and the code of its error, one of them None."""
    try:
        return work(), None
    except ccoin.CcoinError as error:
        return None, error.code


class Vectors(unittest.TestCase):
    def test_ids_are_those_of_the_oracle(self):
        keys = {case["name"]: base64.b64decode(case["input"]["der"])
                for case in ORACLE if case["kind"] == "key" and case["expected"]["valid"]}
        for case in ORACLE:
            if case["kind"] == "key" and case["expected"]["valid"]:
                self.assertEqual(ccoin.address_of(keys[case["name"]]), case["expected"]["address"])
            if case["kind"] == "transaction":
                txn = case["input"]
                own = ccoin.txn_id(txn["genesis_id"], txn["number"], keys[txn["from"]], txn["to"],
                                   txn["amount"], txn["data"], txn["time"])
                self.assertEqual(own, case["expected"]["id"], case["name"])

    @unittest.skipUnless(SIGNS, "no package cryptography")
    def test_keys_ids_and_signatures_are_those_of_the_rust_code(self):
        for case in VECTORS["key_files"]:
            got = judged(lambda: ccoin.Key.from_pem(case["pem"], case["passphrase"]).address)
            self.assertEqual(got, (case["address"], case["reason"]), case["name"])
        key = ccoin.Key.from_pem(VECTORS["key_files"][0]["pem"])
        names = ("genesis_id", "number", "to", "amount", "data", "time")
        for case in VECTORS["payments"]:
            payment = {name: case[name] for name in names}
            payment["data"] *= case.get("repeat", 1)
            got = judged(lambda: ccoin.check(key.sign(**payment), case["genesis_id"]))
            self.assertEqual(got, (case["id"], case["reason"]), case["name"])
        for case in VECTORS["signed"]:
            got = judged(lambda: ccoin.check(case["txn"], case["genesis_id"]))
            self.assertEqual(got, (case["id"], case["reason"]), case["name"])


class Network(unittest.TestCase):
    @unittest.skipUnless(SIGNS, "no package cryptography")
    def test_a_payment_becomes_final(self):
        with ccoin.Devnet(validators=1, basics=0, block_time="200ms") as net:
            alice, bob = net.key("alice"), net.address("bob")
            txn = net.node.send(alice, bob, 5, data="żółw 🐢", wait="final")
            self.assertEqual((txn["status"], txn["data"]), ("final", "żółw 🐢"))
            self.assertEqual(net.node.balance(bob), 1_000_005)
            self.assertEqual(net.node.block(txn["block_number"])["body"][0]["id"], txn["id"])
            _, code = judged(lambda: net.node.send(alice, bob, 10_000_000))
            self.assertEqual(code, "insufficient-funds")
            _, code = judged(lambda: net.node.txn("0" * 64))
            self.assertEqual(code, "txn-not-found")
            _, code = judged(lambda: net.key("alicia"))
            self.assertEqual(code, "not-found")
            data_dir, url = net.report["data_dir"], net.node.url
        self.assertFalse(os.path.exists(data_dir))
        _, code = judged(lambda: ccoin.Node(url).status())
        self.assertEqual(code, "connect")

    @unittest.skipUnless(SIGNS, "no package cryptography")
    def test_events_go_on_behind_the_last_one(self):
        with ccoin.Devnet(validators=1, basics=0, block_time="200ms") as net:
            _, code = judged(lambda: next(net.node.events(types=["gossip"])))
            if code == "not-found":
                self.skipTest("this node serves no events")
            self.assertEqual(code, "bad-field")
            blocks = net.node.events(types=["block"])
            first, second = next(blocks), next(blocks)
            self.assertEqual(second["data"]["number"], first["data"]["number"] + 1)
            again = next(net.node.events(types=["block"], last_id=first["id"]))
            self.assertEqual(again["data"]["id"], second["data"]["id"])
            alice, carol = net.key("alice"), net.address("carol")
            net.node.send(alice, net.address("bob"), 5)
            sent = net.node.send(alice, carol, 5)
            of_carol = net.node.events(types=["txn"], address=carol, last_id=first["id"])
            seen = next(of_carol)
            self.assertEqual((seen["type"], seen["data"]["id"]), ("txn", sent["id"]))

    def test_a_network_that_does_not_start_says_so(self):
        with self.assertRaisesRegex(ccoin.CcoinError, "ended with 2"):
            ccoin.Devnet(validators=0).__enter__()


if __name__ == "__main__":
    unittest.main()
