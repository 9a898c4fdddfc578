"""The two Merkle trees, straight from their definitions: RFC 6962 over transaction ids, and the state tree.

Slow on purpose: every root is recomputed from all its leaves, nothing is cached or updated in place.
"""

from rsa_pss import sha256

ZERO = bytes(32)


def _leaf(item):
    return sha256(b"\x00" + item)


def _node(left, right):
    return sha256(b"\x01" + left + right)


def _split(count):
    """Largest power of two below `count` (RFC 6962 2.1)."""
    return 1 << ((count - 1).bit_length() - 1)


def merkle_root(items):
    """RFC 6962 tree head of a list of byte strings; 32 zero bytes for none."""
    if not items:
        return ZERO
    if len(items) == 1:
        return _leaf(items[0])
    k = _split(len(items))
    return _node(merkle_root(items[:k]), merkle_root(items[k:]))


def merkle_path(index, items):
    """Sibling hashes of leaf `index`, from the leaf up (RFC 6962 2.1.1)."""
    if len(items) == 1:
        return []
    k = _split(len(items))
    if index < k:
        return merkle_path(index, items[:k]) + [merkle_root(items[k:])]
    return merkle_path(index - k, items[k:]) + [merkle_root(items[:k])]


def merkle_root_from_path(item, index, count, path):
    """Tree head that `path` proves for `item` at `index` of `count` (RFC 9162 2.1.3.2); None if ill-formed."""
    place, last, head = index, count - 1, _leaf(item)
    for sibling in path:
        if last == 0:
            return None
        if place & 1 or place == last:
            head = _node(sibling, head)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            head = _node(head, sibling)
        place, last = place >> 1, last >> 1
    return head if last == 0 else None


def _bit(path, depth):
    return path[depth // 8] >> (7 - depth % 8) & 1


def account_hash(address, nonce, balance):
    """Hash of a state leaf."""
    return sha256(b"\x00" + sha256(address) + address + nonce.to_bytes(8, "big") + balance.to_bytes(8, "big"))


def _subtree(accounts, depth):
    """Root of [(path, address, nonce, balance)] whose paths agree above `depth`."""
    if not accounts:
        return ZERO
    if len(accounts) == 1:
        return account_hash(*accounts[0][1:])
    halves = [[a for a in accounts if _bit(a[0], depth) == side] for side in (0, 1)]
    return _node(_subtree(halves[0], depth + 1), _subtree(halves[1], depth + 1))


def _placed(state):
    return [(sha256(address), address, *account) for address, account in sorted(state.items()) if account != (0, 0)]


def state_root(state):
    """Root over {address: (nonce, balance)}; accounts 0/0 are not part of it."""
    return _subtree(_placed(state), 0)


def state_proof(state, address):
    """(siblings from the leaf up, account (address, nonce, balance) at the end of the path or None)."""
    path, accounts, siblings = sha256(address), _placed(state), []
    while len(accounts) > 1:
        depth = len(siblings)
        side = _bit(path, depth)
        siblings.append(_subtree([a for a in accounts if _bit(a[0], depth) != side], depth + 1))
        accounts = [a for a in accounts if _bit(a[0], depth) == side]
    return siblings[::-1], accounts[0][1:] if accounts else None


def state_root_from_proof(address, siblings, end):
    """Root that a proof for `address` leads to; None if what stands at its end lies on another path."""
    path, depth = sha256(address), len(siblings)
    if depth > 256:
        return None
    if end is not None and any(_bit(path, d) != _bit(sha256(end[0]), d) for d in range(depth)):
        return None
    head = account_hash(*end) if end else ZERO
    for sibling in siblings:
        depth -= 1
        head = _node(sibling, head) if _bit(path, depth) else _node(head, sibling)
    return head
