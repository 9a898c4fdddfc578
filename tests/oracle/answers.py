"""A node's JSON answers as values of the ledger: every number, hex digit and base64 letter is checked on the way.

It knows the original paths, and of /v1 only the pages of large states. It judges the form of an answer, the
ids and senders of transactions, and no rule of the chain.
"""

import base64
import re
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone

from genesis import load, milliseconds
from oracle import MAX_COINS, MAX_TIME_MS, Block, Header, Invalid, Transaction, address_of, require, txn_id

BLOCK_FIELDS = {"number", "hash_parent", "body", "nonce", "data", "id", "difficulty", "hash_state", "hash_txns",
                "reward", "time", "coinbase", "signature", "final"}
TXN_FIELDS = {"id", "number", "from", "to", "amount", "data", "time", "signature", "public_key"}
MAX_BODY = 64 * 1024 * 1024


class Refused(Exception):
    """An HTTP status other than 200."""

    def __init__(self, path, status):
        super().__init__(f"{path}: HTTP {status}")
        self.status = status


class Node:
    """GET requests to one node under its own address."""

    def __init__(self, url, address):
        self.url, self.address = url.rstrip("/"), address

    def get(self, path):
        """Parsed JSON of a path; Refused for any other status than 200."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as answer:
                raw = answer.read(MAX_BODY + 1)
        except urllib.error.HTTPError as error:
            raise Refused(path, error.code) from error
        if len(raw) > MAX_BODY:
            raise ValueError(f"{path}: more than {MAX_BODY} bytes")
        return load(raw.decode("utf-8"))

    def height(self):
        """Number of blocks."""
        return integer("height", self.get(f"/{self.address}/blk/cnt/"))

    def block(self, number):
        """The block's JSON with its `state`, by pages where the state is too large for one answer."""
        try:
            return self.get(f"/{self.address}/blk/{number}/")
        except Refused as refused:
            if refused.status != 422:
                raise
        block, rows, after = self.get(f"/v1/blocks/{number}"), [], ""
        while after is not None:
            page = self.get(f"/v1/blocks/{number}/state?limit=1000" + (f"&after={after}" if after else ""))
            rows, after = rows + page["items"], page["next"]
        return {**block, "state": {row["address"]: row for row in rows}}


def integer(name, value, most=MAX_COINS):
    """A JSON integer in 0..most."""
    if type(value) is not int or not 0 <= value <= most:
        raise Invalid(name, f"an integer of at most {most}", value)
    return value


def text(name, value):
    """A JSON string."""
    if not isinstance(value, str):
        raise Invalid(name, "text", value)
    return value


def fixed(name, value, size):
    """Bytes of lower-case hex of a known size."""
    if not re.fullmatch(f"[0-9a-f]{{{2 * size}}}", text(name, value)):
        raise Invalid(name, f"{2 * size} lower-case hex digits", value)
    return bytes.fromhex(value)


def base64_bytes(name, value):
    """Bytes of canonical base64."""
    try:
        raw = base64.b64decode(text(name, value), validate=True)
    except ValueError:
        raise Invalid(name, "base64", value) from None
    require(name, base64.b64encode(raw).decode("ascii"), value)
    return raw


def read_time(name, value):
    """Ms of seconds as a decimal (original paths) or of RFC 3339 with 3 decimals (/v1)."""
    try:
        if isinstance(value, str):
            if not re.fullmatch(r"\S+\.\d{3}Z", value):
                raise ValueError("not RFC 3339 with 3 decimals")
            read = datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
            value_ms = (read - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1)
        else:
            value_ms = milliseconds(value)
    except ValueError as error:
        raise Invalid(name, "a time in exact ms", value) from error
    return integer(name, value_ms, MAX_TIME_MS)


def read_txn(raw, net):
    """Transaction of its nine JSON fields, whose id and sender must fit."""
    require("txn_fields", sorted(TXN_FIELDS), sorted(raw))
    txn = Transaction(
        number=integer("txn_number", raw["number"]), from_key=base64_bytes("public_key", raw["public_key"]),
        to=fixed("to", raw["to"], 20), amount=integer("amount", raw["amount"]), data=text("txn_data", raw["data"]),
        time=read_time("txn_time", raw["time"]), signature=base64_bytes("txn_signature", raw["signature"]))
    try:
        require("from", address_of(txn.from_key).hex(), raw["from"])
    except ValueError as error:
        raise Invalid("public_key", str(error), raw["public_key"]) from error
    require("txn_id", txn_id(net, txn).hex(), raw["id"])
    return txn


def read_block(raw, net):
    """Block of its JSON (the header's version is not shown and is 1)."""
    missing = BLOCK_FIELDS - set(raw)
    require("block_fields", [], sorted(missing))
    header = Header(
        version=1, number=integer("number", raw["number"]), hash_parent=fixed("hash_parent", raw["hash_parent"], 32),
        hash_state=fixed("hash_state", raw["hash_state"], 32), hash_txns=fixed("hash_txns", raw["hash_txns"], 32),
        coinbase=fixed("coinbase", raw["coinbase"], 20), time=read_time("time", raw["time"]),
        reward=integer("reward", raw["reward"]), difficulty=integer("difficulty", raw["difficulty"]),
        data=text("data", raw["data"]))
    if type(raw["final"]) is not bool:
        raise Invalid("final", "true or false", raw["final"])
    return Block(header, integer("nonce", raw["nonce"]), base64_bytes("signature", raw["signature"]),
                 tuple(read_txn(txn, net) for txn in raw["body"]))


def read_state(raw):
    """{address: (nonce, balance)} of a block's `state`."""
    state = {}
    for name, row in raw["state"].items():
        require("state.address", name, row["address"])
        state[fixed("state.address", name, 20)] = (integer("state.nonce", row["nonce"]),
                                                   integer("state.balance", row["balance"]))
    return state
