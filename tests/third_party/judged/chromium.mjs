// Chromium's EventSource as exercises 18 and 19 want a client: a page that writes to the console what it is told,
// and this program hands it on. Types have to be subscribed to by name, so those that the streams use are listed.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const MARK = "judged:";

/** Runs in the page, so it takes all that it needs as arguments. */
function page(url, mark) {
  const say = (what) => console.log(mark + encodeURIComponent(JSON.stringify(what)));
  const source = new EventSource(url);
  for (const type of ["message", "tick", "e", "ghost"]) {
    source.addEventListener(type, ({ lastEventId: id, type, data }) => say({ id, type, data }));
  }
  source.onerror = () => {
    // It will not come back. Why, it does not say: 204 and 500 look alike.
    if (source.readyState === EventSource.CLOSED) say({ kind: "closed" });
  };
}

const script = `(${page})(${JSON.stringify(process.argv.at(-1))}, ${JSON.stringify(MARK)})`;
const profile = mkdtempSync(join(tmpdir(), "judged-"));
const browser = spawn("chromium", [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-extensions",
  "--disable-background-networking", "--disable-component-update", "--disable-sync", `--user-data-dir=${profile}`,
  // The page is of another origin than the server, which says nothing about that.
  "--disable-web-security", "--enable-logging=stderr",
  `data:text/html,${encodeURIComponent(`<script>${script}</script>`)}`,
], { stdio: ["ignore", "ignore", "pipe"] });

function end(status) {
  browser.once("exit", () => {
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    process.exit(status);
  });
  // Who told this program to end kills it soon after, and a browser that is asked takes its time.
  browser.kill("SIGKILL");
}

createInterface({ input: browser.stderr }).on("line", (line) => {
  const [, said] = line.split(MARK);
  if (!line.includes("CONSOLE") || said === undefined) return;
  const json = decodeURIComponent(said.split('"')[0]);
  console.log(json);
  if (JSON.parse(json).kind === "closed") end(1);
});
process.once("SIGTERM", () => end(0));
