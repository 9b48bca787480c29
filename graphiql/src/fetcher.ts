/** How the page asks: for one answer over HTTP, or for a subscription's over server-sent events. */

import { type Fetcher, createGraphiQLFetcher } from "@graphiql/toolkit";
import { type ExecutionResult, getOperationAST } from "graphql";
import { NetworkError, createClient } from "graphql-sse";

const url = "/graphql";
const ask = createGraphiQLFetcher({ url });

/** Sends what stands in the headers editor with everything, subscriptions and introspection too. */
export const fetcher: Fetcher = (request, options) => {
  const { operationName, ...rest } = request;
  const { documentAST, headers = {} } = options ?? {};
  const operation = documentAST && getOperationAST(documentAST, operationName);
  if (operation?.operation !== "subscription") return ask(request, options);
  // A refusal is shown at once: trying again is left to whoever reads it.
  const client = createClient({ url, headers, retryAttempts: 0 });
  const results = client.iterate({ ...rest, ...(operationName && { operationName }) });
  const next = results.next.bind(results);
  results.next = () => next().catch(refusal);
  return results;
};

/** What the gateway said when it refused, where that is what failed. */
async function refusal(error: unknown): Promise<IteratorResult<ExecutionResult>> {
  const response = error instanceof NetworkError ? (error.response as Response | undefined) : undefined;
  if (!response?.headers.get("content-type")?.includes("json")) throw error;
  return { done: false, value: await response.json() };
}
