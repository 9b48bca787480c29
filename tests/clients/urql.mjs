// urql against a URL: its answers, and the requests that it makes by default and with persisted documents.
import { Client, cacheExchange, fetchExchange, gql } from "@urql/core";
import { persistedExchange } from "@urql/exchange-persisted";
import { recorder } from "./requests.mjs";

const [url, scanId, assetId] = process.argv.slice(2);
const { fetch, requests } = recorder();
const client = new Client({ url, fetch, exchanges: [cacheExchange, fetchExchange] });
const persisting = new Client({ url, fetch, exchanges: [persistedExchange(), fetchExchange] });

const SCAN = gql`query Scan($scanId: ID!) { scan(scanId: $scanId) { id status assets { isReady } } }`;
const LOCK = gql`mutation Lock($input: LockAssetInput!) {
  lockAsset(input: $input) { asset { assetId } userErrors { code field } }
}`;

const query = () => client.query(SCAN, { scanId });
const cached = () => client.query(SCAN, { scanId });
const mutation = () => client.mutation(LOCK, { input: { assetId, lockExpiresAt: "2036-01-01T00:00:00Z" } });
const failure = () => client.query(SCAN, { scanId: "no-such-scan" });
const refusal = () => client.query(gql`{ nothing }`, {});
const persisted = () => persisting.query(SCAN, { scanId });
const persistedAgain = () => persisting.query(SCAN, { scanId }, { requestPolicy: "network-only" });

const results = {};
for (const ask of [query, cached, mutation, failure, refusal, persisted, persistedAgain]) {
  const { data, error } = await ask();
  if (error?.networkError) throw error;
  const errors = error?.graphQLErrors.map(({ path, extensions }) => ({ path, code: extensions.code }));
  results[ask.name] = { data, errors, requests: requests.splice(0) };
}
console.log(JSON.stringify(results));
