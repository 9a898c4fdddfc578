"""A second reading of the ledger's rules: ids, hashes, who may sign, and what a block does to the state.

Pure functions over plain values, written from the specification alone so that a mistake in the node
cannot agree with itself. It opens no socket, reads no clock and keeps nothing between calls.
"""

from typing import NamedTuple

from encoding import decode, encode
from rsa_pss import address_of, modulus_of, pss_verify, sha256
from trees import ZERO, merkle_path, merkle_root, state_proof, state_root

__all__ = ["decode", "encode", "address_of", "pss_verify", "merkle_path", "state_proof", "state_root", "hash_txns"]

MAX_COINS = 2**53 - 1
MAX_TIME_MS = 253_402_300_799_999
MAX_BLOCK_BYTES = 2_900_000
MAX_BLOCK_DATA = 1024
MAX_GENESIS_DATA = 64 * 1024


class Invalid(Exception):
    """A rule that does not hold: its name, what was expected and what was found."""

    def __init__(self, rule, expected, got):
        super().__init__(f"{rule}: expected {expected}, got {got}")
        self.rule, self.expected, self.got = rule, expected, got


class Transaction(NamedTuple):
    """A signed transaction; `from_key` is DER, `to` 20 bytes, `time` in ms."""
    number: int
    from_key: bytes
    to: bytes
    amount: int
    data: str
    time: int
    signature: bytes


class Header(NamedTuple):
    """An unsigned header in encoding order; hashes 32 bytes, `coinbase` 20 bytes, `time` in ms."""
    version: int
    number: int
    hash_parent: bytes
    hash_state: bytes
    hash_txns: bytes
    coinbase: bytes
    time: int
    reward: int
    difficulty: int
    data: str


class Block(NamedTuple):
    """A signed header and its transactions."""
    header: Header
    nonce: int
    signature: bytes
    txns: tuple


class Rules(NamedTuple):
    """What genesis fixes for every block; times in ms."""
    miners: tuple
    slot_ms: int
    min_gap_ms: int
    interval_ms: int
    min_bound: int
    max_bound: int
    allow_empty: bool
    reward: int
    difficulty: int
    max_data_bytes: int


class Ancestor(NamedTuple):
    """What later blocks need to know of an earlier one."""
    number: int
    id: bytes
    time: int
    coinbase: bytes


def require(rule, expected, got):
    """Raise Invalid unless the two are equal."""
    if expected != got:
        raise Invalid(rule, expected, got)


def require_most(rule, most, got):
    """Raise Invalid if `got` is above `most`."""
    if got > most:
        raise Invalid(rule, f"at most {most}", got)


def txn_id(genesis_id, txn):
    """32-byte id; does not cover the signature."""
    return sha256(b"ccoin/1/txn" + genesis_id + encode(txn[:6]))


def mining_hash(genesis_id, header):
    """32-byte hash that PoW extends; `genesis_id` None means the header is block 1's."""
    tag = b"ccoin/1/gen" if genesis_id is None else b"ccoin/1/hdr" + genesis_id
    return sha256(tag + encode(header))


def block_id(mining, nonce):
    """32-byte id of a header with this mining hash and PoW nonce."""
    return sha256(mining.hex().encode("ascii") + str(nonce).encode("ascii"))


def genesis_id(header, nonce):
    """Id of block 1, which names the network."""
    return block_id(mining_hash(None, header), nonce)


def has_work(id_, difficulty):
    """Does the id in hex start with at least `difficulty` zeros?"""
    return id_.hex().startswith("0" * difficulty)


def hash_txns(ids):
    """Commitment to a block's transaction ids in order."""
    return merkle_root(ids)


def encode_signed_header(block):
    """Bytes of the ten header fields, nonce and signature as one array."""
    return encode([*block.header, block.nonce, block.signature])


def encode_block(block):
    """Bytes of a block after genesis."""
    return encode([[*block.header, block.nonce, block.signature], block.txns])


def encode_genesis(block, alloc):
    """Bytes of block 1; `alloc` is {address: (nonce, balance)}."""
    body = [[address, *alloc[address]] for address in sorted(alloc)]
    return encode([[*block.header, block.nonce, block.signature], body])


def decode_txn(raw):
    """The transaction whose one encoding is `raw`; ValueError for anything else."""
    value = decode(raw)
    kinds = (int, bytes, bytes, int, str, int, bytes)
    if not isinstance(value, list) or tuple(map(type, value)) != kinds:
        raise ValueError("not the seven fields of a transaction")
    txn = Transaction(*value)
    modulus_of(txn.from_key)
    if len(txn.to) != 20:
        raise ValueError(f"address of {len(txn.to)} bytes")
    if max(txn.number, txn.amount) > MAX_COINS or txn.time > MAX_TIME_MS:
        raise ValueError("integer out of range")
    return txn


def leader(miners, slot_ms, time):
    """Address of the miner whose turn it is at `time` (ms)."""
    return miners[time // slot_ms % len(miners)]


def check_batch_rule(rules, header, txn_count, ancestors):
    """Raise Invalid unless this block may be made now; `ancestors` run from block 1 to the parent."""
    since = header.time - rules.interval_ms
    if txn_count >= rules.min_bound:
        return
    if ancestors[-1].time <= since and (txn_count >= 1 or rules.allow_empty):
        return
    recent = False
    for ancestor in reversed(ancestors):
        # Times grow along a chain, so nothing older can lie in the window.
        if ancestor.time <= since or ancestor.number == 1:
            break
        recent = recent or ancestor.coinbase == header.coinbase
    if txn_count == 0 or recent:
        raise Invalid("batch", f"{rules.min_bound} transactions, or the interval, or the signer's first in it",
                      f"{txn_count} transactions {header.time - ancestors[-1].time} ms after the parent")


def apply_txn(rules, net, state, txn):
    """The state after one transaction."""
    require_most("txn_size", rules.max_data_bytes, len(txn.data.encode("utf-8")))
    if not pss_verify(txn.from_key, txn_id(net, txn), txn.signature):
        raise Invalid("txn_signature", "a signature of the sender over the id", txn.signature.hex())
    sender, after = address_of(txn.from_key), dict(state)
    nonce, balance = after.get(sender, (0, 0))
    require("txn_number", nonce + 1, txn.number)
    require_most("txn_funds", balance, txn.amount)
    after[sender] = (nonce + 1, balance - txn.amount)
    return credit(after, txn.to, txn.amount)


def credit(state, address, amount):
    """The state with `amount` more on an account; accounts 0/0 are left out."""
    nonce, balance = state.get(address, (0, 0))
    after = {**state, address: (nonce, balance + amount)}
    return {a: account for a, account in after.items() if account != (0, 0)}


def check_claim(rules, net, header, nonce):
    """Rules that need no other block: sizes, constants, turn and work; returns the block's id."""
    require_most("size", MAX_BLOCK_DATA, len(header.data.encode("utf-8")))
    require_most("size", MAX_TIME_MS, header.time)
    require_most("size", MAX_COINS, max(header.number, header.reward, header.difficulty, nonce))
    require("version", 1, header.version)
    require("difficulty", rules.difficulty, header.difficulty)
    require("turn", leader(rules.miners, rules.slot_ms, header.time).hex(), header.coinbase.hex())
    id_ = block_id(mining_hash(net, header), nonce)
    if not has_work(id_, rules.difficulty):
        raise Invalid("pow", f"an id with {rules.difficulty} leading zeros", id_.hex())
    return id_


def check_place(rules, header, parent):
    """Raise Invalid unless the header may follow its parent."""
    require("parent", parent.id.hex(), header.hash_parent.hex())
    require("number", parent.number + 1, header.number)
    if header.time < parent.time + rules.min_gap_ms:
        raise Invalid("gap", f"time of at least {parent.time + rules.min_gap_ms}", header.time)
    require("reward", reward_due(rules, parent, header.time), header.reward)


def reward_due(rules, parent, time):
    """Coins for a child of `parent` made at `time`: only the first block of its slot is paid; block 1 takes no slot."""
    first = parent.number == 1 or time // rules.slot_ms != parent.time // rules.slot_ms
    return rules.reward if first else 0


def apply_block(rules, net, ancestors, state, block, key):
    """(id, state after the block), or Invalid at the first rule that fails.

    `net` is the genesis id, `ancestors` run from block 1 to the parent, `key` is the DER of coinbase's
    key or None, in which case the signature of the block is not checked.
    """
    require_most("size", MAX_BLOCK_BYTES, len(encode_block(block)))
    header = block.header
    id_ = check_claim(rules, net, header, block.nonce)
    if key is not None:
        check_block_signature(header.coinbase, id_, block.signature, key)
    require("hash_txns", hash_txns([txn_id(net, t) for t in block.txns]).hex(), header.hash_txns.hex())
    check_place(rules, header, ancestors[-1])
    require_most("max_bound", rules.max_bound, len(block.txns))
    check_batch_rule(rules, header, len(block.txns), ancestors)
    for txn in block.txns:
        state = apply_txn(rules, net, state, txn)
    state = credit(state, header.coinbase, header.reward)
    require_most("supply", MAX_COINS, sum(balance for _, balance in state.values()))
    require("hash_state", state_root(state).hex(), header.hash_state.hex())
    return id_, state


def check_block_signature(coinbase, id_, signature, key):
    """Raise Invalid unless `signature` is coinbase's over the id."""
    require("signature", coinbase.hex(), address_of(key).hex())
    if not pss_verify(key, id_, signature):
        raise Invalid("signature", f"a signature of {coinbase.hex()} over the id", signature.hex())


def apply_genesis(header, nonce, alloc):
    """(genesis id, state after block 1) of a genesis header over {address: (nonce, balance)}."""
    require_most("size", MAX_GENESIS_DATA, len(header.data.encode("utf-8")))
    for rule, expected, got in (("version", 1, header.version), ("number", 1, header.number),
                                ("parent", ZERO.hex(), header.hash_parent.hex()),
                                ("hash_txns", ZERO.hex(), header.hash_txns.hex())):
        require(rule, expected, got)
    id_ = genesis_id(header, nonce)
    if not has_work(id_, header.difficulty):
        raise Invalid("pow", f"an id with {header.difficulty} leading zeros", id_.hex())
    state = credit(alloc, header.coinbase, header.reward)
    require_most("supply", MAX_COINS, sum(balance for _, balance in state.values()))
    require("hash_state", state_root(state).hex(), header.hash_state.hex())
    return id_, state
