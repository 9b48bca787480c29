// Works with GraphiQL as a person would, in a browser that reaches no other host, and prints as JSON what it saw.
// Arguments: the page's address, the browser's program, and a folder for screenshots.
import { chromium } from "playwright-core";

const [url, executablePath, folder] = process.argv.slice(2);

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
const execute = page.getByRole("button", { name: "Execute" });
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
await write("Headers", { Authorization: "Bearer of-the-page" });
const requested = await run();
await screenshot("download");
await browser.close();

const seen = { tabs, paged, join, offered, completed, requested, complaints, origins: [...origins] };
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
