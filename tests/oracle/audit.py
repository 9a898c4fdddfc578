"""Walks a running node over HTTP and re-computes every block: `audit.py URL ADDRESS [--from N] [--key FILE]...`

It trusts nothing the node says about ids, hashes, states or signatures and changes nothing on it. It cannot
judge finality (the original paths show no certificate) nor whether a block was on time by some clock.
Exit 0: all fits. 7: the first difference. 5: cannot connect. 4: the node has no such block.
"""

import argparse
import base64
import json
import sys

from answers import Node, Refused, read_block, read_state, read_time
from genesis import rules_of
from oracle import (MAX_COINS, Ancestor, Invalid, address_of, apply_block, apply_genesis, block_id,
                    check_block_signature, mining_hash, modulus_of, require, require_most, state_root)

SUPPLY_ROOM = 10**9


def readable(state):
    """A state as sorted text rows, for messages."""
    return [f"{address.hex()} nonce {nonce} balance {balance}" for address, (nonce, balance) in sorted(state.items())]


def require_state(expected, got):
    """Raise Invalid with the accounts that differ."""
    require("state", readable(dict(expected.items() - got.items())), readable(dict(got.items() - expected.items())))


class Audit:
    """The replay of one chain so far, and what could not be checked yet for want of a miner's key."""

    def __init__(self, node, keys):
        self.node, self.keys = node, {address_of(der): der for der in keys}
        self.at = 1
        self.unsigned = []
        self.counts = {"blocks": 0, "txns": 0, "signatures": 0}

    def start(self):
        """Check block 1 and take rules, genesis id and state from it."""
        raw = self.node.block(1)
        block, state = read_block(raw, b""), read_state(raw)
        self.rules, config = rules_of(block.header.data)
        first = config["genesis_block"]
        require("coinbase", first["coinbase"] or "00" * 20, block.header.coinbase.hex())
        require("reward", first["coinbase_reward"] if first["coinbase"] else 0, block.header.reward)
        require("difficulty", first["difficulty"], block.header.difficulty)
        require("signature", "", raw["signature"])
        require("body", [], raw["body"])
        alloc = dict(state)
        nonce, balance = alloc.get(block.header.coinbase, (0, 0))
        if balance < block.header.reward:
            raise Invalid("state", f"at least the reward on {block.header.coinbase.hex()}", balance)
        alloc[block.header.coinbase] = (nonce, balance - block.header.reward)
        self.net, self.state = apply_genesis(block.header, block.nonce, alloc)
        require("id", self.net.hex(), raw["id"])
        require_state(self.state, state)
        self.coins = self.sum()
        require_most("supply_room", MAX_COINS, self.coins + SUPPLY_ROOM * self.rules.reward)
        self.ancestors = [Ancestor(1, self.net, block.header.time, block.header.coinbase)]
        self.counts["blocks"] += 1

    def skip_to(self, number):
        """Take the state before `number` from the node (it must fit its hash) and the headers the batch rule needs."""
        if number <= 2:
            return
        first, later, at = self.ancestors[0], [], number - 1
        since = read_time("time", self.node.block(number)["time"]) - self.rules.interval_ms
        while at > 1 and (not later or later[-1].time > since):
            self.at = at
            raw = self.node.block(at)
            block = read_block(raw, self.net)
            header, id_ = block.header, block_id(mining_hash(self.net, block.header), block.nonce)
            require("id", id_.hex(), raw["id"])
            if later:
                require("parent", id_.hex(), parent.hex())
            else:
                self.state = read_state(raw)
                require("hash_state", state_root(self.state).hex(), header.hash_state.hex())
                most = self.coins + self.rules.reward * (at - 1)
                require_most("supply", most, self.sum())
                self.coins = self.sum()
            later.append(Ancestor(at, id_, header.time, header.coinbase))
            parent, at = header.hash_parent, at - 1
        self.ancestors = [first] + later[::-1]

    def sum(self):
        """All coins of the state."""
        return sum(balance for _, balance in self.state.values())

    def next(self, number):
        """Check block `number` on top of the replay."""
        self.at = number
        raw = self.node.block(number)
        block = read_block(raw, self.net)
        require("number", number, block.header.number)
        for txn in block.txns:
            self.keys[address_of(txn.from_key)] = txn.from_key
        key = self.keys.get(block.header.coinbase)
        id_, self.state = apply_block(self.rules, self.net, self.ancestors, self.state, block, key)
        require("id", id_.hex(), raw["id"])
        require_state(self.state, read_state(raw))
        self.coins += block.header.reward
        require("supply", self.coins, self.sum())
        self.ancestors.append(Ancestor(number, id_, block.header.time, block.header.coinbase))
        if key is None:
            self.unsigned.append((number, block.header.coinbase, id_, block.signature))
        self.counts["blocks"] += 1
        self.counts["txns"] += len(block.txns)
        self.counts["signatures"] += len(block.txns) + (key is not None)

    def settle(self):
        """Check the block signatures whose key turned up later."""
        waiting, self.unsigned = self.unsigned, []
        for self.at, coinbase, id_, signature in waiting:
            if coinbase in self.keys:
                check_block_signature(coinbase, id_, signature, self.keys[coinbase])
                self.counts["signatures"] += 1
            else:
                self.unsigned.append((self.at, coinbase, id_, signature))

    def replaced(self):
        """Has the node left the branch that was read (an unfinal head may change meanwhile)?"""
        parent = self.ancestors[-1] if getattr(self, "ancestors", None) else None
        return parent is not None and self.node.block(parent.number)["id"] != parent.id.hex()


def read_key(path):
    """DER of a public key file in PEM."""
    with open(path, encoding="ascii") as file:
        parts = file.read().split("-----")
    der = base64.b64decode(parts[2] if len(parts) == 5 else "")
    modulus_of(der)
    return der


def walk(node, keys, first):
    """The finished audit; Invalid carries the height as `height`."""
    audit = Audit(node, keys)
    try:
        audit.start()
        audit.skip_to(first)
        for number in range(max(first, 2), node.height() + 1):
            audit.next(number)
        audit.settle()
        return audit
    except (Invalid, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        if audit.replaced():
            return None
        invalid = error if isinstance(error, Invalid) else Invalid("json", "the documented fields", repr(error))
        invalid.height = audit.at
        raise invalid from error


def main(argv=None):
    """Exit code of the command line `argv`; the summary or the first difference goes to stdout."""
    parser = argparse.ArgumentParser(description="Re-compute and check every block of a running node.")
    parser.add_argument("url")
    parser.add_argument("address")
    parser.add_argument("--from", dest="first", type=int, default=1, metavar="N", help="first block to check in full")
    parser.add_argument("--key", action="append", default=[], metavar="FILE", help="a miner's id_rsa.pub, repeatable")
    given = parser.parse_args(argv)
    try:
        keys = [read_key(path) for path in given.key]
    except (OSError, ValueError) as error:
        parser.error(f"--key: {error}")
    try:
        node = Node(given.url, given.address)
        audit = walk(node, keys, given.first) or walk(node, keys, given.first) or walk(node, keys, given.first)
    except Invalid as invalid:
        print(json.dumps({"height": invalid.height, "name": invalid.rule, "expected": invalid.expected,
                          "got": invalid.got}, default=str))
        return 7
    except Refused as refused:
        print(f"error: {refused}", file=sys.stderr)
        return 4
    except OSError as error:
        print(f"error: {given.url}: {error}", file=sys.stderr)
        return 5
    if audit is None:
        print("error: the node changed its branch three times while it was read: try again", file=sys.stderr)
        return 1
    last, unchecked = audit.ancestors[-1], len(audit.unsigned)
    print(f"ok: blocks {audit.counts['blocks']} up to {last.number} {last.id.hex()}, transactions "
          f"{audit.counts['txns']}, signatures checked {audit.counts['signatures']}, unchecked {unchecked}"
          + (" (give the miners' keys with --key)" if unchecked else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
