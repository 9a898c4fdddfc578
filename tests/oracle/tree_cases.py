"""Golden cases of the two Merkle trees: transaction trees of 0 to 17 leaves, states of 0 to 40 accounts.

Paths that agree in many bits are found by trying addresses in order. It writes no file.
"""

from oracle import MAX_COINS
from rsa_pss import sha256
from trees import merkle_path, merkle_root, state_proof, state_root


def merkle_trees():
    """RFC 6962 trees of 0 to 17 transaction ids, with every path."""
    ids = [sha256(b"id %d" % i) for i in range(17)]
    for count in range(18):
        paths = [[h.hex() for h in merkle_path(i, ids[:count])] for i in range(count)]
        yield "merkle", f"leaves_{count}", {"ids": [i.hex() for i in ids[:count]]}, {
            "root": merkle_root(ids[:count]).hex(), **({"paths": paths} if count in (1, 2, 3, 5, 8, 13, 17) else {})}


def rows(state):
    """JSON rows of a state, sorted by address."""
    return [[address.hex(), *state[address]] for address in sorted(state)]


def crowded(bits):
    """Three addresses whose paths share at least `bits` bits, found by trying numbers in order."""
    groups = {}
    for i in range(1_000_000):
        address = sha256(b"crowd %d" % i)[:20]
        group = groups.setdefault(int.from_bytes(sha256(address)[:4], "big") >> (32 - bits), [])
        group.append(address)
        if len(group) == 3:
            return group
    raise SystemExit(f"no three addresses share {bits} bits")


def states():
    """State roots of 0 to 40 accounts, of crowded paths, after changes and deletions, with proofs."""
    names = [sha256(b"account %d" % i)[:20] for i in range(60)]
    full = {address: (i % 5, 10**6 * i + 1) for i, address in enumerate(names)}
    for count in range(41):
        state = {address: full[address] for address in names[:count]}
        yield "state", f"accounts_{count}", {"accounts": rows(state)}, {"root": state_root(state).hex()}
    state = {address: full[address] for address in names[:6]}
    for bits in (12, 16, 20):
        three = {address: (7, bits) for address in crowded(bits)}
        both = {**state, **three}
        one, two, last = three
        yield changed(f"crowded_{bits}_bits", three, {})
        yield changed(f"crowded_{bits}_bits_less_one", both, {last: (0, 0)})
        yield changed(f"crowded_{bits}_bits_less_two", both, {last: (0, 0), one: (0, 0)})
        yield changed(f"crowded_{bits}_bits_joining", {**state, one: (7, bits)}, {two: (0, 1), last: (1, 0)})
        yield proof(f"crowded_{bits}_bits_held", both, one)
        yield proof(f"crowded_{bits}_bits_missing", {**state, one: (7, bits), two: (7, bits)}, last)
    yield changed("all_deleted", state, {address: (0, 0) for address in state})
    yield changed("one_left", state, {address: (0, 0) for address in names[:5]})
    yield changed("absent_deleted", state, {names[50]: (0, 0)})
    yield changed("limits", {names[0]: (MAX_COINS, 0)}, {names[1]: (0, MAX_COINS)})
    yield proof("empty_state", {}, names[0])
    yield proof("only_account", {names[0]: (1, 1)}, names[0])
    yield proof("only_account_other", {names[0]: (1, 1)}, names[1])
    for i in (0, 5, 20, 21, 22, 23):
        yield proof(f"of_20_address_{i}", {address: full[address] for address in names[:20]}, names[i])


def changed(name, state, changes):
    """Root before and after setting some accounts."""
    after = {a: account for a, account in {**state, **changes}.items() if account != (0, 0)}
    return "state", name, {"accounts": rows(state), "then": rows(changes)}, {
        "root": state_root(state).hex(), "root_after": state_root(after).hex()}


def proof(name, state, address):
    """Siblings from the leaf up and what stands at the end of the path."""
    siblings, end = state_proof(state, address)
    return "state_proof", name, {"accounts": rows(state), "address": address.hex()}, {
        "root": state_root(state).hex(), "siblings": [h.hex() for h in siblings],
        "end": end and [end[0].hex(), *end[1:]]}
