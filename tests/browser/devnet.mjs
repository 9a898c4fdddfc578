// A network of real processes for the page to show, ended with this process.

import { spawn, execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Starts `ccoin devnet` and waits until it is ready. */
export async function startDevnet(ccoin) {
  const child = spawn(ccoin, ["devnet", "--validators", "3", "--json"], { stdio: ["ignore", "pipe", "inherit"] });
  const stop = () => child.kill("SIGTERM");
  process.on("exit", stop);
  const report = await new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (bytes) => {
      text += bytes;
      if (text.includes("\n")) resolve(JSON.parse(text.split("\n")[0]));
    });
    child.on("exit", (code) => reject(new Error(`the devnet ended with ${code}`)));
  });
  const command = async (...words) => (await run(ccoin, words)).stdout;
  return {
    url: report.explorer,
    nodes: report.nodes,
    accounts: report.accounts,
    /** Pays from alice to bob; the transaction as the node tells it. */
    send: async (amount, data) => {
      const told = await command("send", "alice", "bob", `${amount}`, "--data", data, "--wait=final", "--url", report.explorer, "--json");
      const answer = await fetch(`${report.explorer}/v1/txns/${JSON.parse(told).id}`);
      return answer.json();
    },
    /** Stops or starts a node. */
    node: (verb, name) => command("devnet", verb, name),
    end: () => new Promise((resolve) => {
      child.removeAllListeners("exit");
      child.on("exit", resolve);
      stop();
    }),
  };
}
