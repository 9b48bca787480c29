// One client follows a scan at the first of some URLs, and at the next when that ends: what it hears, and where.
import { createClient as createSseClient } from "graphql-sse";
import { createClient as createWsClient } from "graphql-ws";
import WebSocket from "ws";

const [name, scanId, ...urls] = process.argv.slice(2);
const asked = [];
const next = () => (asked.push(urls[asked.length]), asked.at(-1));
const patience = { retryAttempts: urls.length - 1, retryWait: async () => {} };
const clients = {
  "graphql-ws": () => createWsClient({ url: () => next().replace("http", "ws"), webSocketImpl: WebSocket, ...patience }),
  "graphql-sse": () => createSseClient({ url: next, ...patience }),
};

const query = "subscription Scan($scanId: ID!) { scanUpdated(scanId: $scanId) { status updatedAt } }";
const heard = [];
for await (const { data } of clients[name]().iterate({ query, variables: { scanId } })) {
  heard.push([asked.length, data.scanUpdated.status, data.scanUpdated.updatedAt]);
}
console.log(JSON.stringify({ asked, heard }));
process.exit(0);
