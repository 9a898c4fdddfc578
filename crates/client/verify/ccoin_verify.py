#!/usr/bin/env python3
"""Verifies a receipt of a ccoin ledger offline: no network, no clock, nothing to install.

    python3 ccoin_verify.py RECEIPT --genesis ID [--file DOCUMENT] [--json]

Exit codes: 0 the receipt holds; 7 it does not (step, got, expected); 2 no genesis id;
3 not a receipt. Python 3.9 or newer. It holds no key and signs nothing.
"""

import argparse
import base64
import datetime
import hashlib
import json
import re
import sys

MAX_BYTES, MAX_HEADERS, MAX_PATH, MAX_SIBLINGS, MAX_MINERS = 4 << 20, 4096, 64, 256, 100
MAX_INTEGER, MAX_TIME, MAX_DEPTH = 2**53 - 1, 253_402_300_799_999, 127
MAX_BLOCK_DATA, MAX_GENESIS_DATA, TXN_OVERHEAD = 1024, 64 << 10, 1200
STEPS = ("form", "genesis", "headers", "document", "transaction", "inclusion", "account", "certificate")


class Refused(Exception):
    """The first step that fails, what the receipt gives, and what it must be."""

    def __init__(self, step, got, expected):
        super().__init__(f"step {step} ({STEPS[step - 1]}): got {got}, expected {expected}")
        self.step, self.got, self.expected = step, str(got), str(expected)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# --- Step 1: JSON without members that stand twice, integers only, one spelling of hex and base64 ---


def _unique(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def _integer(text):
    if not re.fullmatch("0|[1-9][0-9]{0,15}", text) or int(text) > MAX_INTEGER:
        raise ValueError(f"{text[:40]} is not an integer from 0 to {MAX_INTEGER}")
    return int(text)


def _check_depth(text):
    depth = 0
    for bracket in re.findall(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', text, re.DOTALL):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(bracket, 0)
        if depth > MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH}")


def parse(raw):
    """The object in the text `raw`; ValueError for any other bytes."""
    if len(raw) > MAX_BYTES:
        raise ValueError(f"{len(raw)} bytes, at most {MAX_BYTES} are read")
    text = raw.decode("utf-8")
    value = json.loads(
        text, object_pairs_hook=_unique, parse_int=_integer, parse_float=_integer, parse_constant=_integer
    )
    _check_depth(text)
    json.dumps(value, ensure_ascii=False).encode("utf-8")  # half of a surrogate pair is no text
    return _typed(value, dict, "the whole text")


def _typed(value, kind, name):
    if type(value) is not kind:
        raise ValueError(f"{name} is not of type {kind.__name__}")
    return value


def member(members, name, kind):
    """A member that must be there; null counts as absent."""
    if members.get(name) is None:
        raise ValueError(f"the member {name} is missing")
    return _typed(members[name], kind, name)


def unhex(text, length):
    if not re.fullmatch("[0-9a-f]{%d}" % (2 * length), _typed(text, str, "a hash")):
        raise ValueError(f"{text[:80]!r} is not {2 * length} lower-case hex digits")
    return bytes.fromhex(text)


def unbase64(text):
    raw = base64.b64decode(_typed(text, str, "base64").encode(), validate=True)
    if base64.b64encode(raw).decode() != text:
        raise ValueError("a second spelling of base64")
    return raw


def items(members, name, most, read):
    rows = member(members, name, list)
    if len(rows) > most:
        raise ValueError(f"{name} has {len(rows)} items, at most {most} are read")
    return [read(row) for row in rows]


def hashes(members, name, most):
    return items(members, name, most, lambda row: unhex(row, 32))


def by_voter(members, name, value):
    def read(row):
        voter = member(_typed(row, dict, name), "voter", int)
        if voter > 255:
            raise ValueError(f"voter {voter}")
        return voter, unbase64(member(row, value, str))

    rows = items(members, name, MAX_MINERS, read)
    if any(a >= b for (a, _), (b, _) in zip(rows, rows[1:])):
        raise ValueError(f"{name} are not of different voters in ascending order")
    return rows


def place(members, most):
    return member(members, "index", int), member(members, "size", int), hashes(members, "path", most)


def numbers(members):
    address = unhex(member(members, "address", str), 20)
    return address, member(members, "nonce", int), member(members, "balance", int)


class Receipt:
    """A receipt whose shape fits and nothing more."""

    def __init__(self, raw):
        try:
            self._read(parse(raw))
        except (ValueError, RecursionError) as fault:
            raise Refused(1, fault, "a receipt of format 1") from None

    def _read(self, members):
        if member(members, "ccoin_receipt", int) != 1:
            raise ValueError("another format")
        self.genesis = unbase64(member(members, "genesis", str))
        self.headers = items(members, "headers", MAX_HEADERS, unbase64)
        if not self.headers:
            raise ValueError("headers is empty")
        votes = member(members, "certificate", dict)
        self.ballot, self.number = member(votes, "ballot", int), member(votes, "number", int)
        self.id, self.votes = unhex(member(votes, "id", str), 32), by_voter(votes, "votes", "signature")
        self.keys = dict(by_voter(members, "keys", "key"))
        self.account = self.transaction = self.document = None
        if members.get("account") is not None:
            if any(members.get(name) is not None for name in ("transaction", "inclusion", "document")):
                raise ValueError("an account and a transaction in one receipt")
            account = member(members, "account", dict)
            other = None if account.get("other") is None else numbers(member(account, "other", dict))
            self.account = numbers(account), hashes(account, "siblings", MAX_SIBLINGS), other
            return
        self.transaction = unbase64(member(members, "transaction", str))
        self.inclusion = place(member(members, "inclusion", dict), MAX_PATH)
        if members.get("document") is not None:
            document = member(members, "document", dict)
            self.document = unhex(member(document, "sha256", str), 32), *place(document, MAX_PATH)


# --- The one encoding: MessagePack arrays, shortest form, no floats, maps, nil, booleans ---


def _sized(markers, length):
    for marker, width in zip(markers, (1, 2, 4)):
        if marker and length < 1 << (8 * width):
            return bytes([marker]) + length.to_bytes(width, "big")
    raise ValueError("too long")


def encode(value):
    """The one encoding of integers, text, bytes and lists of such."""
    if isinstance(value, int):
        return bytes([value]) if value < 128 else next(
            bytes([marker]) + value.to_bytes(width, "big")
            for marker, width in ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8))
            if value < 1 << (8 * width)
        )
    if isinstance(value, bytes):
        return _sized((0xC4, 0xC5, 0xC6), len(value)) + value
    if isinstance(value, str):
        raw = value.encode()
        return (bytes([0xA0 | len(raw)]) if len(raw) < 32 else _sized((0xD9, 0xDA, 0xDB), len(raw))) + raw
    head = bytes([0x90 | len(value)]) if len(value) < 16 else _sized((None, 0xDC, 0xDD), len(value))
    return head + b"".join(map(encode, value))


def decode(raw, shape):
    """The flat array in `raw`, with a type or a length in bytes for each field."""
    try:
        fields, at = [], 1
        if raw[:1] != bytes([0x90 | len(shape)]):
            raise ValueError(f"not an array of {len(shape)}")
        for _ in shape:
            marker, at = raw[at], at + 1
            if marker < 0x80:
                fields.append(marker)
                continue
            kind = int if 0xCC <= marker <= 0xCF else bytes if marker < 0xC8 else str
            if marker & 0xE0 == 0xA0:
                kind, size = str, marker & 0x1F
            else:
                width = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}[marker]
                size = int.from_bytes(raw[at:at + width], "big")
                at += width
            if kind is int:
                fields.append(size)
                continue
            part, at = raw[at:at + size], at + size
            fields.append(part if kind is bytes else part.decode("utf-8"))
    except (IndexError, KeyError, UnicodeDecodeError):
        raise ValueError("not the encoding of such a value") from None
    if encode(fields) != raw:
        raise ValueError("not the one encoding of such a value")
    for want, field in zip(shape, fields):
        fits = (len(field) == want if type(field) is bytes else False) if type(want) is int else type(field) is want
        if not fits or (want is int and field > MAX_INTEGER):
            raise ValueError("a field of another type or size")
    return fields


# --- RSA keys of the profile, RSASSA-PSS with SHA-256 and a salt of 32 bytes (RFC 8017, 8.1.2) ---


def _tlv(tag, body):
    return bytes([tag, 0x82]) + len(body).to_bytes(2, "big") + body


def modulus_of(der):
    """The modulus of a key of 2048, 3072 or 4096 bits with exponent 65537 in canonical DER."""
    for size in (256, 384, 512):
        modulus = der[-(size + 5):-5]
        key = _tlv(0x30, _tlv(0x02, b"\0" + modulus) + b"\x02\x03\x01\x00\x01")
        whole = _tlv(0x30, bytes.fromhex("300d06092a864886f70d0101010500") + _tlv(0x03, b"\0" + key))
        if len(modulus) == size and whole == der and modulus[0] >= 0x80 and modulus[-1] & 1:
            return int.from_bytes(modulus, "big")
    raise ValueError("not a key of the profile")


def address_of(der):
    return sha256(der)[:20]


def is_signed(der, message, signature):
    """Whether `signature` over `message`, which PSS hashes once more, is of the key in `der`."""
    modulus = modulus_of(der)
    length = modulus.bit_length() // 8
    number = int.from_bytes(signature, "big")
    if len(signature) != length or number >= modulus:
        return False
    block = pow(number, 65537, modulus).to_bytes(length, "big")
    masked, digest, end = block[:length - 33], block[length - 33:-1], block[-1]
    mask = b"".join(sha256(digest, i.to_bytes(4, "big")) for i in range(len(masked) // 32 + 1))
    plain = bytes(a ^ b for a, b in zip(masked, mask))
    plain = bytes([plain[0] & 0x7F]) + plain[1:]
    padding, salt = plain[:-32], plain[-32:]
    return (
        end == 0xBC
        and masked[0] < 0x80
        and padding == bytes(len(padding) - 1) + b"\x01"
        and digest == sha256(bytes(8), sha256(message), salt)
    )


# --- Trees ---


def leads_to(item, index, size, path, root):
    """RFC 9162, 2.1.3.2."""
    if index >= size:
        return False
    at, last, value = index, size - 1, sha256(b"\0", item)
    for sibling in path:
        if last == 0:
            return False
        if at % 2 or at == last:
            value = sha256(b"\1", sibling, value)
            while at and at % 2 == 0:
                at, last = at // 2, last // 2
        else:
            value = sha256(b"\1", value, sibling)
        at, last = at // 2, last // 2
    return last == 0 and value == root


def _bit(path, depth):
    return path[depth // 8] >> (7 - depth % 8) & 1


def check_account(account, siblings, other, root):
    """ValueError unless the state tree with this root says so."""
    (address, nonce, balance), path = account, sha256(account[0])
    exists = bool(nonce or balance)
    if other and (exists or other[0] == address):
        raise ValueError("another account in the place of one that exists")
    value, end = bytes(32), account if exists else other
    if end:
        stands = sha256(end[0])
        if any(_bit(stands, depth) != _bit(path, depth) for depth in range(len(siblings))):
            raise ValueError("an account that does not stand in the path")
        if not (end[1] or end[2]):
            raise ValueError("an account of zeros")
        value = sha256(b"\0", stands, end[0], end[1].to_bytes(8, "big"), end[2].to_bytes(8, "big"))
    for depth, sibling in zip(reversed(range(len(siblings))), siblings):
        value = sha256(b"\1", sibling, value) if _bit(path, depth) else sha256(b"\1", value, sibling)
    if value != root:
        raise ValueError(f"a path to {value.hex()}")


# --- Steps 2 to 8 ---

HEADER = (int, int, 32, 32, 32, 20, int, int, int, str, int, bytes)
TRANSACTION = (int, bytes, 20, int, str, int, bytes)


def _header(raw, limit):
    fields = decode(raw, HEADER)
    if fields[6] > MAX_TIME or fields[0] > 255 or fields[8] > 255 or len(fields[11]) > 512:
        raise ValueError("a field out of range")
    if len(fields[9].encode()) > limit:
        raise ValueError("too much data")
    return fields


def _block_id(mining_hash, nonce):
    return sha256(mining_hash.hex().encode(), str(nonce).encode())


def claimed_genesis(receipt):
    """The genesis id that the receipt claims; it proves nothing."""
    fields = _header(receipt.genesis, MAX_GENESIS_DATA)
    return _block_id(sha256(b"ccoin/1/gen", encode(fields[:10])), fields[10])


class Proof:
    """A receipt under a genesis id that its reader trusts."""

    def __init__(self, receipt, genesis_id):
        self.receipt, self.genesis_id = receipt, genesis_id
        try:
            fields, got = _header(receipt.genesis, MAX_GENESIS_DATA), claimed_genesis(receipt)
        except ValueError as fault:
            raise Refused(2, fault, "the signed header of block 1") from None
        if got != genesis_id:
            raise Refused(2, got.hex(), genesis_id.hex())
        try:
            # The id is the one that the reader trusts: so is the configuration under it.
            config = json.loads(fields[9])
            self.miners = [bytes.fromhex(miner) for miner in config["miners"]]
            self.quorum, self.slot_ms = config["consensus"]["quorum"], config["consensus"]["slot_ms"]
            self.mining, self.max_data = config["block_mining"], config["transaction"]["max_data_bytes"]
        except (ValueError, KeyError, TypeError) as fault:
            raise Refused(2, fault, "a configuration") from None
        if fields[11]:
            raise Refused(2, "a signature", "no signature in block 1")

    def key(self, voter, address):
        der = self.receipt.keys.get(voter)
        if der is None:
            raise ValueError(f"no key of miner {voter}")
        modulus_of(der)
        if address_of(der) != address:
            raise ValueError(f"a key of {address_of(der).hex()} for miner {voter}")
        return der

    def check_headers(self):
        blocks = []
        for raw in self.receipt.headers:
            try:
                blocks.append(self.check_header(raw, blocks[-1] if blocks else None))
            except ValueError as fault:
                raise Refused(3, fault, "a header that keeps the rules, on the one before") from None
        return blocks

    def check_header(self, raw, parent):
        fields = _header(raw, MAX_GENESIS_DATA)
        version, number, before, _, _, miner, time, reward, difficulty, data, nonce, signature = fields
        if raw == self.receipt.genesis:
            block_id = self.genesis_id
        else:
            if miner not in self.miners:
                raise ValueError(f"{miner.hex()}, which is no miner")
            key = self.key(self.miners.index(miner), miner)
            if len(data.encode()) > MAX_BLOCK_DATA or version != 1 or difficulty != self.mining["difficulty"]:
                raise ValueError("data, version or difficulty that the network does not allow")
            if reward not in (0, self.mining["reward"]):
                raise ValueError(f"a reward of {reward}")
            if self.leader(time // self.slot_ms) != miner:
                raise ValueError(f"{miner.hex()}, whose turn it was not")
            mining_hash = sha256(b"ccoin/1/hdr", self.genesis_id, encode(fields[:10]))
            block_id = _block_id(mining_hash, nonce)
            if not block_id.hex().startswith("0" * difficulty):
                raise ValueError(f"id {block_id.hex()} without enough zeros")
            if not is_signed(key, block_id, signature):
                raise ValueError(f"a bad signature of block {number}")
        if parent and (before != parent["id"] or number != parent["number"] + 1):
            raise ValueError(f"block {number} on {before.hex()}")
        return {"number": number, "id": block_id, "time": time, "miner": miner, "state": fields[3], "txns": fields[4]}

    def leader(self, slot):
        return self.miners[slot % len(self.miners)]

    def check_transaction(self, held, first):
        raw, receipt = self.receipt.transaction, self.receipt
        try:
            if len(raw) > TXN_OVERHEAD + self.max_data:
                raise ValueError(f"{len(raw)} bytes")
            fields = decode(raw, TRANSACTION)
            number, der, to, amount, data, time, signature = fields
            modulus_of(der)
            if time > MAX_TIME or len(signature) > 512:
                raise ValueError("a field out of range")
        except ValueError as fault:
            raise Refused(5, fault, "the encoding of a signed transaction") from None
        document = self.check_document(data, held)
        txn_id = sha256(b"ccoin/1/txn", self.genesis_id, encode(fields[:6]))
        if len(data.encode()) > self.max_data:
            raise Refused(5, f"{len(data.encode())} bytes of data", f"at most {self.max_data}")
        if not is_signed(der, txn_id, signature):
            raise Refused(5, "a bad signature", f"one of {address_of(der).hex()}")
        if not leads_to(txn_id, *receipt.inclusion, first["txns"]):
            raise Refused(6, f"a path of {txn_id.hex()} to another root", first["txns"].hex())
        sender = address_of(der).hex()
        return document, {"id": txn_id.hex(), "sender": sender, "to": to.hex(), "amount": amount,
                          "data": data, "time": when(time)}

    def check_document(self, data, held):
        one, tree = re.fullmatch("sha256:([0-9a-f]{64})", data), re.fullmatch("sha256-tree:([0-9a-f]{64})", data)
        shown = bytes.fromhex(one[1]) if one else None
        if self.receipt.document:
            shown, index, size, path = self.receipt.document
            fits = one and (shown.hex(), index, size, path) == (one[1], 0, 1, [])
            if not fits and not (tree and leads_to(shown, index, size, path, bytes.fromhex(tree[1]))):
                raise Refused(4, f"document {shown.hex()} at {index} of {size}", f"a path to {data[:80]}")
        if held and held != shown:
            raise Refused(4, held.hex(), shown.hex() if shown else "no document: the receipt names none")
        return shown

    def check_certificate(self, last):
        receipt = self.receipt
        if (receipt.number, receipt.id) != (last["number"], last["id"]):
            raise Refused(8, f"votes for block {receipt.number} {receipt.id.hex()}", last["id"].hex())
        if len(receipt.votes) != self.quorum:
            raise Refused(8, f"{len(receipt.votes)} votes", f"{self.quorum} votes")
        for voter in receipt.keys:
            try:
                if voter >= len(self.miners):
                    raise ValueError(f"a key of miner {voter}")
                self.key(voter, self.miners[voter])
            except ValueError as fault:
                raise Refused(8, fault, "keys of miners") from None
        for voter, signature in receipt.votes:
            vote = encode([2, receipt.ballot, receipt.number, receipt.id, voter])
            message = sha256(b"ccoin/1/adr", self.genesis_id, vote)
            if voter not in receipt.keys or not is_signed(receipt.keys[voter], message, signature):
                raise Refused(8, f"a bad vote of miner {voter}", "a good signature of each voter")
        return {
            "block": shown_block(last),
            "voters": [self.miners[voter].hex() for voter, _ in receipt.votes],
            "voted_by": when((receipt.ballot // 65536 + 2) * self.slot_ms),
            "miners": len(self.miners),
            "tolerated": 2 * self.quorum - len(self.miners) - 1,
        }


def when(ms):
    """RFC 3339 with three decimals; the number itself where no calendar reaches."""
    if ms > MAX_TIME:
        return f"{ms} ms after 1970"
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=ms)
    return moment.isoformat(timespec="milliseconds") + "Z"


def shown_block(block):
    return {"number": block["number"], "id": block["id"].hex(), "time": when(block["time"]),
            "miner": block["miner"].hex()}


def verify(raw, genesis_id, document=None):
    """What the receipt in `raw` proves; `document`: SHA-256 of the reader's file. Raises Refused."""
    receipt = Receipt(raw)
    proof = Proof(receipt, genesis_id)
    blocks = proof.check_headers()
    answer = {"verified": True, "genesis": genesis_id.hex(), "document": None, "transaction": None, "account": None}
    if receipt.account:
        account, siblings, other = receipt.account
        if document:
            raise Refused(4, document.hex(), "no document: it is about an account")
        try:
            check_account(account, siblings, other, blocks[0]["state"])
        except ValueError as fault:
            raise Refused(7, fault, f"a path to {blocks[0]['state'].hex()}") from None
        answer["account"] = {"address": account[0].hex(), "nonce": account[1], "balance": account[2]}
    else:
        shown, answer["transaction"] = proof.check_transaction(document, blocks[0])
        answer["document"] = shown and shown.hex()
    answer["block"] = shown_block(blocks[0])
    answer["permanent"] = proof.check_certificate(blocks[-1])
    return answer


def words(answer):
    """What is proven and what is not, for people."""
    block, made = answer["block"], answer["permanent"]
    lines = []
    if answer["document"]:
        lines.append(f"document   sha256 {answer['document']}")
    if answer["transaction"]:
        txn = answer["transaction"]
        lines.append(f"existed    transaction {txn['id']}")
        lines.append(f"signed by  {txn['sender']}")
        if txn["amount"]:
            lines.append(f"pays       {txn['amount']} coins to {txn['to']}")
        if txn["data"] and not answer["document"]:
            lines.append("text       " + json.dumps(txn["data"][:200])[1:-1])
    if answer["account"]:
        account = answer["account"]
        state = f"nonce {account['nonce']}, {account['balance']} coins"
        lines.append(f"account    {account['address']}: {state if account['nonce'] or account['balance'] else 'did not exist'}")
    lines += [
        f"block      {block['number']} {block['id']}, by {block['miner']}",
        f"time       {block['time']} by the word of its miner; at the latest {made['voted_by']} by the clocks of "
        "those who made it permanent",
        f"permanent  {len(made['voters'])} of {made['miners']} miners voted for block {made['block']['number']}: "
        + ", ".join(made["voters"]),
        "not proven that the content is true, who the sender is in civil life, or that "
        + (f"at most {made['tolerated']} of the miners" if made["tolerated"] else "none of the miners")
        + " signed contradictions",
    ]
    return "\n".join(lines)


def main():
    options = argparse.ArgumentParser(description="Verify a receipt of a ccoin ledger offline.")
    options.add_argument("receipt")
    options.add_argument("--genesis", metavar="ID", help="64 hex digits, from a person that you trust")
    options.add_argument("--file", metavar="DOCUMENT", help="the document that the receipt must be about")
    options.add_argument("--json", action="store_true", help="print one line of JSON")
    options = options.parse_args()
    try:
        with open(options.receipt, "rb") as file:
            raw = file.read(MAX_BYTES + 1)
        document = None
        if options.file:
            digest = hashlib.sha256()
            with open(options.file, "rb") as file:
                for chunk in iter(lambda: file.read(1 << 20), b""):
                    digest.update(chunk)
            document = digest.digest()
        if options.genesis is None:
            try:
                claimed = claimed_genesis(Receipt(raw)).hex()
            except ValueError:
                claimed = "none"
            print(f"error: no genesis id\n  the receipt claims {claimed}, which proves nothing\n"
                  "  ask a person that you trust for the id of the network, then add --genesis ID", file=sys.stderr)
            return 2
        genesis = unhex(options.genesis, 32)
        answer = verify(raw, genesis, document)
    except Refused as refused:
        if options.json:
            print(json.dumps({"verified": False, "step": refused.step, "got": refused.got,
                              "expected": refused.expected}))
        else:
            print(f"no: {refused}", file=sys.stderr)
        return 3 if refused.step == 1 else 7
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(answer) if options.json else words(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
