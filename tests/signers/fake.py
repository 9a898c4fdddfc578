#!/usr/bin/env python3
"""A signer for tests: fake.py KEY.pem [--delay MS] [--fault FAULT (--after N | --while-exists FILE)].

Signs, but does FAULT instead after N messages, or while FILE exists.
"""
import argparse
import os
import sys
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)


def load(path):
    with open(path, "rb") as file:
        return serialization.load_pem_private_key(file.read(), None)


def write(data):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def fail(fault, key, message):
    """Does the fault; returns if the signer goes on."""
    if fault == "die":
        sys.exit("the device is gone")
    if fault == "hang":
        time.sleep(3600)
    if fault == "close":
        os.close(1)
        time.sleep(3600)
    if fault == "flood":
        write(bytes(1_000_000))
    if fault == "garbage":
        write(bytes(key.key_size // 8))
    if fault == "short":
        write(key.sign(message, PSS, hashes.SHA256())[:100])
        time.sleep(3600)
    if fault == "twice":
        write(key.sign(message, PSS, hashes.SHA256()) * 2)
    if fault == "other-key":
        other = rsa.generate_private_key(65537, key.key_size)
        write(other.sign(message, PSS, hashes.SHA256()))
    if fault == "other-message":
        write(key.sign(bytes(32), PSS, hashes.SHA256()))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("key")
    parser.add_argument("--delay", type=int, default=0)
    parser.add_argument("--fault")
    parser.add_argument("--after", type=int, default=0)
    parser.add_argument("--while-exists")
    options = parser.parse_args()
    key = load(options.key)
    print("the fake signer is up", file=sys.stderr, flush=True)
    signed = 0
    while message := sys.stdin.buffer.read(32):
        time.sleep(options.delay / 1000)
        flag = options.while_exists
        faulty = os.path.exists(flag) if flag else options.fault and signed >= options.after
        if faulty:
            fail(options.fault, key, message)
        else:
            write(key.sign(message, PSS, hashes.SHA256()))
        signed += 1


main()
