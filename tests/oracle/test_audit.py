"""Serves the recorded chain as a node would, and sees the audit accept it and name every single change to it.

Run it directly with python3; it listens on a free port of 127.0.0.1.
"""

import base64
import contextlib
import copy
import http.server
import io
import json
import tempfile
import threading
import unittest
import urllib.parse
from datetime import datetime, timezone

import answers
import audit
import scenario
import vectors
from oracle import address_of, block_id, mining_hash, txn_id

ADDRESS = "ab" * 20


def seconds(ms):
    """JSON number with three decimals, kept as text until it is written."""
    return f"@{ms // 1000}.{ms % 1000:03}@"


def shown(net, id_, block, state, final):
    """JSON of one block, as the original paths show it."""
    fields = block.header._asdict()
    fields.update({name: value.hex() for name, value in fields.items() if isinstance(value, bytes)})
    del fields["version"]
    body = [{"id": txn_id(net, t).hex(), "number": t.number, "from": address_of(t.from_key).hex(),
             "to": t.to.hex(), "amount": t.amount, "data": t.data, "time": seconds(t.time),
             "signature": vectors.b64(t.signature), "public_key": vectors.b64(t.from_key)} for t in block.txns]
    return {**fields, "time": seconds(block.header.time), "nonce": block.nonce, "body": body, "id": id_.hex(),
            "signature": vectors.b64(block.signature), "final": final,
            "state": {a.hex(): {"address": a.hex(), "nonce": n, "balance": b} for a, (n, b) in state.items()}}


def views(chain):
    """{number: JSON of the block} of the recorded chain."""
    blocks = zip([chain.genesis, *chain.blocks], chain.ancestors, replay(chain))
    return {a.number: shown(chain.net, a.id, block, state, a.number < 4) for block, a, state in blocks}


def replay(chain):
    """States after block 1 to the head."""
    _, state = scenario.apply_genesis(chain.genesis.header, chain.genesis.nonce, chain.alloc)
    states = [state]
    for at, block in enumerate(chain.blocks):
        _, state = scenario.apply_block(chain.rules, chain.net, chain.ancestors[:at + 1], state, block, None)
        states.append(state)
    return states


def answer(blocks, path, large):
    """(status, JSON) of a GET; a large state is shown two accounts at a time and nowhere else."""
    parts = urllib.parse.urlsplit(path)
    words = parts.path.strip("/").split("/")
    if words[1:] == ["blk", "cnt"]:
        return 200, len(blocks)
    block = blocks.get(int(words[2]))
    if block is None:
        return 404, {}
    if words[-1] == "state":
        after = urllib.parse.parse_qs(parts.query).get("after", [""])[0]
        rows = [row for name, row in sorted(block["state"].items()) if name > after]
        return 200, {"items": rows[:2], "next": rows[1]["address"] if len(rows) > 2 else None}
    if words[0] == "v1":
        return 200, rfc3339({name: value for name, value in block.items() if name != "state"})
    return (422, {}) if large else (200, block)


def rfc3339(value):
    """The same JSON with its times as /v1 shows them."""
    if isinstance(value, dict):
        return {name: rfc3339(item) for name, item in value.items()}
    if isinstance(value, list):
        return [rfc3339(item) for item in value]
    if isinstance(value, str) and value.startswith("@"):
        whole, part = value.strip("@").split(".")
        return f"{datetime.fromtimestamp(int(whole), timezone.utc):%Y-%m-%dT%H:%M:%S}.{part}Z"
    return value


class Audit(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.chain = scenario.build(vectors.KEYS, vectors.recorded)
        cls.honest = views(cls.chain)
        cls.answers, cls.large = cls.honest, False

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status, found = answer(cls.answers, self.path, cls.large)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(found).replace('"@', "").replace('@"', "").encode())

            def log_message(self, *_):
                pass

        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        cls.url = f"http://127.0.0.1:{cls.server.server_port}"
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()

    def audit(self, answers, *options):
        type(self).answers = answers
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = audit.main([self.url, ADDRESS, *options])
        return code, said.getvalue()

    def changed(self, number, change):
        answers = copy.deepcopy(self.honest)
        change(answers[number])
        return answers

    def test_honest_node(self):
        code, said = self.audit(self.honest)
        self.assertEqual((code, "blocks 5 up to 5" in said, "signatures checked 10, unchecked 0" in said),
                         (0, True, True), said)

    def test_from_a_later_block(self):
        for first, checked in ((2, 10), (3, 7), (4, 6), (5, 4)):
            code, said = self.audit(self.honest, "--from", str(first))
            self.assertEqual(code, 0, said)
            self.assertIn(f"signatures checked {checked}", said)
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(self.audit(self.honest, "--from", "7")[0], 4)

    def test_unknown_keys_are_counted_and_can_be_given(self):
        answers = {number: self.honest[number] for number in (1, 2, 3)}
        self.assertIn("signatures checked 2, unchecked 2", self.audit(answers)[1])
        with tempfile.NamedTemporaryFile("w", suffix=".pub") as file:
            lines = ("-----BEGIN PUBLIC KEY-----", vectors.b64(vectors.KEYS["miner_a"]), "-----END PUBLIC KEY-----", "")
            file.write("\n".join(lines))
            file.flush()
            self.assertIn("signatures checked 4, unchecked 0", self.audit(answers, "--key", file.name)[1])

    def test_every_field_of_every_block_is_checked(self):
        other = {int: lambda v: v + 1, bool: lambda v: "no", list: lambda v: v[1:] or [{}], dict: lambda v: {}}
        for number, block in self.honest.items():
            for name, value in block.items():
                def change(view, name=name, value=value):
                    view[name] = other.get(type(value), different)(value)
                code, said = self.audit(self.changed(number, change))
                self.assertEqual(code, 7, f"block {number} {name}: {said}")
                self.assertIn(f'"height": {number},', said)

    def test_every_field_of_a_transaction_is_checked(self):
        for name, value in self.honest[2]["body"][0].items():
            def change(view, name=name, value=value):
                view["body"][0][name] = value + 1 if isinstance(value, int) else different(value)
            code, said = self.audit(self.changed(2, change))
            self.assertEqual(code, 7, f"{name}: {said}")

    def test_state_may_not_differ_in_one_coin(self):
        def change(view):
            view["state"][scenario.NEWCOMER.hex()]["balance"] += 1
        code, said = self.audit(self.changed(4, change))
        self.assertEqual((code, json.loads(said)["name"], json.loads(said)["height"]), (7, "state", 4))

    def test_broken_candidates_are_named(self):
        for name, rule, block in scenario.broken(self.chain):
            header = block.header
            # The version is not shown, and a wrong number is seen before any rule of the chain.
            if header.version != 1 or header.number != 6:
                continue
            id_ = block_id(mining_hash(self.chain.net, header), block.nonce)
            code, said = self.audit({**self.honest, 6: shown(self.chain.net, id_, block, {}, False)})
            # No state is shown: a valid candidate passes every rule of the block and differs only there.
            self.assertEqual((code, json.loads(said)["name"]), (7, "state" if rule == "valid" else rule), name)

    def test_large_states_are_read_by_pages(self):
        type(self).large = True
        self.addCleanup(setattr, type(self), "large", False)
        code, said = self.audit(self.honest)
        self.assertEqual((code, "signatures checked 10, unchecked 0" in said), (0, True), said)

    def test_a_replaced_head_is_not_a_difference(self):
        elsewhere = self.changed(4, lambda view: view.update(id="00" * 32))
        begun = audit.Audit(answers.Node(self.url, ADDRESS), [])
        type(self).answers = self.honest
        begun.start()
        for number in (2, 3, 4):
            begun.next(number)
        self.assertFalse(begun.replaced())
        type(self).answers = elsewhere
        self.assertTrue(begun.replaced())

    def test_forged_genesis(self):
        genesis, other = self.chain.genesis, self.chain.address["miner_b"]
        spaced = genesis.header.data.replace(":7,", ": 7,")
        for rule, changed in (("coinbase", {"coinbase": other}), ("reward", {"reward": 6}),
                              ("difficulty", {"difficulty": 1}), ("genesis_data", {"data": spaced})):
            state = scenario.credit(self.chain.alloc, changed.get("coinbase", genesis.header.coinbase),
                                    changed.get("reward", 5))
            header = genesis.header._replace(hash_state=scenario.state_root(state), **changed)
            nonce = next(n for n in range(10**6) if scenario.has_work(scenario.genesis_id(header, n), 2))
            block = genesis._replace(header=header, nonce=nonce)
            self.audit_says(rule, {1: shown(b"", scenario.genesis_id(header, nonce), block, state, True)})

    def test_genesis_has_no_body(self):
        spoilt = self.chain.genesis._replace(txns=self.chain.blocks[0].txns)
        self.audit_says("body", {1: shown(b"", self.chain.net, spoilt, self.chain.alloc, True)})

    def test_rows_of_a_state_name_their_address(self):
        def change(view):
            view["state"][scenario.NEWCOMER.hex()]["address"] = "00" * 20
        self.audit_says("state.address", self.changed(4, change))

    def test_later_start_reads_the_whole_interval(self):
        type(self).answers = {**self.honest, 6: {"time": seconds(scenario.START + 2100)}}
        begun = audit.Audit(answers.Node(self.url, ADDRESS), [])
        begun.start()
        begun.skip_to(6)
        self.assertEqual([ancestor.number for ancestor in begun.ancestors], [1, 3, 4, 5])

    def test_later_start_does_not_believe_the_state(self):
        rich = {**self.chain.state, scenario.NEWCOMER: (0, 10**6)}
        last = self.chain.blocks[-1]
        last = last._replace(header=last.header._replace(hash_state=scenario.state_root(rich)))
        id_ = block_id(mining_hash(self.chain.net, last.header), last.nonce)
        after = {6: {"time": seconds(scenario.START + 2100)}}
        for rule, shown_id in (("supply", id_), ("id", self.chain.ancestors[-1].id)):
            view = shown(self.chain.net, shown_id, last, rich, False)
            self.audit_says(rule, {**self.honest, 5: view, **after}, "--from", "6")
        other = self.chain.blocks[2]
        other = other._replace(nonce=other.nonce + 1)
        id_ = block_id(mining_hash(self.chain.net, other.header), other.nonce)
        self.audit_says("parent", {**self.honest, 4: shown(self.chain.net, id_, other, {}, False), **after},
                        "--from", "6")

    def audit_says(self, rule, answers, *options):
        code, said = self.audit(answers, *options)
        self.assertEqual((code, json.loads(said)["name"]), (7, rule))

    def test_nobody_there(self):
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(audit.main(["http://127.0.0.1:1", ADDRESS]), 5)


def different(value):
    """Another text of the same kind: hex stays hex, a time stays a time, base64 stays base64."""
    if value.startswith("@"):
        return "@1" + value[1:]
    if value == "":
        return "AAAA"
    if len(value) % 4 == 0 and len(value) > 100:
        raw = base64.b64decode(value)
        return base64.b64encode(raw[:-1] + bytes([raw[-1] ^ 1])).decode()
    return value[:-1] + ("0" if value[-1] != "0" else "1")


if __name__ == "__main__":
    unittest.main()
