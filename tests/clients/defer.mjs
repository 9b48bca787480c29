// Each client asks for a scan of its own, whose URLs are deferred, and for assets that are streamed. It is given the scans'
// ids, and prints { client: { shown: [what it shows, …], whole: what the query is answered without its directives } }.
import { ApolloClient, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { Defer20220824Handler, GraphQL17Alpha9Handler } from "@apollo/client/incremental";
import { Client, fetchExchange } from "@urql/core";

const [url, ...scanIds] = process.argv.slice(2);
const QUERY = `query Later($scanId: ID!) {
  scan(scanId: $scanId) { id assets { isReady } ...Urls @defer }
  assets(first: 3) { nodes @stream(initialCount: 1) { id mimeType } }
}
fragment Urls on Scan { status assetUrls { model expiresAt } }`;
const WHOLE = QUERY.replace(/ @(defer|stream\(.*?\))/g, "");

async function apollo(query, scanId, incrementalHandler) {
  const cache = new InMemoryCache({ addTypename: false });
  const client = new ApolloClient({ link: new HttpLink({ uri: url }), cache, incrementalHandler });
  const shown = [];
  await new Promise((resolve, reject) =>
    client.watchQuery({ query: gql(query), variables: { scanId } }).subscribe(({ data, dataState, error }) => {
      if (error) reject(error);
      if (dataState !== "empty") shown.push(bare(data));
      if (dataState === "complete") resolve();
    }),
  );
  return shown;
}

async function urql(scanId) {
  const client = new Client({ url, exchanges: [fetchExchange], preferGetMethod: false });
  const { data, error } = await client.query(QUERY, { scanId });
  if (error) throw error;
  return [bare(data)];
}

// Clients add `__typename` to every object.
const bare = (data) => JSON.parse(JSON.stringify(data, (key, value) => (key === "__typename" ? undefined : value)));

const clients = {
  "Apollo Client, 20220824": (scanId) => apollo(QUERY, scanId, new Defer20220824Handler()),
  "Apollo Client, v0.2": (scanId) => apollo(QUERY, scanId, new GraphQL17Alpha9Handler()),
  urql,
};
const results = await Promise.all(Object.entries(clients).map(async ([name, ask], place) => {
  const shown = await ask(scanIds[place]);
  const [whole] = await apollo(WHOLE, scanIds[place]);
  return [name, { shown, whole }];
}));
console.log(JSON.stringify(Object.fromEntries(results)));
process.exit(0);
