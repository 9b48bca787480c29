// Apollo Client against a URL: its answers, what its cache makes of them, and the requests that it makes.
import { createHash } from "node:crypto";
import { ApolloClient, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { relayStylePagination } from "@apollo/client/utilities";
import { filter, firstValueFrom } from "rxjs";
import { recorder } from "./requests.mjs";

const [uri, scanId, assetId] = process.argv.slice(2);
const { fetch, requests } = recorder();
const http = new HttpLink({ uri, fetch });
const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const typePolicies = { Query: { fields: { assets: relayStylePagination(["filter", "sort"]) } } };
const client = new ApolloClient({ cache: new InMemoryCache({ typePolicies }), link: http });
const persisted = new PersistedQueryLink({ sha256, useGETForHashedQueries: true });
const persisting = new ApolloClient({ cache: new InMemoryCache(), link: persisted.concat(http) });

const SCAN = gql`query Scan($scanId: ID!) { scan(scanId: $scanId) { id status assets { isReady body { status } } } }`;
const ASSETS = gql`query Assets($first: Int!, $after: String) {
  assets(first: $first, after: $after) { edges { node { id assetId } } pageInfo { hasNextPage endCursor } }
}`;
const DOWNLOAD = gql`mutation Download($input: RequestAssetDownloadInput!) {
  requestAssetDownload(input: $input) { download { url mimeType } userErrors { code message field } }
}`;

async function query() {
  const { data } = await client.query({ query: SCAN, variables: { scanId } });
  return { data, entities: Object.keys(client.cache.extract()).filter((key) => key.startsWith("Scan")) };
}

async function pages() {
  const watched = client.watchQuery({ query: ASSETS, variables: { first: 2 } });
  const { data } = await firstValueFrom(watched.pipe(filter(({ loading }) => !loading)));
  await watched.fetchMore({ variables: { first: 3, after: data.assets.pageInfo.endCursor } });
  const { edges, pageInfo } = watched.getCurrentResult().data.assets;
  return { assetIds: edges.map(({ node }) => node.assetId), hasNextPage: pageInfo.hasNextPage };
}

async function mutation() {
  const variables = { input: { assetId, targetFormat: "WEBP" } };
  const { requestAssetDownload: payload } = (await client.mutate({ mutation: DOWNLOAD, variables })).data;
  const file = await globalThis.fetch(payload.download.url);
  return { ...payload, download: payload.download.mimeType, file: file.headers.get("content-type") };
}

async function failure() {
  const variables = { scanId: "no-such-scan" };
  const { data, error } = await client.query({ query: SCAN, variables, errorPolicy: "all", fetchPolicy: "no-cache" });
  return { status: data.scan.status, errors: errorsOf(error) };
}

async function refusal() {
  return { errors: errorsOf(await client.query({ query: gql`{ nothing }` }).catch((error) => error)) };
}

async function persistence() {
  const ask = () => persisting.query({ query: SCAN, variables: { scanId }, fetchPolicy: "network-only" });
  return { statuses: [(await ask()).data.scan.status, (await ask()).data.scan.status] };
}

function errorsOf(error) {
  if (!CombinedGraphQLErrors.is(error)) throw error;
  return error.errors.map(({ path, extensions }) => ({ path, code: extensions.code }));
}

const results = {};
for (const work of [query, pages, mutation, failure, refusal, persistence]) {
  results[work.name] = { ...(await work()), requests: requests.splice(0) };
}
console.log(JSON.stringify(results));
