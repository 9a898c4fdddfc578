// A client of ccoin nodes in one file, without dependencies: Node 20 and later, Deno, Bun, and
// browsers (all but Devnet). Types can be stripped: a runtime that knows .ts runs it as it is.
//
//     import { Devnet } from "./ccoin.ts";
//
//     const net = await Devnet.start();
//     const alice = await net.key("alice");
//     const txn = await net.node.send(alice, net.address("bob"), 5, { data: "hello", wait: "final" });
//     console.log(txn.status, await net.node.balance(net.address("bob")));
//     await net.stop();
//
// Keys are opened and used in this process and never sent.

const MAX_NUMBER = Number.MAX_SAFE_INTEGER;
const MAX_TIME = 253_402_300_799_999;
const MAX_ANSWER = 16 << 20;
const MAX_ROUNDS = 20_000_000;

/** What went wrong; `code` is stable: the node's, or `field`, `key`, `connect`, `timeout`. */
export class CcoinError extends Error {
  code: string;
  status?: number;
  hint?: string;
  constructor(code: string, detail: string, status?: number, hint?: string) {
    super(detail);
    this.name = "CcoinError";
    this.code = code;
    this.status = status;
    this.hint = hint;
  }
}

/** A signed transaction, as `POST /v1/txns` takes it. */
export type SignedTxn = {
  id: string;
  from: string;
  number: number;
  public_key: string;
  to: string;
  amount: number;
  data: string;
  time: string;
  signature: string;
};

/** A transaction and what became of it. */
export type Txn = SignedTxn & {
  status: "pending" | "included" | "final" | "dropped";
  block_number: number | null;
  block_id: string | null;
  index: number | null;
  reason: string | null;
};

export type Account = {
  address: string;
  nonce: number;
  balance: number;
  next_number: number;
  pending: number;
  block_number: number;
};

/** What happened; an `id` is a place in the chain to go on from. */
export type LedgerEvent = { id: string | null; type: string; data: any };

type EventOptions = { types?: string[]; address?: string; lastId?: string; signal?: AbortSignal };

type Bytes = Uint8Array<ArrayBuffer>;

// Bytes: MessagePack in its shortest form, hex, base64, DER.

const text = new TextEncoder();

function join(...parts: Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function bigEndian(value: number, width: number): Bytes {
  const bytes = new Uint8Array(width);
  for (let at = width - 1, rest = value; at >= 0; at -= 1) {
    bytes[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return bytes;
}

function encodeInt(value: number): Bytes {
  if (value < 0x80) return bigEndian(value, 1);
  if (value < 2 ** 8) return join(Uint8Array.of(0xcc), bigEndian(value, 1));
  if (value < 2 ** 16) return join(Uint8Array.of(0xcd), bigEndian(value, 2));
  if (value < 2 ** 32) return join(Uint8Array.of(0xce), bigEndian(value, 4));
  return join(Uint8Array.of(0xcf), bigEndian(value, 8));
}

function sized(marker: number, raw: Uint8Array): Bytes {
  const width = raw.length < 2 ** 8 ? 0 : raw.length < 2 ** 16 ? 1 : 2;
  return join(Uint8Array.of(marker + width), bigEndian(raw.length, 1 << width), raw);
}

function encodeText(value: string): Bytes {
  const raw = text.encode(value);
  return raw.length < 32 ? join(Uint8Array.of(0xa0 | raw.length), raw) : sized(0xd9, raw);
}

function hex(raw: Uint8Array): string {
  return Array.from(raw, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function unhex(name: string, value: string, length: number): Bytes {
  if (typeof value !== "string" || value.length !== 2 * length || !/^[0-9a-f]*$/.test(value)) {
    throw new CcoinError("field", `${name} is ${JSON.stringify(value)}, expected ${2 * length} lower-case hex digits`);
  }
  return Uint8Array.from({ length }, (_, at) => parseInt(value.slice(2 * at, 2 * at + 2), 16));
}

function base64(raw: Uint8Array): string {
  return btoa(String.fromCharCode(...raw));
}

function unbase64(value: string): Bytes {
  return Uint8Array.from(atob(value), (character) => character.charCodeAt(0));
}

function whole(name: string, value: number, most = MAX_NUMBER): number {
  if (!Number.isSafeInteger(value) || value < 0 || value > most) {
    throw new CcoinError("field", `${name} is ${String(value)}, expected a whole number up to ${most}`);
  }
  return value;
}

async function sha256(raw: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", raw));
}

/** The address of a public key, given as DER bytes. */
export async function addressOf(publicDer: Bytes): Promise<string> {
  return hex(await sha256(publicDer)).slice(0, 40);
}

/** The id of a transaction on one network; `time` is ms since 1970. Hex. */
export async function txnId(
  genesisId: string,
  fields: { number: number; publicDer: Bytes; to: string; amount: number; data: string; time: number },
): Promise<string> {
  if (/\p{Surrogate}/u.test(fields.data)) throw new CcoinError("field", "data is no Unicode text");
  const encoded = join(
    Uint8Array.of(0x96),
    encodeInt(whole("number", fields.number)),
    sized(0xc4, fields.publicDer),
    sized(0xc4, unhex("to", fields.to, 20)),
    encodeInt(whole("amount", fields.amount)),
    encodeText(fields.data),
    encodeInt(whole("time", fields.time, MAX_TIME)),
  );
  return hex(await sha256(join(text.encode("ccoin/1/txn"), unhex("genesis_id", genesisId, 32), encoded)));
}

function millis(time: string): number {
  const parsed = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(time) ? Date.parse(time) : NaN;
  if (Number.isNaN(parsed)) {
    throw new CcoinError("field", `time is ${JSON.stringify(time)}, expected 2018-04-07T11:46:59.336Z`);
  }
  return parsed;
}

const PSS = { name: "RSA-PSS", hash: "SHA-256" };
const SALT = { name: "RSA-PSS", saltLength: 32 };

/** The id of a signed transaction, as `Key.sign` returns it, if its signature is good. */
export async function check(txn: SignedTxn, genesisId: string): Promise<string> {
  const publicDer = unbase64(txn.public_key);
  const { number, to, amount, data } = txn;
  const id = await txnId(genesisId, { number, publicDer, to, amount, data, time: millis(txn.time) });
  if ((txn.id ?? id) !== id || (txn.from ?? (await addressOf(publicDer))) !== (await addressOf(publicDer))) {
    throw new CcoinError("field", "id or from does not follow from the other fields");
  }
  const key = await crypto.subtle.importKey("spki", publicDer, PSS, false, ["verify"]);
  if (!(await crypto.subtle.verify(SALT, key, unbase64(txn.signature), unhex("id", id, 32)))) {
    throw new CcoinError("bad-signature", `the signature of ${id} is wrong`);
  }
  return id;
}

/** The parts of a DER value: tag and content. */
function der(raw: Bytes): { tag: number; content: Bytes; rest: Bytes } {
  let length = raw[1] ?? NaN;
  let at = 2;
  if (length & 0x80) {
    const width = length & 0x7f;
    if (width < 1 || width > 3) throw new CcoinError("key", "the key is damaged");
    length = raw.slice(2, 2 + width).reduce((sum, byte) => sum * 256 + byte, 0);
    at += width;
  }
  if (!(at + length <= raw.length)) throw new CcoinError("key", "the key is damaged");
  return { tag: raw[0], content: raw.slice(at, at + length), rest: raw.slice(at + length) };
}

function items(raw: Bytes): { tag: number; content: Bytes }[] {
  const found = [];
  for (let rest = raw; rest.length > 0; ) {
    const item = der(rest);
    found.push(item);
    rest = item.rest;
  }
  return found;
}

const PBES2 = "2a864886f70d01050d";
const PBKDF2 = "2a864886f70d01050c";
const HMAC_SHA256 = "2a864886f70d0209";
const AES_256_CBC = "60864801650304012a";

/** Opens PBES2 with PBKDF2-HMAC-SHA256 and AES-256-CBC, as ccoin and openssl write it. */
async function decrypt(sealed: Bytes, passphrase: string): Promise<Bytes> {
  const [scheme, data] = items(der(sealed).content);
  const [method, parameters] = items(scheme.content);
  const [derivation, cipher] = items(parameters.content).map((item) => items(item.content));
  const [salt, rounds, ...more] = items(derivation[1].content);
  const function_ = more.find((item) => item.tag === 0x30);
  const count = rounds.content.reduce((sum, byte) => sum * 256 + byte, 0);
  const known = hex(method.content) === PBES2 && hex(derivation[0].content) === PBKDF2 &&
    function_ !== undefined && hex(items(function_.content)[0].content) === HMAC_SHA256 &&
    hex(cipher[0].content) === AES_256_CBC;
  if (!known || count > MAX_ROUNDS) {
    throw new CcoinError("key", "the key is locked in a way that is not PBKDF2-HMAC-SHA256 with AES-256-CBC");
  }
  const words = await crypto.subtle.importKey("raw", text.encode(passphrase), "PBKDF2", false, ["deriveKey"]);
  const derived = { name: "PBKDF2", hash: "SHA-256", salt: salt.content, iterations: count };
  const key = await crypto.subtle.deriveKey(derived, words, { name: "AES-CBC", length: 256 }, false, ["decrypt"]);
  try {
    return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-CBC", iv: cipher[1].content }, key, data.content));
  } catch {
    throw new CcoinError("locked", "wrong passphrase");
  }
}

/** A private key: RSA of 2048, 3072 or 4096 bits. */
export class Key {
  readonly address: string;
  readonly publicDer: Bytes;
  private readonly secret: CryptoKey;

  private constructor(secret: CryptoKey, publicDer: Bytes, address: string) {
    this.secret = secret;
    this.publicDer = publicDer;
    this.address = address;
  }

  /** The key in a PKCS#8 PEM text; a passphrase that is not needed is ignored. */
  static async fromPem(pem: string, passphrase = ""): Promise<Key> {
    const found = /^-----BEGIN (ENCRYPTED |)PRIVATE KEY-----([\sA-Za-z0-9+/=]+)-----END \1PRIVATE KEY-----$/.exec(pem.trim());
    if (found === null) throw new CcoinError("key", "not a private key in PKCS#8 PEM");
    const locked = found[1] !== "";
    if (locked && passphrase === "") throw new CcoinError("locked", "the key is locked with a passphrase");
    const raw = unbase64(found[2].replace(/\s/g, ""));
    return Key.fromDer(locked ? await decrypt(raw, passphrase) : raw, locked);
  }

  private static async fromDer(raw: Bytes, locked: boolean): Promise<Key> {
    let secret: CryptoKey;
    try {
      secret = await crypto.subtle.importKey("pkcs8", raw, PSS, true, ["sign"]);
    } catch {
      // A wrong passphrase gives valid padding once in 256 times.
      if (locked) throw new CcoinError("locked", "wrong passphrase");
      throw new CcoinError("key", "the key cannot be used");
    }
    const { n, e } = await crypto.subtle.exportKey("jwk", secret);
    const bits = (secret.algorithm as RsaHashedKeyAlgorithm).modulusLength;
    if (e !== "AQAB" || ![2048, 3072, 4096].includes(bits)) {
      throw new CcoinError("key", "not an RSA key of 2048, 3072 or 4096 bits with e = 65537");
    }
    const half = await crypto.subtle.importKey("jwk", { kty: "RSA", n, e }, PSS, true, ["verify"]);
    const publicDer = new Uint8Array(await crypto.subtle.exportKey("spki", half));
    return new Key(secret, publicDer, await addressOf(publicDer));
  }

  /** A signed transaction, as `POST /v1/txns` takes it; `time` is ms since 1970. */
  async sign(
    genesisId: string,
    payment: { number: number; to: string; amount: number; data?: string; time?: number },
  ): Promise<SignedTxn> {
    const { number, to, amount, data = "", time = Date.now() } = payment;
    const { publicDer, address } = this;
    const id = await txnId(genesisId, { number, publicDer, to, amount, data, time });
    const signature = new Uint8Array(await crypto.subtle.sign(SALT, this.secret, unhex("id", id, 32)));
    return {
      id,
      from: address,
      number,
      public_key: base64(publicDer),
      to,
      amount,
      data,
      time: new Date(time).toISOString(),
      signature: base64(signature),
    };
  }
}

type Patience = { data?: string; wait?: "included" | "final" | null; timeout?: number };

const pause = (ms: number) => new Promise((resume) => setTimeout(resume, ms));

/** The HTTP API of a node, also behind a reverse proxy: `https://host/path`. */
export class Node {
  readonly url: string;
  private readonly timeout: number;

  /** `timeout` in ms bounds each request. */
  constructor(url = "http://127.0.0.1:4002", timeout = 20_000) {
    this.url = url.replace(/\/+$/, "");
    this.timeout = timeout;
  }

  /** The JSON of any path; with `body`, of a POST. */
  async ask(path: string, body?: unknown): Promise<any> {
    const post = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    let answer: Response;
    let said: string;
    try {
      const signal = AbortSignal.timeout(this.timeout);
      answer = await fetch(this.url + path, { ...(body === undefined ? {} : post), signal });
      said = await bounded(answer);
    } catch (error) {
      const reason = (error as Error & { cause?: Error }).cause?.message ?? (error as Error).message;
      throw new CcoinError("connect", `no answer from ${this.url}${path}: ${reason}`);
    }
    let json: any;
    try {
      json = JSON.parse(said);
    } catch {
      throw new CcoinError("connect", `${this.url}${path} answered ${answer.status}, no JSON`, answer.status);
    }
    if (answer.ok) return json;
    throw new CcoinError(json?.code ?? "connect", json?.detail ?? `the server answered ${answer.status}`, answer.status, json?.hint);
  }

  /** How the node is. */
  status(): Promise<any> {
    return this.ask("/v1/status");
  }

  /** One sentence: what holds blocks or finality up. */
  async why(): Promise<string> {
    return (await this.ask("/v1/why")).sentence;
  }

  /** Nonce, balance and next number. */
  account(address: string): Promise<Account> {
    return this.ask(`/v1/accounts/${address}`);
  }

  /** Coins. */
  async balance(address: string): Promise<number> {
    return (await this.account(address)).balance;
  }

  /** A block by number, id, `head` or `final`. */
  block(which: number | string = "head"): Promise<any> {
    return this.ask(`/v1/blocks/${which}`);
  }

  /** A transaction and its status. */
  txn(id: string): Promise<Txn> {
    return this.ask(`/v1/txns/${id}`);
  }

  /** Hands a signed transaction in; the same one again does no harm. */
  publish(txn: SignedTxn): Promise<Txn> {
    return this.ask("/v1/txns", txn);
  }

  /**
   * What happens from now on, or from behind `lastId` on. It goes on after a break, also with
   * another node: each event comes at least once. `types` are some of block, txn, final, leader,
   * peer, dropped; `address` chooses transactions.
   */
  async *events(options: EventOptions = {}): AsyncGenerator<LedgerEvent> {
    let { lastId } = options;
    let heard = false;
    while (options.signal?.aborted !== true) {
      try {
        for await (const event of stream(this.url, options, lastId)) {
          heard = true;
          lastId = event.id ?? lastId;
          if (event.type !== "") yield event;
        }
      } catch (error) {
        if (options.signal?.aborted) return;
        const busy = error instanceof CcoinError && (error.status === 429 || error.status === 503);
        const refused = error instanceof CcoinError && error.status !== undefined && !busy;
        if (!heard || refused) throw error;
      }
      await pause(1000);
    }
  }

  /** Pays, and waits until a block holds it or is final; `wait: null` does not. */
  async send(key: Key, to: string, amount: number, options: Patience = {}): Promise<Txn> {
    const { data = "", wait = "included", timeout = 60_000 } = options;
    const genesisId: string | null = (await this.status()).genesis_id;
    if (genesisId === null) throw new CcoinError("not-ready", "the node has no chain yet");
    const number = (await this.account(key.address)).next_number;
    const txn = await this.publish(await key.sign(genesisId, { number, to, amount, data }));
    return wait === null ? txn : this.wait(txn.id, wait, timeout);
  }

  /** Waits until a transaction is included or final; `timeout` in ms. */
  async wait(id: string, until: "included" | "final" = "final", timeout = 60_000): Promise<Txn> {
    if (until !== "included" && until !== "final") {
      throw new CcoinError("field", `wait is ${String(until)}, expected included or final`);
    }
    const deadline = Date.now() + timeout;
    for (;;) {
      const txn = await this.txn(id);
      if (txn.status === "final" || txn.status === until) return txn;
      if (txn.status === "dropped") throw new CcoinError("dropped", `${id} was dropped: ${txn.reason}`);
      if (Date.now() > deadline) {
        throw new CcoinError("timeout", `${id} is ${txn.status} after ${timeout} ms: ${await this.why()}`);
      }
      await pause(100);
    }
  }
}

/** The events of one connection; one without type only moves the place. */
async function* stream(url: string, options: EventOptions, lastId?: string): AsyncGenerator<LedgerEvent> {
  const query = new URLSearchParams();
  if (options.types !== undefined) query.set("types", options.types.join(","));
  if (options.address !== undefined) query.set("address", options.address);
  const silence = new AbortController();
  const ended = () => silence.abort();
  options.signal?.addEventListener("abort", ended);
  let timer = setTimeout(ended, 40_000);
  try {
    const headers: Record<string, string> = lastId === undefined ? {} : { "Last-Event-ID": lastId };
    const answer = await fetch(`${url}/v1/events?${query}`, { headers, signal: silence.signal });
    if (!answer.ok) {
      const problem = JSON.parse(await bounded(answer));
      throw new CcoinError(problem.code, problem.detail, answer.status, problem.hint);
    }
    const reader = answer.body!.getReader();
    try {
      const decoder = new TextDecoder();
      let said = "";
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        // The node sends a line every 15 s.
        clearTimeout(timer);
        timer = setTimeout(ended, 40_000);
        said += decoder.decode(part.value, { stream: true });
        if (said.length > MAX_ANSWER) throw new Error(`more than ${MAX_ANSWER} characters`);
        const blocks = said.split(/\r?\n\r?\n/);
        said = blocks.pop()!;
        for (const block of blocks) {
          const event = parseEvent(block);
          if (event.id !== null || event.type !== "") yield event;
        }
      }
    } finally {
      await reader.cancel().catch(() => {});
    }
  } catch (error) {
    if (error instanceof CcoinError) throw error;
    throw new CcoinError("connect", `no events from ${url}: ${(error as Error).message}`);
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", ended);
  }
}

function parseEvent(block: string): LedgerEvent {
  const event: LedgerEvent = { id: null, type: "", data: null };
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    const at = line.indexOf(":");
    const name = at < 0 ? line : line.slice(0, at);
    const value = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");
    if (name === "id") event.id = value;
    if (name === "event") event.type = value;
    if (name === "data") data.push(value);
  }
  if (data.length > 0) event.data = JSON.parse(data.join("\n"));
  return event;
}

async function bounded(answer: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = answer.body?.getReader();
  for (let part = await reader?.read(); part?.value; part = await reader?.read()) {
    length += part.value.length;
    if (length > MAX_ANSWER) {
      await reader?.cancel();
      throw new Error(`more than ${MAX_ANSWER} bytes`);
    }
    parts.push(part.value);
  }
  return new TextDecoder().decode(join(...parts));
}

type DevnetOptions = {
  /** `ccoin`, by default that of CCOIN, else of PATH. */
  program?: string;
  validators?: number;
  basics?: number;
  accounts?: number;
  blockTime?: string;
  traffic?: number;
  dataDir?: string;
};

/** A network of real nodes on this machine, for tests. Not in a browser. */
export class Devnet {
  /** The line that `ccoin devnet --json` prints. */
  readonly report: any;
  readonly genesisId: string;
  readonly node: Node;
  readonly nodes: Record<string, Node>;
  private readonly process: any;

  private constructor(report: any, process: any) {
    this.report = report;
    this.process = process;
    this.genesisId = report.genesis_id;
    this.node = new Node(report.explorer);
    this.nodes = Object.fromEntries(report.nodes.map((node: any) => [node.name, new Node(node.http)]));
  }

  /** Starts one and waits until it is ready. */
  static async start(options: DevnetOptions = {}): Promise<Devnet> {
    const { program, ...rest } = options;
    const { spawn } = await system("child_process");
    const words = Object.entries(rest).flatMap(([name, value]) => [
      "--" + name.replace(/[A-Z]/g, (letter) => "-" + letter.toLowerCase()),
      String(value),
    ]);
    const environment = (globalThis as any).process.env;
    // It ends when this process does, even by a kill: then the pipe to it closes.
    const fixed = ["devnet", "--json", "--until-stdin-closes"];
    const child = spawn(program ?? environment.CCOIN ?? "ccoin", [...fixed, ...words], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    let said = "";
    child.stdout.setEncoding("utf8");
    await new Promise<void>((ready, failed) => {
      child.on("error", (error: Error) => failed(new CcoinError("program", `ccoin does not start: ${error.message}`)));
      child.on("exit", (code: number) => failed(new CcoinError("program", `ccoin devnet ended with ${code}, see stderr`)));
      child.stdout.on("data", (part: string) => {
        said += part;
        if (said.includes("\n")) ready();
      });
    });
    return new Devnet(JSON.parse(said), child);
  }

  /** Ends the network and removes its temporary files. */
  async stop(): Promise<void> {
    const child = this.process;
    // Deno leaves undefined what Node leaves null.
    if ((child.exitCode ?? child.signalCode ?? null) !== null) return;
    const ended = new Promise((resume) => child.once("exit", resume));
    child.kill("SIGINT");
    const killer = setTimeout(() => child.kill("SIGKILL"), 20_000);
    await ended;
    clearTimeout(killer);
  }

  /** So that `await using net = await Devnet.start()` ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  private member(name: string): any {
    const member = [...this.report.accounts, ...this.report.nodes].find((member) => member.name === name);
    if (member === undefined) {
      const names = this.report.accounts.map((account: any) => account.name).join(", ");
      throw new CcoinError("not-found", `no ${JSON.stringify(name)} in this devnet, only ${names}`);
    }
    return member;
  }

  /** The address of `alice`, `validator-1` and so on. */
  address(name: string): string {
    return this.member(name).address;
  }

  /** The key of `alice`, `validator-1` and so on. */
  async key(name: string): Promise<Key> {
    const { readFile } = await system("fs/promises");
    return Key.fromPem(await readFile(this.member(name).key_file, "utf8"));
  }
}

/** A module of the system, in a form that bundlers for browsers leave alone. */
async function system(name: string): Promise<any> {
  return import(/* @vite-ignore */ "node:" + name);
}
