// The explorer in a real browser: node tests/browser/explorer.mjs CCOIN SCREENSHOTS
//
// PLAYWRIGHT names a directory with node_modules/playwright-core, CHROMIUM the browser.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { lowContrast } from "./contrast.mjs";
import { startDevnet } from "./devnet.mjs";

const [ccoin, screenshots] = process.argv.slice(2);
const { chromium } = createRequire(`${process.env.PLAYWRIGHT}/`)("playwright-core");
const HOSTILE = `"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script><b id=bold>\u202Etxt`;

const net = await startDevnet(ccoin);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
const faults = [];

/** A page that keeps what it must never do. */
async function open({ scheme = "light", width = 1200, ...rest } = {}) {
  const context = await browser.newContext({
    colorScheme: scheme, viewport: { width, height: 900 }, reducedMotion: "reduce", ...rest,
  });
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  page.allowed = [];
  page.on("request", (request) => {
    if (!request.url().startsWith(`${net.url}/`)) faults.push(`request to ${request.url()}`);
  });
  page.on("console", (message) => {
    const known = page.allowed.some((text) => message.text().includes(text));
    if (["error", "warning"].includes(message.type()) && !known) faults.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => faults.push(`dialog: ${dialog.message()}`));
  await page.goto(net.url);
  return page;
}

const height = (page) => page.locator(".tile .value").first().innerText().then((text) => Number(text.replaceAll(",", "")));

async function search(page, text) {
  await page.keyboard.press("/");
  await page.waitForFunction(() => document.activeElement.id === "query");
  await page.keyboard.type(text);
  await page.keyboard.press("Enter");
}

async function step(name, check) {
  await check();
  assert.deepEqual(faults, [], name);
  console.log(`ok  ${name}`);
}

const page = await open();
let txn;

await step("blocks flow in without a reload", async () => {
  await page.locator(".blockcard").first().waitFor();
  await page.evaluate(() => (window.loaded = "once"));
  const before = await height(page);
  await net.send(1, "first");
  await page.waitForFunction((before) => {
    const text = document.querySelector(".tile .value").textContent;
    return Number(text.replaceAll(",", "")) > before;
  }, before);
  assert.equal(await page.evaluate(() => window.loaded), "once");
});

await step("hostile text on the chain stays text", async () => {
  txn = await net.send(5, HOSTILE);
  await page.locator(".row .data", { hasText: "window.hacked" }).first().waitFor();
  for (const hash of [`#/txn/${txn.id}`, `#/block/${txn.block_number}`, `#/account/${txn.from}`]) {
    await page.goto(`${net.url}/${hash}`);
    const shown = page.locator(".text, td.data", { hasText: "window.hacked" }).first();
    await shown.waitFor();
    assert.equal(await shown.innerText(), HOSTILE);
    assert.equal(await page.locator("#main img, #main script, #bold").count(), 0);
    assert.equal(await page.evaluate(() => window.hacked), undefined);
  }
});

await step("the search finds numbers, ids, addresses and their ends", async () => {
  await page.goto(`${net.url}/#/`);
  await page.locator(".row .amount").first().waitFor();
  const block = [`#/block/${txn.block_number}`, "Block"];
  const leader = net.nodes[0].address;
  for (const [text, [hash, title]] of [
    [`${txn.block_number}`, block],
    [txn.from, [`#/account/${txn.from}`, "Account"]],
    [txn.block_id, block],
    [txn.id, [`#/txn/${txn.id}`, "Transaction"]],
    [leader.slice(-8), [`#/account/${leader}`, "Account"]],
    [txn.id.slice(-8), [`#/txn/${txn.id}`, "Transaction"]],
  ]) {
    await search(page, text);
    await page.waitForFunction((hash) => location.hash === hash, hash);
    await page.locator("h1", { hasText: title }).waitFor();
  }
  page.allowed.push("404 (Not Found)");
  await search(page, "f".repeat(64));
  await page.locator("#notice", { hasText: "Nothing found" }).waitFor();
  await search(page, "no such thing");
  await page.locator("#notice", { hasText: "no such thing" }).waitFor();
  page.allowed.pop();
});

await step("a keyboard is enough", async () => {
  await page.goto(`${net.url}/#/network`);
  await page.reload();
  await page.locator(".minercard").first().waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.id), "query");
  await page.keyboard.press("Escape");
  assert.notEqual(await page.evaluate(() => document.activeElement.id), "query");
});

await step("the network view shows each miner's block and vote", async () => {
  const cards = page.locator(".minercard");
  assert.equal(await cards.count(), 3);
  await page.locator(".minercard .badge.votes").nth(2).waitFor();
  await page.locator(".minercard", { hasText: "second vote" }).first().waitFor();
  await page.locator("table", { hasText: "validator" }).waitFor();
});

await step("the page of the API shows and tries it", async () => {
  await page.goto(`${net.url}/docs`);
  const account = page.locator("#get_v1_accounts_address");
  await account.locator("input").first().fill(txn.from);
  await account.getByRole("button", { name: "Try it" }).click();
  await account.locator("pre", { hasText: `"address": "${txn.from}"` }).waitFor();
  assert.deepEqual(await page.evaluate(lowContrast), []);
  await page.screenshot({ path: `${screenshots}/docs.png` });
});

await step("the notary hashes files here and finds who recorded them", async () => {
  const text = `a deed <b id=bold> ${Date.now()}`;
  const hash = createHash("sha256").update(text).digest("hex");
  await page.goto(`${net.url}/#/notary`);
  const name = '"><img src=x onerror="window.hacked=1">.txt';
  const file = { name, mimeType: "text/plain", buffer: Buffer.from(text) };
  const card = (text) => page.locator("section.card", { hasText: text });
  await page.locator("#files").setInputFiles(file);
  await card("not recorded").locator(".id", { hasText: hash }).waitFor();
  const txn = await net.send(0, `sha256:${hash}`);
  await page.locator("#files").focus();
  await page.locator("#files").setInputFiles([file, { ...file, name: "other", buffer: Buffer.from("other") }]);
  const found = card(name).filter({ hasText: "final" }).first();
  await found.locator(`a[href="#/block/${txn.block_number}"]`).waitFor();
  assert.equal(await page.locator("#main img, #bold").count(), 0);
  const download = page.waitForEvent("download");
  await found.getByRole("link", { name: "Receipt" }).click();
  const receipt = JSON.parse(await readFile(await (await download).path(), "utf8"));
  assert.equal(receipt.document.sha256, hash);
  await page.locator("#hash").fill(hash.toUpperCase());
  await page.keyboard.press("Enter");
  await card(`…${hash.slice(-8)}`).filter({ hasText: "recorded" }).first().waitFor();
  await page.locator("#hash").fill("no hash");
  await page.keyboard.press("Enter");
  await card("64 hex digits that sha256sum prints").waitFor();
  // What is dropped is taken, too.
  await page.evaluate((text) => {
    const data = new DataTransfer();
    data.items.add(new File([text], "dropped.txt"));
    document.querySelector(".drop").dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true, bubbles: true }));
  }, text);
  await card("dropped.txt").locator(`a[href="#/txn/${txn.id}"]`).waitFor();
  await page.getByRole("link", { name: "Verify a receipt" }).click();
  await page.locator("#genesis").waitFor();
});

await step("the page finds its node again after a restart", async () => {
  const name = net.nodes.find((node) => node.http === net.url).name;
  await page.goto(`${net.url}/#/`);
  page.allowed.push("ERR_", "503");
  await net.node("stop", name);
  await page.locator("h1", { hasText: "No live connection" }).waitFor();
  await net.node("start", name);
  await page.locator("h1", { hasText: "The chain is live" }).waitFor();
  page.allowed.length = 0;
});

const views = ["docs", "#/", "#/network", "#/notary", `#/block/${txn.block_number}`, "#/block/1", `#/txn/${txn.id}`, `#/account/${txn.from}`];
for (const [scheme, width] of [["light", 1200], ["dark", 1200], ["light", 390], ["dark", 390]]) {
  await step(`contrast and width: ${scheme}, ${width} px`, async () => {
    const page = await open({ scheme, width });
    for (const [place, view] of views.entries()) {
      await page.goto(`${net.url}/${view}`);
      await page.locator(view === "docs" ? "code" : view === "#/" ? ".blockcard" : view === "#/network" ? ".minercard table, table" : view === "#/notary" ? ".drop" : ".facts").first().waitFor();
      assert.deepEqual(await page.evaluate(lowContrast), [], view);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= width, `${view} is ${wide} px wide`);
      await page.screenshot({ path: `${screenshots}/${scheme}-${width}-${place}.png`, fullPage: true });
    }
    await page.context().close();
  });
}

await step("without scripts the page says what to do", async () => {
  const page = await open({ javaScriptEnabled: false });
  await page.locator("h1", { hasText: "needs JavaScript" }).waitFor();
  assert.ok(await page.locator("a[href='/v1/status']").isVisible());
});

await browser.close();
await net.end();
console.log(`screenshots: ${screenshots}`);
