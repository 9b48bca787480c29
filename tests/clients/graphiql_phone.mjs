// Works with GraphiQL by touch, in a window as small as a phone's, and prints as JSON what it saw.
// Arguments: the page's address, the browser's program, and a folder for screenshots.
import { chromium } from "playwright-core";

const [url, executablePath, folder] = process.argv.slice(2);
const WINDOW = { width: 390, height: 844 };
const FINGER = 44;

const browser = await chromium.launch({ executablePath, args: ["--no-proxy-server"] });
const page = await browser.newPage({ viewport: WINDOW, hasTouch: true, isMobile: true });
page.setDefaultTimeout(20_000);
const query = page.getByRole("region", { name: "Operation Editor" });
const answer = page.getByRole("region", { name: "Result Window" });

await page.goto(url);
await query.getByText("Join", { exact: true }).waitFor();
const start = await look("start");
await button("Execute query").tap();
await answer.getByText('"isReady"').waitFor();
const answered = await look("answer");
const rooms = { query: await room(query), answer: await room(answer) };

const panels = {};
for (const name of ["Documentation Explorer", "History", "GraphiQL Explorer"]) {
  await button(`Show ${name}`).tap();
  panels[name] = { ...(await look(name.split(" ")[0].toLowerCase())), ...(await room(page.locator(".graphiql-plugin"))) };
  await button(`Hide ${name}`).tap();
}
await button("Open settings dialog").tap();
await page.getByRole("dialog").waitFor();
const settings = await look("settings", page.getByRole("dialog"));
await browser.close();

console.log(JSON.stringify({ start, answered, rooms, panels, settings }));

function button(name) {
  return page.getByRole("button", { name });
}

/** The names of buttons that are smaller than a finger, and of those that the window or a neighbour cuts off. */
async function look(name, within = page.locator("#graphiql")) {
  await page.waitForTimeout(300); // GraphiQL lays its editors out anew
  await page.screenshot({ path: `${folder}/graphiql-phone-${name}.png` });
  const shown = await within.locator("button:visible").all();
  const seen = { small: [], cut: [] };
  for (const one of shown) {
    await one.scrollIntoViewIfNeeded();
    const { label, size, isCut } = await one.evaluate(measure);
    if (Math.min(...size) < FINGER) seen.small.push(label);
    if (isCut) seen.cut.push(label);
  }
  return seen;
}

/** What has a corner that something lies on, or that is out of the window, is cut; an open panel may hide the query. */
function measure(element) {
  const { left, right, top, bottom, width, height } = element.getBoundingClientRect();
  const corners = [left + 4, right - 4].flatMap((x) => [top + 4, bottom - 4].map((y) => [x, y]));
  const isThere = ([x, y]) => (element.closest("li") ?? element).contains(document.elementFromPoint(x, y));
  const isBehind = element.closest(".graphiql-sessions") && document.querySelector(".graphiql-sidebar .active");
  const isCut = !isBehind && !corners.every(isThere);
  return { label: element.ariaLabel ?? element.innerText, size: [width, height].map(Math.round), isCut };
}

async function room(locator) {
  const { width, height } = await locator.boundingBox();
  return { width: Math.round(width), height: Math.round(height) };
}
