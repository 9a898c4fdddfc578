#!/usr/bin/env python3
"""Measures what a slow signer costs: latency.py BIN_DIR DELAY VALIDATORS PAYMENTS.

Starts validators on loopback (slot 2 s), each with a signer that takes DELAY ms, or with a key
file if DELAY is `file`, makes one payment after another, and prints the times from the answer to
a payment until it is in a block, and until it is final.
"""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

FAKE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fake.py")
PATIENCE = 60
MINING = {"interval": 2, "min_bound": 1, "max_bound": 100, "reward": 10, "difficulty": 1,
          "allow_empty": False}
GENESIS = {"network_id": 7, "miners": [], "block_mining": MINING, "alloc": {},
           "genesis_block": {"difficulty": 1}, "consensus": {"slot_ms": 2000}}


def write(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def wait_for(what, look):
    end = time.monotonic() + PATIENCE
    while not (found := look()):
        if time.monotonic() > end:
            sys.exit(f"waited in vain for {what}")
        time.sleep(0.005)
    return found


class Validator:
    def __init__(self, binaries, home, genesis):
        self.binaries, self.home, self.config = binaries, home, f"{home}/ccoin.json"
        os.mkdir(home)
        write(self.config, {"app": {"base_path": home}, "client": {"account_address": ""}})
        said = self.run("create-account", "--no-passphrase", "--update-config",
                        "--update-genesis", genesis)
        self.address = said.strip().rpartition("=")[2]
        self.data = f"{home}/{self.address}"

    def run(self, program, *options):
        command = [f"{self.binaries}/{program}", "-c", self.config, *options]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True).stdout

    def hand_over(self, delay):
        key = f"{self.home}/key.pem"
        os.rename(f"{self.data}/.keys/id_rsa", key)
        config = json.loads(read(self.config))
        config["signer"] = {"command": ["python3", FAKE, key, "--delay", delay]}
        write(self.config, config)

    def start(self, peers):
        command = [f"{self.binaries}/cnode", "-c", self.config, "-t", "validator",
                   "-h", "127.0.0.1", "-p", "0"]
        for peer in peers:
            command += ["--peer", peer.places["p2p"]]
        with open(f"{self.home}/log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
        file = f"{self.data}/node.json"
        text = wait_for("node.json", lambda: os.path.exists(file) and read(file))
        self.places = json.loads(text)

    def ask(self, path, body=None):
        request = urllib.request.Request(f"http://{self.places['http']}{path}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
            request.add_header("Authorization", f"Bearer {read(self.data + '/api.token').strip()}")
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)


def pay(validator):
    """Seconds until a payment is in a block, and until it is final."""
    body = {"sendto_address": f"{1:040}", "amount": 0}
    path = f"/v1/txns/{validator.ask(f'/{validator.address}/txn/', body)['id']}"
    since = time.monotonic()
    times = []
    for reached in [("included", "final"), ("final",)]:
        wait_for(reached[0], lambda: validator.ask(path)["status"] in reached)
        times.append(time.monotonic() - since)
    return times


def show(times):
    times = sorted(times)
    return ", ".join(f"p{part} {times[len(times) * part // 100]:.3f} s" for part in (50, 90))


def main():
    binaries, delay, count, payments = sys.argv[1:]
    with tempfile.TemporaryDirectory() as home:
        genesis = f"{home}/genesis.json"
        write(genesis, GENESIS)
        validators = [Validator(binaries, f"{home}/{at}", genesis) for at in range(int(count))]
        if delay != "file":
            for validator in validators:
                validator.hand_over(delay)
        validators[0].run("initc", "-g", genesis)
        for at, validator in enumerate(validators):
            validator.start(validators[:at])
        for validator in validators:
            wait_for("ready", lambda: validator.ask("/v1/status").get("ready"))
        times = []
        for at in range(int(payments)):
            times.append(pay(validators[at % len(validators)]))
            time.sleep(0.35)  # so that payments fall on different places of a slot
        for validator in validators:
            validator.process.send_signal(signal.SIGTERM)
        for validator in validators:
            validator.process.wait(PATIENCE)
        included, final = zip(*times)
        print(f"signer {delay}: in a block {show(included)}; final {show(final)}")


main()
