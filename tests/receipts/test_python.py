"""The Python verifier judges every vector of tests/data/receipts as the others do."""

import json
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "crates/client/verify"))

import ccoin_verify  # noqa: E402

DATA = ROOT / "tests/data/receipts"
CASES = json.loads((DATA / "cases.json").read_text("utf-8"))


def judge(text, case):
    document = case.get("document")
    genesis = bytes.fromhex(case.get("genesis") or CASES["genesis"])
    return ccoin_verify.verify(text.encode(), genesis, document and bytes.fromhex(document))


def changed(case):
    text = (DATA / case["file"]).read_text("utf-8")
    if "replace" in case:
        before, after = case["replace"]
        assert before in text
        return text.replace(before, after, 1)
    members = {**json.loads(text), **case.get("set", {})}
    return json.dumps({name: value for name, value in members.items() if value is not None})


class Vectors(unittest.TestCase):
    def test_every_good_receipt_is_verified(self):
        for case in CASES["good"]:
            with self.subTest(case["file"]):
                answer = judge((DATA / case["file"]).read_text("utf-8"), case)
                txn = answer["transaction"]
                self.assertEqual(case["proves"], {
                    "document": answer["document"],
                    "transaction": txn and txn["id"],
                    "sender": txn and txn["sender"],
                    "account": answer["account"],
                    "block": answer["block"]["number"],
                    "certified": answer["permanent"]["block"]["id"],
                    "voters": answer["permanent"]["voters"],
                })
                self.assertIn("not proven", ccoin_verify.words(answer))

    def test_every_bad_receipt_is_refused_at_its_step(self):
        for case in CASES["bad"]:
            with self.subTest(case["name"]):
                with self.assertRaises(ccoin_verify.Refused) as refused:
                    judge(changed(case), case)
                self.assertEqual(refused.exception.step, case["step"], str(refused.exception))

    def test_a_flipped_byte_of_any_part_is_refused(self):
        whole = json.loads((DATA / "document.ccoin").read_text("utf-8"))
        texts = list(self.texts(whole))
        self.assertGreater(len(texts), 12)
        for holder, key in texts:
            before = holder[key]
            for at in range(0, len(before), max(1, len(before) // 8)):
                other = "0" if before[at] != "0" else "1"
                holder[key] = before[:at] + other + before[at + 1:]
                with self.assertRaises(ccoin_verify.Refused, msg=f"{key} {at}"):
                    judge(json.dumps(whole), {})
            holder[key] = before
        judge(json.dumps(whole), {})

    def texts(self, value):
        keys = value.keys() if isinstance(value, dict) else range(len(value))
        for key in keys:
            if isinstance(value[key], str):
                yield value, key
            elif isinstance(value[key], (dict, list)):
                yield from self.texts(value[key])

    def test_long_and_deep_texts_end_in_an_answer(self):
        for text in ("[" * (4 << 20), '"' + '\\"' * 2_000_000, "{" * 200, " " * ((4 << 20) + 1), "1" * 100_000):
            with self.assertRaises(ccoin_verify.Refused) as refused:
                judge(text, {})
            self.assertEqual(refused.exception.step, 1)


if __name__ == "__main__":
    unittest.main()
