// The audits of graphql-http against a URL: [{ id, name, status, reason }].
import { serverAudits } from "graphql-http";

const url = process.argv[2];
const results = [];
for (const { id, name, fn } of serverAudits({ url })) {
  const { status, reason } = await fn();
  results.push({ id, name, status, reason });
}
console.log(JSON.stringify(results));
