// One client follows a scan that moves and one that there is not, asks, requests a download and follows that: the results
// that it hears, each list of them up to "complete".
import { ApolloClient, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { Client, fetchExchange } from "@urql/core";
import { createClient as createSseClient } from "graphql-sse";
import { createClient as createWsClient } from "graphql-ws";
import WebSocket from "ws";

const [url, name, scanId, assetId] = process.argv.slice(2);
const SCAN = `subscription Scan($scanId: ID!) {
  scanUpdated(scanId: $scanId) {
    status assets { captureData { status } body { status } fittedBody { status } measurement { status } }
  }
}`;
const READ = "query Read($assetId: ID!) { asset(assetId: $assetId) { assetId } }";
const REQUEST = `mutation Request($assetId: ID!) {
  requestBatchDownload(input: { assetIds: [$assetId] }) { downloadJob { jobId status } userErrors { code } }
}`;
const DOWNLOAD = "subscription Download($jobId: ID!) { downloadJobUpdated(jobId: $jobId) { status isFinal } }";

// ask(text, variables) gives a result; follow(text, variables, { next, error, complete }) calls next with results.
const clients = {
  "graphql-ws": () => streaming(ws()),
  "graphql-sse": () => streaming(createSseClient({ url })),
  "Apollo Client, multipart": () => apollo(new HttpLink({ uri: url })),
  "Apollo Client, WebSocket": () => apollo(new GraphQLWsLink(ws())),
  urql,
};

function ws() {
  return createWsClient({ url: url.replace("http", "ws"), webSocketImpl: WebSocket });
}

// graphql-ws and graphql-sse have the same interface.
function streaming(client) {
  const follow = (query, variables, sink) => client.subscribe({ query, variables }, sink);
  const ask = (query, variables) =>
    new Promise((next, error) => follow(query, variables, { next, error, complete: () => {} }));
  return { ask, follow };
}

function apollo(link) {
  const client = new ApolloClient({ link, cache: new InMemoryCache() });
  return {
    ask: (text, variables) =>
      text === REQUEST
        ? client.mutate({ mutation: gql(text), variables })
        : client.query({ query: gql(text), variables }),
    follow: (text, variables, sink) => client.subscribe({ query: gql(text), variables }).subscribe(sink),
  };
}

function urql() {
  const client = new Client({ url, exchanges: [fetchExchange], fetchSubscriptions: true });
  return {
    ask: (text, variables) => client[text === REQUEST ? "mutation" : "query"](text, variables),
    follow: (text, variables, { next, complete }) =>
      // At the end urql says once more what it said last.
      client.subscription(text, variables).subscribe((result) => (result.hasNext ? next(result) : complete())),
  };
}

// A result as every client would tell it: its data, or the codes of its errors.
function plain({ data, errors, error }) {
  const failures = errors ?? error?.errors ?? error?.graphQLErrors;
  return failures?.map(({ extensions }) => extensions.code) ?? data;
}

async function heard({ follow }, text, variables) {
  const results = [];
  await new Promise((complete, error) =>
    follow(text, variables, { next: (result) => results.push(plain(result)), error, complete }),
  );
  return [...results, "complete"];
}

const client = clients[name]();
const scan = await heard(client, SCAN, { scanId });
const nothing = await heard(client, SCAN, { scanId: "no-such-scan" });
const asset = plain(await client.ask(READ, { assetId }));
const requested = plain(await client.ask(REQUEST, { assetId }));
const { jobId } = requested.requestBatchDownload.downloadJob;
const download = await heard(client, DOWNLOAD, { jobId });
const results = { scan, nothing, asset, requested, download };
console.log(JSON.stringify(results, (key, value) => (["__typename", "jobId"].includes(key) ? undefined : value)));
process.exit(0);
