// The script of the page judges every vector of tests/data/receipts as the other verifiers do.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const page = readFileSync(join(root, "crates/client/verify/verify.html"), "utf8");
const data = (file) => readFileSync(join(root, "tests/data/receipts", file), "utf8");
const cases = JSON.parse(data("cases.json"));

const script = /<script>([^]*?)<\/script>/.exec(page)[1];
const style = /<style>([^]*?)<\/style>/.exec(page)[1];
const ccoin = new Function(`${script}; return ccoin;`)();

for (const [kind, text] of [["script", script], ["style", style]]) {
  const hash = `sha256-${createHash("sha256").update(text).digest("base64")}`;
  assert.ok(page.includes(`${kind}-src '${hash}'`), `the policy of the page must say ${kind}-src '${hash}'`);
}
assert.ok(!/https?:\/\/[a-z]/.test(page), "no other origin");

const judge = (text, { genesis = cases.genesis, document = null }) =>
  ccoin.verify(new TextEncoder().encode(text), ccoin.unhex(genesis, 32), document && ccoin.unhex(document, 32));

for (const good of cases.good) {
  const answer = await judge(data(good.file), good);
  const { document, transaction, account, block, permanent } = answer;
  assert.deepEqual({
    document, account, transaction: transaction && transaction.id, sender: transaction && transaction.sender,
    block: block.number, certified: permanent.block.id, voters: permanent.voters,
  }, good.proves, good.file);
  assert.match(ccoin.words(answer), /not proven/);
}

function changed({ file, name, replace, set = {} }) {
  const text = data(file);
  if (replace) {
    assert.ok(text.includes(replace[0]), name);
    return text.replace(replace[0], () => replace[1]);
  }
  const members = Object.entries({ ...JSON.parse(text), ...set });
  return JSON.stringify(Object.fromEntries(members.filter(([, value]) => value !== null)));
}

async function refusedAt(text, bad, name) {
  try {
    await judge(text, bad);
  } catch (error) {
    assert.ok(error instanceof ccoin.Refused, `${name}: ${error.stack}`);
    return error.step;
  }
  throw new Error(`${name} is verified`);
}

for (const bad of cases.bad) {
  assert.equal(await refusedAt(changed(bad), bad, bad.name), bad.step, bad.name);
}
for (const text of ["", "[".repeat(4 << 20), '"'.padEnd(4 << 20, "\\\""), "{".repeat(200), " ".repeat((4 << 20) + 1)]) {
  assert.equal(await refusedAt(text, {}, text.slice(0, 9)), 1);
}
const whole = data("document.ccoin");
for (let at = 0; at < whole.length; at += 97) {
  const text = whole.slice(0, at) + (whole[at] === "0" ? "1" : "0") + whole.slice(at + 1);
  await refusedAt(text, {}, `byte ${at}`);
}

// The commands that the page shows find the same signatures good.
const signatures = [];
await ccoin.verify(new TextEncoder().encode(whole), ccoin.unhex(cases.genesis, 32), null, signatures);
const directory = mkdtempSync(join(tmpdir(), "receipts-"));
try {
  const said = execFileSync("sh", ["-ec", ccoin.commands(signatures)], { cwd: directory, encoding: "utf8" });
  assert.equal(said, "Verified OK\n".repeat(signatures.length));
} finally {
  rmSync(directory, { recursive: true });
}
console.log(`${cases.good.length} good and ${cases.bad.length} bad receipts`);
