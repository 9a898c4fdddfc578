"""A client of ccoin nodes in one file, for Python 3.9 and later.

    from ccoin import Devnet

    with Devnet() as net:
        alice, bob = net.key("alice"), net.key("bob")
        txn = net.node.send(alice, bob.address, 5, data="hello", wait="final")
        print(txn["status"], net.node.balance(bob.address))

Keys are opened and used in this process and never sent. Signing needs the package
`cryptography`; all the rest needs nothing but Python. Copy this file into your project.
"""

import atexit
import base64
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import time as clock
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timedelta, timezone

MAX_NUMBER = 2**53 - 1
MAX_ANSWER = 16 << 20
MAX_TIME = 253_402_300_799_999


class CcoinError(Exception):
    """What went wrong; `code` is stable: the node's, or `field`, `key`, `connect`, `timeout`."""

    def __init__(self, code, detail, status=None, hint=None):
        super().__init__(detail)
        self.code, self.detail, self.status, self.hint = code, detail, status, hint


# Bytes that are hashed and signed: MessagePack in its shortest form.


def _encode(value):
    if isinstance(value, int):
        for limit, marker, width in ((0x80, b"", 1), (1 << 8, b"\xcc", 1), (1 << 16, b"\xcd", 2),
                                     (1 << 32, b"\xce", 4), (1 << 64, b"\xcf", 8)):
            if value < limit:
                return marker + value.to_bytes(width, "big")
    if isinstance(value, str):
        raw = value.encode("utf-8")
        if len(raw) < 32:
            return bytes([0xA0 | len(raw)]) + raw
        return _sized(b"\xd9\xda\xdb", len(raw)) + raw
    if isinstance(value, bytes):
        return _sized(b"\xc4\xc5\xc6", len(value)) + value
    return bytes([0x90 | len(value)]) + b"".join(map(_encode, value))


def _sized(markers, length):
    for marker, width in zip(markers, (1, 2, 4)):
        if length < 1 << (8 * width):
            return bytes([marker]) + length.to_bytes(width, "big")
    raise CcoinError("field", "a text is longer than 4 GiB")


def _whole(name, value, most=MAX_NUMBER):
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise CcoinError("field", f"{name} is {value!r}, expected a whole number up to {most}")
    return value


def _hex(name, text, length):
    if not isinstance(text, str) or not re.fullmatch(f"[0-9a-f]{{{2 * length}}}", text):
        raise CcoinError("field", f"{name} is {text!r}, expected {2 * length} lower-case hex digits")
    return bytes.fromhex(text)


def address_of(public_der):
    """The address of a public key, given as DER bytes."""
    return hashlib.sha256(public_der).hexdigest()[:40]


def txn_id(genesis_id, number, public_der, to, amount, data, time):
    """The id of a transaction on one network; `time` is ms since 1970. Hex."""
    try:
        fields = [_whole("number", number), public_der, _hex("to", to, 20),
                  _whole("amount", amount), data, _whole("time", time, MAX_TIME)]
        encoded = _encode(fields)
    except UnicodeEncodeError:
        raise CcoinError("field", "data is no Unicode text") from None
    return hashlib.sha256(b"ccoin/1/txn" + _hex("genesis_id", genesis_id, 32) + encoded).hexdigest()


def _millis(text):
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{3})Z", text)
    if not match:
        raise CcoinError("field", f"time is {text!r}, expected 2018-04-07T11:46:59.336Z")
    try:
        since = datetime.fromisoformat(match[1] + "+00:00") - _EPOCH
    except ValueError as error:
        raise CcoinError("field", f"time is {text!r}: {error}") from None
    return (since.days * 86_400 + since.seconds) * 1_000 + int(match[2])


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def _rfc3339(millis):
    moment = _EPOCH + timedelta(milliseconds=millis)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{millis % 1000:03}Z"


def check(txn, genesis_id):
    """The id of a signed transaction, as `Key.sign` returns it, if its signature is good."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.serialization import load_der_public_key
    der = base64.b64decode(txn["public_key"], validate=True)
    own = txn_id(genesis_id, txn["number"], der, txn["to"], txn["amount"], txn["data"],
                 _millis(txn["time"]))
    if txn.get("id", own) != own or txn.get("from", address_of(der)) != address_of(der):
        raise CcoinError("field", "id or from does not follow from the other fields")
    try:
        public = load_der_public_key(der)
        public.verify(base64.b64decode(txn["signature"], validate=True), bytes.fromhex(own), *_pss())
    except (InvalidSignature, ValueError):
        raise CcoinError("bad-signature", f"the signature of {own} is wrong") from None
    return own


def _pss():
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding
    digest = hashes.SHA256()
    return padding.PSS(mgf=padding.MGF1(digest), salt_length=32), digest


class Key:
    """A private key: RSA of 2048, 3072 or 4096 bits."""

    def __init__(self, private):
        from cryptography.hazmat.primitives.asymmetric import rsa
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
        fits = isinstance(private, rsa.RSAPrivateKey) and private.key_size in (2048, 3072, 4096)
        if not fits or private.public_key().public_numbers().e != 65537:
            raise CcoinError("key", "not an RSA key of 2048, 3072 or 4096 bits with e = 65537")
        self._private = private
        self.public_der = private.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.address = address_of(self.public_der)

    @classmethod
    def generate(cls, bits=2048):
        """A new key."""
        from cryptography.hazmat.primitives.asymmetric import rsa
        return cls(rsa.generate_private_key(65537, bits))

    @classmethod
    def open(cls, path, passphrase=None):
        """The key in a file such as `.keys/id_rsa`."""
        with open(path, encoding="utf-8") as file:
            return cls.from_pem(file.read(64 << 10), passphrase)

    @classmethod
    def from_pem(cls, pem, passphrase=None):
        """The key in a PKCS#8 PEM text; a passphrase that is not needed is ignored."""
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
        locked = "BEGIN ENCRYPTED PRIVATE KEY" in pem
        if not locked and "BEGIN PRIVATE KEY" not in pem:
            raise CcoinError("key", "not a private key in PKCS#8 PEM")
        if locked and not passphrase:
            raise CcoinError("locked", "the key is locked with a passphrase")
        try:
            opened = load_pem_private_key(pem.encode(), passphrase.encode() if locked else None)
        except Exception as error:
            if locked:
                raise CcoinError("locked", "wrong passphrase") from None
            raise CcoinError("key", f"the key cannot be used: {error}") from None
        return cls(opened)

    def sign(self, genesis_id, number, to, amount, data="", time=None):
        """A signed transaction, as `POST /v1/txns` takes it; `time` is ms since 1970."""
        time = clock.time_ns() // 1_000_000 if time is None else time
        own = txn_id(genesis_id, number, self.public_der, to, amount, data, time)
        signature = self._private.sign(bytes.fromhex(own), *_pss())
        return {"id": own, "from": self.address, "number": number,
                "public_key": base64.b64encode(self.public_der).decode(), "to": to,
                "amount": amount, "data": data, "time": _rfc3339(time),
                "signature": base64.b64encode(signature).decode()}


class Node:
    """The HTTP API of a node, also behind a reverse proxy: `https://host/path`."""

    def __init__(self, url="http://127.0.0.1:4002", timeout=20):
        self.url, self.timeout = url.rstrip("/"), timeout
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def ask(self, path, body=None, timeout=None):
        """The JSON of any path; with `body`, of a POST."""
        raw = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, raw, {"Content-Type": "application/json"})
        try:
            with self._open(request, timeout=timeout or self.timeout) as answer:
                text, status = answer.read(MAX_ANSWER + 1), answer.status
        except urllib.error.HTTPError as error:
            with error:
                raise _problem(error.code, error.read(1 << 16)) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise CcoinError("connect", f"no answer from {self.url}{path}: {reason}") from None
        try:
            if len(text) > MAX_ANSWER:
                raise ValueError("too long")
            return json.loads(text)
        except ValueError as error:
            raise CcoinError("connect", f"{self.url}{path} answered {status}: {error}") from None

    def status(self):
        """How the node is."""
        return self.ask("/v1/status")

    def why(self):
        """One sentence: what holds blocks or finality up."""
        return self.ask("/v1/why")["sentence"]

    def account(self, address):
        """Nonce, balance and next number."""
        return self.ask(f"/v1/accounts/{address}")

    def balance(self, address):
        """Coins."""
        return self.account(address)["balance"]

    def block(self, which="head"):
        """A block by number, id, `head` or `final`."""
        return self.ask(f"/v1/blocks/{which}")

    def txn(self, id):
        """A transaction and its status: pending, included, final or dropped."""
        return self.ask(f"/v1/txns/{id}")

    def publish(self, txn):
        """Hands a signed transaction in; the same one again does no harm."""
        return self.ask("/v1/txns", txn)

    def events(self, types=None, address=None, last_id=None):
        """What happens from now on, or from behind `last_id` on: dicts of id, type and data.

        It goes on after a break, also with another node: each event comes at least once. `types`
        are some of block, txn, final, leader, peer, dropped; `address` chooses transactions.
        """
        query = {"types": ",".join(types or []), "address": address or ""}
        query = urllib.parse.urlencode({name: value for name, value in query.items() if value})
        heard = False
        while True:
            headers = {"Last-Event-ID": last_id} if last_id else {}
            request = urllib.request.Request(f"{self.url}/v1/events?{query}", headers=headers)
            try:
                # The node sends a line every 15 s.
                with self._open(request, timeout=40) as lines:
                    heard = True
                    for event in _events(lines):
                        last_id = event["id"] or last_id
                        if event["type"]:
                            yield event
            except urllib.error.HTTPError as error:
                with error:
                    problem = _problem(error.code, error.read(1 << 16))
                if not heard or error.code not in (429, 503):
                    raise problem from None
            except (OSError, http.client.HTTPException) as error:
                if not heard:
                    raise CcoinError("connect", f"no events from {self.url}: {error}") from None
            clock.sleep(1)

    def send(self, key, to, amount, data="", wait="included", timeout=60):
        """Pays, and waits until a block holds it or is final; `wait=None` does not."""
        genesis_id = self.status()["genesis_id"]
        if genesis_id is None:
            raise CcoinError("not-ready", "the node has no chain yet")
        number = self.account(key.address)["next_number"]
        txn = self.publish(key.sign(genesis_id, number, to, amount, data))
        return txn if wait is None else self.wait(txn["id"], wait, timeout)

    def wait(self, id, until="final", timeout=60):
        """Waits until a transaction is `included` or `final`."""
        if until not in ("included", "final"):
            raise CcoinError("field", f"wait is {until!r}, expected included or final")
        deadline = clock.monotonic() + timeout
        while True:
            txn = self.txn(id)
            if txn["status"] == "final" or txn["status"] == until:
                return txn
            if txn["status"] == "dropped":
                raise CcoinError("dropped", f"{id} was dropped: {txn['reason']}")
            if clock.monotonic() > deadline:
                raise CcoinError("timeout", f"{id} is {txn['status']} after {timeout} s: {self.why()}")
            clock.sleep(0.1)


def _events(lines):
    """The events of a stream; one without data only moves the place."""
    event, data = {"id": None, "type": None, "data": None}, []
    while True:
        line = lines.readline(MAX_ANSWER)
        if not line.endswith(b"\n"):
            return
        name, _, value = line.decode("utf-8", "replace").rstrip("\r\n").partition(":")
        value = value[1:] if value.startswith(" ") else value
        if name == "id":
            event["id"] = value
        elif name == "event":
            event["type"] = value
        elif name == "data":
            data.append(value)
        elif not name and not value and (data or event["id"]):
            text = "\n".join(data)
            event["data"] = json.loads(text) if text else None
            yield event
            event, data = {"id": None, "type": None, "data": None}, []


def _problem(status, raw):
    try:
        problem = json.loads(raw)
        return CcoinError(problem["code"], problem["detail"], status, problem.get("hint"))
    except (ValueError, KeyError, TypeError):
        return CcoinError("connect", f"the server answered {status}", status)


class Devnet:
    """A network of real nodes on this machine, for tests: `with Devnet() as net:`.

    `program` is `ccoin`, by default that of CCOIN, else of PATH; options are those of
    `ccoin devnet`: validators, basics, accounts, block_time="200ms", traffic, data_dir.
    """

    def __init__(self, program=None, **options):
        self.program = program or os.environ.get("CCOIN") or shutil.which("ccoin")
        self.options, self._process = options, None

    def __enter__(self):
        if not self.program:
            raise CcoinError("program", "ccoin is not in PATH; name it: Devnet('target/release/ccoin')")
        # It ends when this process does, even by a kill: then the pipe to it closes.
        words = [str(self.program), "devnet", "--json", "--until-stdin-closes"]
        for name, value in self.options.items():
            words += ["--" + name.replace("_", "-"), str(value)]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        atexit.register(self.stop)
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            self.stop()
            raise CcoinError("program", f"ccoin devnet ended with {code}, see stderr")
        self.report = json.loads(line)
        self.genesis_id = self.report["genesis_id"]
        self.node = Node(self.report["explorer"])
        self.nodes = {node["name"]: Node(node["http"]) for node in self.report["nodes"]}
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Ends the network and removes its temporary files."""
        atexit.unregister(self.stop)
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdin.close()
        process.stdout.close()

    def _member(self, name):
        for member in self.report["accounts"] + self.report["nodes"]:
            if member["name"] == name:
                return member
        names = [account["name"] for account in self.report["accounts"]]
        raise CcoinError("not-found", f"no {name!r} in this devnet, only {', '.join(names)}")

    def address(self, name):
        """The address of `alice`, `validator-1` and so on."""
        return self._member(name)["address"]

    def key(self, name):
        """The key of `alice`, `validator-1` and so on."""
        return Key.open(self._member(name)["key_file"])
