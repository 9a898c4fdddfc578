"""A five-block network with every kind of block, and one broken block for every rule.

The caller supplies the keys and a `sign(name, message)`; everything else here is fixed, so the same keys
and signatures give the same bytes. It writes no file.
"""

import base64

from genesis import canonical_config, rules_of
from oracle import (ZERO, Ancestor, Block, Header, Invalid, Transaction, address_of, apply_block, apply_genesis,
                    apply_txn, block_id, credit, encode_block, encode_genesis, genesis_id, has_work, hash_txns,
                    mining_hash, reward_due, sha256, state_root, txn_id)

START = 1_700_000_000_000  # the first ms of a slot of miner_a
NEWCOMER = bytes(range(20))


class Chain:
    """The valid chain being built: `blocks`, `roots`, `ancestors` and the `state` after the last block."""

    def __init__(self, keys, sign):
        self.keys, self.sign = keys, sign
        self.address = {name: address_of(der) for name, der in keys.items()}
        a, b, c, d = (self.address[n] for n in ("miner_a", "miner_b", "user_c", "user_d"))
        self.config = {
            "network_id": 7, "miners": [a.hex(), b.hex()],
            "block_mining": {"interval": 1, "min_bound": 2, "max_bound": 3, "reward": 10, "difficulty": 1},
            "transaction": {"max_data_bytes": 64},
            "genesis_block": {"coinbase": a.hex(), "coinbase_reward": 5, "difficulty": 2},
        }
        text = canonical_config(self.config)
        self.rules, _ = rules_of(text)
        self.alloc = {a: (0, 100), b: (0, 50), c: (3, 1000), d: (0, 2**40)}
        root = state_root(credit(self.alloc, a, 5))
        header = Header(1, 1, ZERO, root, ZERO, a, START, 5, 2, text)
        nonce = next(n for n in range(10**6) if has_work(genesis_id(header, n), 2))
        self.genesis = Block(header, nonce, b"", ())
        self.net, self.state = apply_genesis(header, nonce, self.alloc)
        self.ancestors = [Ancestor(1, self.net, header.time, a)]
        self.blocks, self.roots = [], [root]

    def txn(self, name, to, amount, text="", number=None, state=None, signer=None):
        """A signed transaction of `name`, by default with the next number in `state`."""
        state = self.state if state is None else state
        number = state.get(self.address[name], (0, 0))[0] + 1 if number is None else number
        txn = Transaction(number, self.keys[name], to, amount, text, START + 1, b"")
        return txn._replace(signature=self.sign(signer or name, txn_id(self.net, txn)))

    def block(self, miner, after_ms, txns, signer=None, work=True, **changed):
        """A mined and signed block on the head, `after_ms` after START, its true header overridden by `changed`."""
        state, parent = self.state, self.ancestors[-1]
        for txn in txns:
            try:
                state = apply_txn(self.rules, self.net, state, txn)
            except Invalid:
                # The root of a block that cannot be applied is never reached: any value will do.
                pass
        reward = changed.get("reward", reward_due(self.rules, parent, START + after_ms))
        state = credit(state, self.address[miner], reward)
        header = Header(1, parent.number + 1, parent.id, state_root(state),
                        hash_txns([txn_id(self.net, t) for t in txns]), self.address[miner], START + after_ms,
                        reward, self.rules.difficulty, "")._replace(**changed)
        mining = mining_hash(self.net, header)
        nonce = next(n for n in range(10**6) if has_work(block_id(mining, n), 1) == work)
        return Block(header, nonce, self.sign(signer or miner, block_id(mining, nonce)), tuple(txns))

    def verdict(self, block):
        """Name of the first rule the block breaks on the head, or "valid"."""
        try:
            apply_block(self.rules, self.net, self.ancestors, self.state, block, self.key_of(block))
            return "valid"
        except Invalid as invalid:
            return invalid.rule

    def key_of(self, block):
        """DER of the coinbase's key, None for a stranger."""
        return next((der for name, der in self.keys.items() if self.address[name] == block.header.coinbase), None)

    def extend(self, block):
        """Append a block that must be valid."""
        id_, self.state = apply_block(self.rules, self.net, self.ancestors, self.state, block, self.key_of(block))
        self.ancestors.append(Ancestor(block.header.number, id_, block.header.time, block.header.coinbase))
        self.blocks.append(block)
        self.roots.append(block.header.hash_state)


def build(keys, sign):
    """The chain of blocks 1 to 5."""
    chain = Chain(keys, sign)
    a, d = chain.address["miner_a"], chain.address["user_d"]
    # Enough transactions; the second clause has nothing to do with it.
    record = chain.txn("user_d", NEWCOMER, 0, "naïve ☃")
    chain.extend(chain.block("miner_a", 50, [chain.txn("user_c", d, 10), record]))
    # Empty, exactly one interval after its parent, made with header text.
    chain.extend(chain.block("miner_a", 1050, [], data="été"))
    # One transaction early: the signer's first block in an interval.
    chain.extend(chain.block("miner_b", 2000, [chain.txn("miner_a", NEWCOMER, 115)]))
    # As many as max_bound: to oneself, two in a row of one sender.
    first = chain.txn("user_c", chain.address["user_c"], 990, "self")
    state = apply_txn(chain.rules, chain.net, chain.state, first)
    second = chain.txn("user_c", a, 990, "x" * 64, state=state)
    chain.extend(chain.block("miner_b", 2050, [first, second, chain.txn("miner_b", a, 0, "sha256:" + "0" * 56)]))
    return chain


def broken(chain):
    """[(name, rule it breaks or "valid", block)]: candidates for block 6."""
    a, b = chain.address["miner_a"], chain.address["miner_b"]
    one, two = chain.txn("miner_a", b, 1), chain.txn("miner_b", a, 1)
    forged, long = chain.txn("miner_a", b, 1, signer="user_c"), chain.txn("miner_a", b, 1, "é" * 32 + "x")
    pair, make = [one, two], chain.block
    gap, repeat = chain.txn("miner_a", b, 1, number=one.number + 1), chain.txn("miner_a", b, 1, number=one.number - 1)
    balance = chain.state[b][1]
    second = chain.txn("miner_a", b, 2, number=one.number + 1)
    return [
        ("valid", "valid", make("miner_b", 2100, pair)),
        ("valid_nonce_order_of_two", "valid", make("miner_b", 2100, [one, second])),
        ("version_2", "version", make("miner_b", 3050, [], version=2)),
        ("difficulty_0", "difficulty", make("miner_b", 3050, [], difficulty=0)),
        ("difficulty_2", "difficulty", make("miner_b", 3050, [], difficulty=2)),
        ("reward_above", "reward", make("miner_a", 4000, [], reward=11)),
        ("reward_below", "reward", make("miner_a", 4000, [], reward=9)),
        ("reward_missing", "reward", make("miner_a", 4000, [], reward=0)),
        ("reward_of_a_second_block_of_a_slot", "reward", make("miner_b", 3050, [], reward=10)),
        ("not_its_turn", "turn", make("miner_a", 3050, [])),
        ("not_its_turn_last_ms", "turn", make("miner_a", 3999, [])),
        ("its_turn_first_ms", "valid", make("miner_a", 4000, [])),
        ("stranger", "turn", make("user_c", 3050, [])),
        ("no_work", "pow", make("miner_b", 3050, [], work=False)),
        ("signed_by_other", "signature", make("miner_b", 3050, [], signer="miner_a")),
        ("parent_unknown", "parent", make("miner_b", 3050, [], hash_parent=sha256(b"elsewhere"))),
        ("number_skipped", "number", make("miner_b", 3050, [], number=7)),
        ("number_repeated", "number", make("miner_b", 3050, [], number=5)),
        ("gap_one_ms_short", "gap", make("miner_b", 2099, [])),
        ("before_parent", "gap", make("miner_b", 2049, [])),
        ("too_many_txns", "max_bound", make("miner_b", 2100, [one, two, second, chain.txn("user_c", a, 0)])),
        ("one_txn_too_early", "batch", make("miner_b", 2100, [one])),
        ("one_txn_last_early_ms", "batch", make("miner_b", 3049, [one])),
        ("one_txn_after_interval", "valid", make("miner_b", 3050, [one])),
        ("empty_too_early", "batch", make("miner_b", 3049, [])),
        ("empty_after_interval", "valid", make("miner_b", 3050, [])),
        ("hash_txns_zero", "hash_txns", make("miner_b", 2100, pair, hash_txns=ZERO)),
        ("hash_txns_swapped", "hash_txns", make("miner_b", 2100, [two, one])._replace(txns=tuple(pair))),
        ("txn_twice", "txn_number", make("miner_b", 2100, [one, one])),
        ("txn_number_gap", "txn_number", make("miner_b", 2100, [gap, two])),
        ("txn_number_repeated", "txn_number", make("miner_b", 2100, [two, repeat])),
        ("txn_signed_by_other", "txn_signature", make("miner_b", 2100, [two, forged])),
        ("txn_without_signature", "txn_signature", make("miner_b", 2100, [one._replace(signature=b""), two])),
        ("txn_whole_balance", "valid", make("miner_b", 2100, [chain.txn("miner_b", a, balance), one])),
        ("txn_spends_the_reward", "txn_funds", make("miner_b", 2100, [chain.txn("miner_b", a, balance + 1), one])),
        ("txn_data_one_byte_over", "txn_size", make("miner_b", 2100, [long, two])),
        ("header_data_1024", "valid", make("miner_b", 3050, [], data="y" * 1024)),
        ("header_data_1025", "size", make("miner_b", 3050, [], data="y" * 1025)),
        ("hash_state_of_parent", "hash_state", make("miner_b", 2100, pair, hash_state=chain.roots[-1])),
        ("hash_state_without_reward", "hash_state", make("miner_a", 4000, pair, hash_state=_unpaid(chain, pair))),
    ]


def _unpaid(chain, txns):
    state = chain.state
    for txn in txns:
        state = apply_txn(chain.rules, chain.net, state, txn)
    return state_root(state)


def _text(raw):
    return base64.b64encode(raw).decode("ascii")


def cases(keys, sign):
    """Vector cases of the chain and the candidates for block 6."""
    chain = build(keys, sign)
    yield "chain", "main", {
        "config": chain.config,
        "genesis": _text(encode_genesis(chain.genesis, chain.alloc)),
        "miner_keys": [_text(keys[name]) for name in ("miner_a", "miner_b")],
        "blocks": [_text(encode_block(block)) for block in chain.blocks],
    }, {
        "genesis_id": chain.net.hex(),
        "genesis_data": chain.genesis.header.data,
        "ids": [ancestor.id.hex() for ancestor in chain.ancestors],
        "state_roots": [root.hex() for root in chain.roots],
        "state": [[address.hex(), *chain.state[address]] for address in sorted(chain.state)],
    }
    for name, _, block in broken(chain):
        yield "block_6", name, {"block": _text(encode_block(block))}, {"verdict": chain.verdict(block)}
