"""Canonical MessagePack: the one encoding of integers, text, bytes and arrays.

Written from the MessagePack specification. It never writes or accepts floats, maps, nil,
booleans, extension types, negative integers or any longer form than the shortest.
"""

MAX_DEPTH = 8


def _sized(short, markers, length):
    """Header of a sized value: `short` = (first byte, limit) or None, markers for 8, 16, 32 bits."""
    if short and length < short[1]:
        return bytes([short[0] | length])
    for marker, width in zip(markers, (1, 2, 4)):
        if marker is not None and length < 1 << (8 * width):
            return bytes([marker]) + length.to_bytes(width, "big")
    raise ValueError(f"length {length} does not fit 32 bits")


def encode(value):
    """Bytes of an int (0..2^64-1), str, bytes, or list/tuple of such."""
    if isinstance(value, bool):
        raise TypeError("a boolean has no encoding here")
    if isinstance(value, int):
        if value < 0:
            raise ValueError(f"negative integer {value}")
        if value < 0x80:
            return bytes([value])
        for marker, width in ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8)):
            if value < 1 << (8 * width):
                return bytes([marker]) + value.to_bytes(width, "big")
        raise ValueError(f"integer {value} does not fit 64 bits")
    if isinstance(value, str):
        text = value.encode("utf-8")
        return _sized((0xA0, 32), (0xD9, 0xDA, 0xDB), len(text)) + text
    if isinstance(value, bytes):
        return _sized(None, (0xC4, 0xC5, 0xC6), len(value)) + value
    if isinstance(value, (list, tuple)):
        head = _sized((0x90, 16), (None, 0xDC, 0xDD), len(value))
        return head + b"".join(encode(item) for item in value)
    raise TypeError(f"{type(value).__name__} has no encoding here")


def decode(raw):
    """The value whose one encoding is `raw`; ValueError for every other byte string."""
    value, _ = _read(raw, 0, 0)
    if encode(value) != raw:
        raise ValueError("not the shortest form, or bytes after it")
    return value


def _take(raw, at, count):
    if at + count > len(raw):
        raise ValueError(f"truncated at byte {len(raw)}")
    return raw[at:at + count], at + count


def _read(raw, at, depth):
    if depth > MAX_DEPTH:
        raise ValueError(f"deeper than {MAX_DEPTH}")
    (marker,), at = _take(raw, at, 1)
    if marker < 0x80:
        return marker, at
    if 0xCC <= marker <= 0xCF:
        body, at = _take(raw, at, 1 << (marker - 0xCC))
        return int.from_bytes(body, "big"), at
    if marker & 0xF0 == 0x90:
        return _read_items(raw, at, marker & 0x0F, depth)
    if marker & 0xE0 == 0xA0:
        body, at = _take(raw, at, marker & 0x1F)
        return body.decode("utf-8"), at
    widths = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4, 0xDC: 2, 0xDD: 4}
    if marker not in widths:
        raise ValueError(f"type byte {marker:#04x} is not allowed")
    body, at = _take(raw, at, widths[marker])
    size = int.from_bytes(body, "big")
    if marker >= 0xDC:
        return _read_items(raw, at, size, depth)
    body, at = _take(raw, at, size)
    return (body if marker < 0xD0 else body.decode("utf-8")), at


def _read_items(raw, at, count, depth):
    items = []
    for _ in range(count):
        item, at = _read(raw, at, depth + 1)
        items.append(item)
    return items, at
