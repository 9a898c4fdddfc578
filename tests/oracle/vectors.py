"""Writes vectors.json: golden cases that any implementation of the ledger must reproduce byte for byte.

Everything random comes from fixtures.py, so running it again gives the same file. README.md describes the kinds.
"""

import base64
import json
import os

import fixtures
import scenario
from encoding import encode
from genesis import canonical_config, load
from oracle import (MAX_COINS, MAX_TIME_MS, ZERO, Ancestor, Header, Invalid, Rules, Transaction, block_id,
                    check_batch_rule, decode_txn, has_work, mining_hash, txn_id)
from rsa_pss import address_of, modulus_of, pss_verify, sha256, spki, tlv
from tree_cases import merkle_trees, states

KEYS = {name: base64.b64decode(text) for name, text in fixtures.KEYS.items()}
NET = sha256(b"a genesis id")


def b64(raw):
    """Base64 text of bytes."""
    return base64.b64encode(raw).decode("ascii")


def encodings():
    """Integers, text, bytes and arrays around every boundary of their length."""
    ints = [0, 1, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, MAX_COINS, MAX_COINS + 1,
            2**63 - 1, 2**63, 2**64 - 1]
    lengths = [0, 1, 31, 32, 255, 256, 65535, 65536]
    values = [(f"int_{n}", {"int": str(n)}, n) for n in ints]
    values += [(f"str_{n}", {"str": "a", "times": n}, "a" * n) for n in lengths]
    values += [(f"str_wide_{n}", {"str": "☃", "times": n}, "☃" * n) for n in (10, 11, 85, 86)]
    values += [(f"bin_{n}", {"bin": "ff", "times": n}, b"\xff" * n) for n in (*lengths, 20, 64)]
    values += [(f"array_{n}", {"array_of": 7, "times": n}, [7] * n) for n in (0, 15, 16, 65535, 65536)]
    for name, given, value in values:
        raw = encode(value)
        yield "encoding", name, given, {"length": len(raw), "head": raw[:12].hex(), "sha256": sha256(raw).hex()}


def keys():
    """Public keys that fit the profile and DER that does not."""
    good = KEYS["miner_a"]
    modulus = modulus_of(good)
    number = modulus.to_bytes(256, "big")
    algorithm, exponent = bytes.fromhex("300d06092a864886f70d0101010500"), bytes.fromhex("0203010001")
    integer = tlv(2, b"\0" + number)
    wrap = lambda key, alg=algorithm, unused=b"\0": tlv(0x30, alg + tlv(0x03, unused + key))
    pair = lambda n, e=exponent: tlv(0x30, n + e)
    assert wrap(pair(integer)) == good
    shaped = {
        "exponent_65539": spki(modulus, 65539),
        "exponent_padded": wrap(pair(integer, bytes.fromhex("020400010001"))),
        "modulus_padded": wrap(pair(tlv(2, b"\0\0" + number))),
        "modulus_negative": wrap(pair(tlv(2, number))),
        "modulus_2049_bits": spki(modulus | 1 << 2048),
        "unused_bits": wrap(pair(integer), unused=b"\1"),
        "without_null": wrap(pair(integer), bytes.fromhex("300b06092a864886f70d010101")),
        "null_with_length_81_00": wrap(pair(integer), bytes.fromhex("300e06092a864886f70d010101058100")),
        "long_form_length": b"\x30\x83\0" + good[2:],
        "indefinite_length": b"\x30\x80" + good[4:] + b"\0\0",
        "pkcs1_only": pair(integer),
        "byte_after": good + b"\0",
        "byte_missing": good[:-1],
        "byte_before": b"\0" + good,
        "third_integer": wrap(tlv(0x30, integer + exponent + b"\2\1\0")),
        "empty": b"",
    }
    odd = {name: base64.b64decode(text) for name, text in fixtures.ODD_KEYS.items()}
    for name, der in {**KEYS, **odd, **shaped}.items():
        try:
            expected = {"valid": True, "bits": modulus_of(der).bit_length(), "address": address_of(der).hex()}
        except ValueError:
            expected = {"valid": False}
        yield "key", name, {"der": b64(der)}, expected


def transactions():
    """Transactions with text, amounts and times at their limits."""
    a, b = address_of(KEYS["miner_a"]), address_of(KEYS["miner_b"])
    plain = Transaction(1, KEYS["miner_a"], b, 5, "", 1_700_000_000_000, b"\xab" * 256)
    changes = {
        "plain": {}, "amount_0": {"amount": 0, "data": "record"}, "to_itself": {"to": a}, "to_zeros": {"to": bytes(20)},
        "number_128": {"number": 128}, "number_65536": {"number": 65536}, "number_max": {"number": MAX_COINS},
        "amount_2_32": {"amount": 2**32}, "amount_max": {"amount": MAX_COINS},
        "time_0": {"time": 0}, "time_max": {"time": MAX_TIME_MS},
        "unicode": {"data": "Grüße ☃ 𝄞 \u202e العربية"}, "data_nul": {"data": "\0\x1f\x7f"},
        "nfc": {"data": "\u00e9"}, "nfd": {"data": "e\u0301"},
        "data_31": {"data": "d" * 31}, "data_32": {"data": "d" * 32},
        "data_255": {"data": "d" * 255}, "data_256": {"data": "d" * 256},
        "other_signature": {"signature": b"\x01" * 256},
        "sender_3072": {"from_key": KEYS["user_c"], "signature": b"\xcd" * 384},
        "sender_4096": {"from_key": KEYS["user_d"], "signature": b"\xef" * 512},
        "other_sender": {"from_key": KEYS["miner_b"], "to": a},
    }
    for name, changed in changes.items():
        txn = plain._replace(**changed)
        sender = next(key for key, der in KEYS.items() if der == txn.from_key)
        given = {"genesis_id": NET.hex(), "number": txn.number, "from": sender, "to": txn.to.hex(),
                 "amount": txn.amount, "data": txn.data, "time": txn.time, "signature": b64(txn.signature)}
        expected = {"encoding_sha256": sha256(encode(txn)).hex(), "id": txn_id(NET, txn).hex()}
        if name in ("plain", "unicode"):
            expected["encoding"] = encode(txn).hex()
        yield "transaction", name, given, expected
    elsewhere = {**expected, "id": txn_id(ZERO, txn).hex()}
    yield "transaction", "other_network", {**given, "genesis_id": ZERO.hex()}, elsewhere


def transaction_bytes():
    """Bytes that are, or are not, the one encoding of a transaction."""
    txn = Transaction(1, KEYS["miner_a"], bytes(20), 5, "x", 6, b"\xab" * 16)
    fields = [encode(value) for value in txn]
    part = lambda at, raw, head=b"\x97": head + b"".join(fields[:at] + [raw] + fields[at + 1:])
    good = encode(txn)
    shapes = {
        "good": good, "byte_after": good + b"\0", "byte_missing": good[:-1], "empty": b"",
        "six_fields": b"\x96" + b"".join(fields[:6]), "eight_fields": b"\x98" + good[1:] + b"\0",
        "array_16": b"\xdc\0\7" + good[1:], "array_huge": b"\xdd\xff\xff\xff\xff", "map": b"\x87" + good[1:],
        "number_uint8": part(0, b"\xcc\1"), "number_uint64": part(0, b"\xcf" + bytes(7) + b"\1"),
        "number_signed": part(0, b"\xd0\1"), "number_negative": part(0, b"\xff"),
        "number_2_53": part(0, encode(2**53)),
        "key_empty": part(1, encode(b"")), "key_spoilt": part(1, encode(KEYS["miner_a"] + b"\0")),
        "to_str": part(2, b"\xb4" + b"a" * 20), "to_array": part(2, encode([0] * 20)),
        "to_19": part(2, encode(bytes(19))), "to_21": part(2, encode(bytes(21))),
        "to_bin16": part(2, b"\xc5\0\x14" + bytes(20)),
        "amount_float": part(3, b"\xca\x40\xa0\0\0"), "amount_nil": part(3, b"\xc0"),
        "amount_text": part(3, b"\xa15"), "amount_2_53": part(3, encode(2**53)),
        "data_str8": part(4, b"\xd9\1x"), "data_bin": part(4, b"\xc4\1x"), "data_not_utf8": part(4, b"\xa1\xff"),
        "data_surrogate": part(4, b"\xa3\xed\xa0\x80"), "data_overlong": part(4, b"\xa2\xc1\xb8"),
        "time_above": part(5, encode(MAX_TIME_MS + 1)),
        "signature_length_huge": part(6, b"\xc6\xff\xff\xff\xff"),
    }
    for name, raw in shapes.items():
        try:
            decode_txn(raw)
            valid = True
        except ValueError:
            valid = False
        yield "transaction_bytes", name, {"bytes": b64(raw)}, {"valid": valid}


def headers():
    """Headers with their mining hash and the ids for some nonces."""
    plain = Header(1, 2, sha256(b"p"), sha256(b"s"), ZERO, bytes(range(20)), 1_700_000_000_000, 100, 3, "")
    changes = {
        "plain": {}, "data": {"data": "rnd ☃"}, "data_1024": {"data": "z" * 1024},
        "number_max": {"number": MAX_COINS}, "time_0": {"time": 0}, "time_max": {"time": MAX_TIME_MS},
        "hashes": {"hash_txns": sha256(b"t")},
        "reward_0": {"reward": 0}, "reward_max": {"reward": MAX_COINS},
        "difficulty_0": {"difficulty": 0}, "difficulty_8": {"difficulty": 8},
        "genesis": {"number": 1, "hash_parent": ZERO, "coinbase": bytes(20), "reward": 0,
                    "data": '{"network_id":1}'},
    }
    for name, changed in changes.items():
        header, net = plain._replace(**changed), None if name == "genesis" else NET
        mining = mining_hash(net, header)
        worked = next(n for n in range(10**6) if has_work(block_id(mining, n), 3))
        given = {"genesis_id": net and net.hex(), **header._asdict()}
        given.update({key: value.hex() for key, value in given.items() if isinstance(value, bytes)})
        yield "header", name, given, {
            "encoding": encode(header).hex(), "mining_hash": mining.hex(), "first_nonce_with_3_zeros": worked,
            "ids": [[n, block_id(mining, n).hex()] for n in (0, 9, 10, 99_999, 2**32, MAX_COINS, worked)]}


def signatures():
    """PSS signatures and their verdicts, as recorded from openssl and judged again here."""
    for name, key, message, signature, recorded in fixtures.PSS:
        valid = pss_verify(KEYS[key], bytes.fromhex(message), base64.b64decode(signature))
        assert valid == recorded, name
        yield "signature", name, {"key": key, "message": message, "signature": signature}, {"valid": valid}


def turns():
    """The batch rule on a small chain, for two signers, around every time at which its answer changes."""
    a, b = bytes(20), b"\1" * 20
    chain = [(1, 0, a), (2, 5_000, a), (3, 5_200, b), (4, 5_900, b)]
    ancestors = [Ancestor(number, ZERO, time, coinbase) for number, time, coinbase in chain]
    for allow_empty in (True, False):
        rules = Rules((a, b), 2000, 50, 1000, 3, 9, allow_empty, 1, 1, 100)
        table = [[time, signer.hex(), count, allowed(rules, ancestors, time, signer, count)]
                 for time in (5_950, 5_999, 6_000, 6_199, 6_200, 6_899, 6_900, 9_000)
                 for signer in (a, b) for count in (0, 1, 2, 3)]
        given = {"interval_ms": 1000, "min_bound": 3, "allow_empty": allow_empty,
                 "ancestors": [[number, time, coinbase.hex()] for number, time, coinbase in chain]}
        yield "batch", f"allow_empty_{allow_empty}".lower(), given, {"time_signer_count_allowed": table}


def allowed(rules, ancestors, time, signer, count):
    """Does the batch rule allow block 5 with `count` transactions?"""
    try:
        check_batch_rule(rules, Header(1, 5, ZERO, ZERO, ZERO, signer, time, 1, 1, ""), count, ancestors)
        return True
    except Invalid:
        return False


def configurations():
    """Configurations and the text that block 1 carries for them."""
    one, two = "AB" * 20, "0f" * 20
    configs = {
        "least": {"network_id": 1, "miners": [two]},
        "upper_case": {"network_id": 2**32 - 1, "miners": [one, two], "genesis_block": {"coinbase": one}},
        "fractions": {"network_id": 1, "miners": [two], "block_mining": {"interval": 0.25},
                      "alloc": {one: {"balance": 5}}},
        "text": {"network_id": 1, "miners": [two], "max_peers": 3, "consensus": {"slot_ms": 999},
                 "block_mining": {"placeholder_data": ["predef", "é\u0001\"/"], "interval": 10},
                 "transaction": {"placeholder_data": ["rnd", 15]}},
    }
    for name, config in configs.items():
        written = json.dumps(config)
        yield "genesis_config", name, {"text": written}, {"data": canonical_config(load(written))}


def recorded(name, message):
    """Signature of a key over a message, from fixtures.py."""
    return base64.b64decode(fixtures.SIGNATURES[f"{name}:{message.hex()}"])


def text():
    """The whole of vectors.json: one case a line."""
    makers = (encodings(), keys(), transactions(), transaction_bytes(), headers(), merkle_trees(), states(),
              signatures(), turns(), configurations(), scenario.cases(KEYS, recorded))
    lines = [json.dumps({"kind": kind, "name": name, "input": given, "expected": expected},
                        ensure_ascii=True, separators=(",", ":"))
             for maker in makers for kind, name, given, expected in maker]
    return "[\n" + ",\n".join(lines) + "\n]\n"


if __name__ == "__main__":
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "vectors.json"), "w", encoding="ascii") as file:
        file.write(text())
