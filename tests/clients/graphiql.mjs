// Works with GraphiQL as a person would, in a browser that reaches no other host, and prints as JSON what it saw.
// Arguments: the page's address, the browser's program, and a folder for screenshots.
import { chromium } from "playwright-core";

const [url, executablePath, folder] = process.argv.slice(2);
const HEADERS = { Authorization: "Bearer of-the-page" };

const browser = await chromium.launch({
  executablePath,
  args: ["--no-proxy-server", `--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE ${new URL(url).hostname}`],
});
const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
const complaints = [];
const origins = new Set();
context.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
context.on("weberror", (error) => complaints.push(String(error.error())));
context.on("request", (request) => origins.add(new URL(request.url()).origin));
await context.addInitScript(() => {
  addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sourceFile }) =>
    console.error("CSP", violatedDirective, blockedURI, sourceFile),
  );
});
const page = await context.newPage();
const [execute, stop] = ["Execute", "Stop"].map((name) => page.getByRole("button", { name }));
const answer = page.getByRole("region", { name: "Result Window" });

const introspected = page.waitForResponse(isAsked);
await page.goto(url);
await open("Page"); // at once, while the editor still loads
await introspected;
const tabs = await page.getByRole("tab").allInnerTexts();
const paged = await run();

await open("Join");
const join = await run();
await answer.getByText('"isReady": true').waitFor();
await screenshot("join");
const offered = await complete("deviceC");
const completed = await run();

await open("Download");
await write("Headers", HEADERS);
const requested = await run();
await open("LiveDownload");
await write("Variables", { jobId: requested.answer.data.requestBatchDownload.downloadJob.jobId });
await write("Headers", HEADERS);
const download = await follow("status");
await screenshot("download");

await open("LiveScan");
const scan = await follow("updatedAt", 2);
await screenshot("scan");
await browser.close();

const seen = { tabs, paged, join, offered, completed, requested, download, scan, complaints, origins: [...origins] };
console.log(JSON.stringify(seen));

async function open(name) {
  await page.getByRole("tab", { name, exact: true }).click();
  await page.getByRole("region", { name: "Operation Editor" }).getByText(name, { exact: true }).waitFor();
  // GraphiQL notices a text a tenth of a second after it has changed.
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 200)));
}

/** Replaces what stands in one of the editors below the operation. */
async function write(name, value) {
  await page.getByRole("button", { name, exact: true }).click();
  await page.getByRole("region", { name }).getByRole("code").click();
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.press("Delete");
  await page.keyboard.insertText(JSON.stringify(value));
}

/** Executes what the tab holds, and gives what was sent and what came. */
async function run() {
  const responding = page.waitForResponse(isAsked);
  await execute.click();
  const response = await responding;
  const { authorization } = await response.request().allHeaders();
  return { request: response.request().postDataJSON(), authorization, answer: await response.json() };
}

/** Subscribes to what the tab holds, and gives what was shown of it, until it ends or there were enough states. */
async function follow(key, enough = Infinity) {
  const request = page.waitForRequest(isAsked);
  await execute.click();
  await answer.getByText(`"${key}"`).first().waitFor();
  const states = [];
  for (let isRunning = true; isRunning && states.length < enough; await page.waitForTimeout(50)) {
    isRunning = await stop.isVisible();
    const state = await shown(key);
    if (state.length > 0 && String(state) !== String(states.at(-1))) states.push(state);
  }
  const isOver = await execute.isVisible();
  if (!isOver) await stop.click();
  await execute.waitFor();
  const { accept, authorization } = await (await request).allHeaders();
  return { accept, authorization, states, isOver };
}

/** The values under a key, wherever the answer shows it. */
async function shown(key) {
  const lines = await answer.locator(".view-line", { hasText: `"${key}":` }).allInnerTexts();
  return lines.map((line) => JSON.parse(line.slice(line.indexOf(":") + 1).trim().replace(/,$/, "")));
}

function isAsked(message) {
  return (message.request?.() ?? message).method() === "POST";
}

/** Types the beginning of a field's name behind the first `status`, and takes the first name that is offered. */
async function complete(beginning) {
  await page.getByRole("region", { name: "Operation Editor" }).getByText("status", { exact: true }).first().click();
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  await page.keyboard.type(beginning);
  const offers = page.getByRole("listbox").getByRole("option");
  await offers.first().waitFor();
  const names = await offers.evaluateAll((all) => all.map((one) => one.getAttribute("aria-label").split(",")[0]));
  await screenshot("completion");
  await page.keyboard.press("Enter");
  await offers.first().waitFor({ state: "hidden" });
  return names;
}

function screenshot(name) {
  return page.screenshot({ path: `${folder}/graphiql-${name}.png` });
}
