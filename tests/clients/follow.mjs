// Each client asks for an asset, requests its download and follows that to its end: { client: [status, …, "complete"] }.
import { ApolloClient, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { Client, fetchExchange } from "@urql/core";
import { createClient as createSseClient } from "graphql-sse";
import { createClient as createWsClient } from "graphql-ws";
import WebSocket from "ws";

const url = process.argv[2];
const ASSET = "query Asset { assets(first: 1) { nodes { assetId } } }";
const REQUEST = `mutation Request($assetId: ID!) {
  requestBatchDownload(input: { assetIds: [$assetId] }) { downloadJob { jobId } }
}`;
const FOLLOW = "subscription Follow($jobId: ID!) { downloadJobUpdated(jobId: $jobId) { status } }";

// ask(text, variables) gives data; follow(text, variables, { next, error, complete }) calls next with data.
async function run({ ask, follow }) {
  const { assets } = await ask(ASSET, {});
  const { requestBatchDownload } = await ask(REQUEST, { assetId: assets.nodes[0].assetId });
  const { jobId } = requestBatchDownload.downloadJob;
  const heard = [];
  await new Promise((complete, error) =>
    follow(FOLLOW, { jobId }, { next: (data) => heard.push(data.downloadJobUpdated.status), error, complete }),
  );
  return [...new Set(heard), "complete"];
}

function data(result) {
  if (result.error || result.errors) throw result.error ?? new Error(JSON.stringify(result.errors));
  return result.data;
}

// graphql-ws and graphql-sse have the same interface, and ask by what they follow with.
function streaming(client) {
  const follow = (query, variables, sink) =>
    client.subscribe({ query, variables }, { ...sink, next: (result) => sink.next(data(result)) });
  const ask = (query, variables) =>
    new Promise((next, error) => follow(query, variables, { next, error, complete: () => {} }));
  return { ask, follow };
}

function apollo(link) {
  const client = new ApolloClient({ link, cache: new InMemoryCache() });
  return {
    ask: async (text, variables) =>
      data(await (text === REQUEST
        ? client.mutate({ mutation: gql(text), variables })
        : client.query({ query: gql(text), variables }))),
    follow: (text, variables, sink) =>
      client.subscribe({ query: gql(text), variables })
        .subscribe({ ...sink, next: (result) => sink.next(data(result)) }),
  };
}

function urql() {
  const client = new Client({ url, exchanges: [fetchExchange], fetchSubscriptions: true, preferGetMethod: false });
  return {
    ask: async (text, variables) => data(await client[text === REQUEST ? "mutation" : "query"](text, variables)),
    follow: (text, variables, { next, complete }) =>
      client.subscription(text, variables).subscribe((result) => {
        if (result.data) next(data(result));
        if (!result.hasNext) complete();
      }),
  };
}

const ws = () => createWsClient({ url: url.replace("http", "ws"), webSocketImpl: WebSocket });
const clients = {
  "graphql-ws": streaming(ws()),
  "graphql-sse": streaming(createSseClient({ url })),
  "Apollo Client, multipart": apollo(new HttpLink({ uri: url })),
  "Apollo Client, WebSocket": apollo(new GraphQLWsLink(ws())),
  urql: urql(),
};
const results = await Promise.all(Object.entries(clients).map(async ([name, client]) => [name, await run(client)]));
console.log(JSON.stringify(Object.fromEntries(results)));
process.exit(0);
