// Composes the gateway at a URL with a small subgraph of fittings, and executes Apollo's plan for a query over both.
// It is given the fittings: [{ fittingId, scan, picture, pack }]. It prints what each composer found wrong or worth a
// hint, and of the query its answer and, for each fetch from the gateway, the representations and the upstream calls.
import { composeServices as composeAsApollo } from "@apollo/composition";
import { ROUTER_SUPPORTED_SUPERGRAPH_FEATURES, Supergraph, parseOperation } from "@apollo/federation-internals";
import { QueryPlanner } from "@apollo/query-planner";
import { composeServices as composeAsGuild } from "@theguild/federation-composition";
import { buildSchema, graphql, parse } from "graphql";

const [url, given] = process.argv.slice(2);
const fittings = JSON.parse(given);

const sdl = `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.0", import: ["@key", "@shareable"])
  type Query { fittings: [Fitting!]! }
  type Fitting @key(fields: "fittingId") { fittingId: ID! scan: Scan picture: Asset pack: DownloadJob }
  type Scan @key(fields: "scanId") { scanId: ID! fittings(first: Int = 10): FittingConnection! }
  type Asset @key(fields: "assetId", resolvable: false) { assetId: ID! }
  type DownloadJob @key(fields: "id", resolvable: false) { id: ID! }
  type FittingConnection { nodes: [Fitting!]! pageInfo: PageInfo! }
  type PageInfo @shareable { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String }
`;
const fittingsSchema = buildSchema(sdl, { assumeValidSDL: true });

async function askGateway(query, variables) {
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify({ query, variables }) });
  return response.json();
}

const fetches = [];

async function ask(service, query, representations) {
  if (service === "fittings") return graphql({ schema: fittingsSchema, source: query, rootValue: { fittings } });
  const answer = await askGateway(query, { representations });
  fetches.push({ representations, calls: answer.extensions?.upstreamCalls });
  return answer;
}

function objectsAt(data, path) {
  return path.reduce((found, step) => found.flatMap((one) => (step === "@" ? one : (one[step] ?? []))), [data]);
}

function representing(object, requires) {
  const { selections } = requires.find(({ typeCondition }) => typeCondition === object.__typename);
  return Object.fromEntries(selections.map(({ name }) => [name, object[name]]));
}

async function execute(node, data, errors, path = []) {
  if (node.kind === "Sequence") for (const one of node.nodes) await execute(one, data, errors, path);
  if (node.kind === "Parallel") await Promise.all(node.nodes.map((one) => execute(one, data, errors, path)));
  if (node.kind === "Flatten") await execute(node.node, data, errors, node.path);
  if (node.kind !== "Fetch") return;
  const objects = objectsAt(data, path);
  const representations = node.requires && objects.map((object) => representing(object, node.requires));
  const answer = await ask(node.serviceName, node.operation, representations);
  errors.push(...(answer.errors ?? []));
  if (!representations) Object.assign(data, answer.data);
  else answer.data?._entities.forEach((entity, place) => Object.assign(objects[place], entity));
}

const { data: service } = await askGateway("{ _service { sdl } }");
const services = [
  { name: "gateway", url, typeDefs: parse(service._service.sdl) },
  { name: "fittings", url: "http://fittings.invalid", typeDefs: parse(sdl) },
];
const apollo = composeAsApollo(services);
const guild = composeAsGuild(services);
const told = ({ errors = [], hints = [] }) => [...errors, ...hints].map(({ message }) => message);
const report = { apollo: told(apollo), guild: told(guild) };

if (apollo.supergraphSdl) {
  const supergraph = Supergraph.build(apollo.supergraphSdl, { supportedFeatures: ROUTER_SUPPORTED_SUPERGRAPH_FEATURES });
  const query = `{
    fittings {
      fittingId
      scan { scanId status assets { isReady } }
      picture { kind }
      pack { jobId }
    }
  }`;
  const plan = new QueryPlanner(supergraph).buildQueryPlan(parseOperation(supergraph.apiSchema(), query));
  const data = {};
  const errors = [];
  await execute(plan.node, data, errors);
  Object.assign(report, { data, errors, fetches });
}
console.log(JSON.stringify(report));
