"""The configuration that block 1 carries: its defaults, its canonical text, and the rules read from it.

It reads plain JSON only (no comments) and refuses nothing but what the canonical text itself excludes.
"""

import json
import re
from decimal import Decimal

from oracle import Invalid, Rules, require

_CONSENSUS = ("guard_ms", "max_skew_ms", "min_gap_ms", "quorum", "slot_ms")


def load(text):
    """JSON value of `text` with exact decimals; ValueError for duplicate keys, NaN and infinity."""
    def unique(pairs):
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError(f"duplicate key among {[key for key, _ in pairs]}")
        return dict(pairs)

    def refuse(name):
        raise ValueError(f"{name} is not JSON")
    return json.loads(text, object_pairs_hook=unique, parse_float=Decimal, parse_constant=refuse)


def milliseconds(seconds):
    """Integer ms of a JSON number of seconds with at most 3 decimals."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, Decimal)):
        raise ValueError(f"{seconds!r} is not a number of seconds")
    # The bound comes first: an exponent of a billion would be written out digit by digit.
    if not 0 <= seconds < 10**12:
        raise ValueError(f"{seconds} seconds are out of range")
    exact = Decimal(seconds) * 1000
    if exact != int(exact):
        raise ValueError(f"{seconds} has more than 3 decimals")
    return int(exact)


def canonical_text(value):
    """JSON without spaces, keys sorted by bytes, characters above U+001F as they are."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def canonical_config(config):
    """Text of block 1's `data` for a parsed genesis.json: defaults written out, `alloc` left out."""
    mining, txn = config.get("block_mining", {}), config.get("transaction", {})
    first, votes = config.get("genesis_block", {}), config.get("consensus", {})
    slot, miners = votes.get("slot_ms", 2000), [address.lower() for address in config["miners"]]
    return canonical_text({
        "network_id": config["network_id"],
        "miners": miners,
        "block_mining": {
            "interval_ms": milliseconds(mining.get("interval", 600)),
            "min_bound": mining.get("min_bound", 10),
            "max_bound": mining.get("max_bound", 100),
            "reward": mining.get("reward", 100),
            "difficulty": mining.get("difficulty", 5),
            "allow_empty": mining.get("allow_empty", True),
            "placeholder_data": mining.get("placeholder_data", None),
        },
        "transaction": {
            "placeholder_data": txn.get("placeholder_data", None),
            "max_data_bytes": txn.get("max_data_bytes", 4096),
        },
        "max_peers": config.get("max_peers", 0),
        "genesis_block": {
            "coinbase": first.get("coinbase", "").lower(),
            "coinbase_reward": first.get("coinbase_reward", 100),
            "difficulty": first.get("difficulty", 4),
        },
        "consensus": {
            "slot_ms": slot,
            "guard_ms": votes.get("guard_ms", slot // 5),
            "max_skew_ms": votes.get("max_skew_ms", slot // 4),
            "min_gap_ms": votes.get("min_gap_ms", 50),
            "quorum": votes.get("quorum", -(-2 * len(miners) // 3)),
        },
    })


def rules_of(text):
    """(Rules, whole configuration) of block 1's `data`; Invalid if the text is not canonical or out of bounds."""
    config = load(text)
    require("genesis_data", canonical_text(config), text)
    mining, votes, miners = config["block_mining"], config["consensus"], config["miners"]
    if not 1 <= len(miners) <= 100 or len(set(miners)) != len(miners):
        raise Invalid("genesis_miners", "1 to 100 different addresses", miners)
    for miner in miners:
        if not re.fullmatch("[0-9a-f]{40}", miner):
            raise Invalid("genesis_miners", "40 lower-case hex digits", miner)
    if not len(miners) < 2 * votes["quorum"] <= 2 * len(miners):
        raise Invalid("genesis_quorum", f"more than {len(miners)}/2, at most {len(miners)}", votes["quorum"])
    if not 1 <= mining["min_bound"] <= mining["max_bound"]:
        raise Invalid("genesis_bounds", "1 <= min_bound <= max_bound", mining)
    require("genesis_consensus", sorted(_CONSENSUS), sorted(votes))
    return Rules(
        miners=tuple(bytes.fromhex(miner) for miner in miners),
        slot_ms=votes["slot_ms"],
        min_gap_ms=votes["min_gap_ms"],
        interval_ms=mining["interval_ms"],
        min_bound=mining["min_bound"],
        max_bound=mining["max_bound"],
        allow_empty=mining["allow_empty"],
        reward=mining["reward"],
        difficulty=mining["difficulty"],
        max_data_bytes=config["transaction"]["max_data_bytes"],
    ), config
