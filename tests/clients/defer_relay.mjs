// Relay's compiler and runtime ask for a scan whose URLs are deferred and for assets that are streamed. It is given the
// URL, the scan's id, and the file of the schema with @defer and @stream. It prints { shown, whole, complaints }: what a
// component would show at each moment, the same without the directives, and what Relay warned of.
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { meros } from "meros/browser";
import runtime from "relay-runtime";

const { Environment, Network, Observable, RecordSource, Store, createOperationDescriptor, getSingularSelector } = runtime;
const [url, scanId, schema] = process.argv.slice(2);
const complaints = [];
console.error = (...said) => complaints.push(said.join(" "));

const query = (name, defer, stream) => `query ${name}($scanId: ID!) {
  scan(scanId: $scanId) { assets { isReady } ...Later_urls ${defer} }
  assets(first: 3) { nodes ${stream} { mimeType } }
}`;
const DOCUMENTS = {
  LaterQuery: query("LaterQuery", '@defer(label: "urls")', '@stream(label: "nodes", initialCount: 1)'),
  LaterWholeQuery: query("LaterWholeQuery", "", ""),
  Later_urls: "fragment Later_urls on Scan { status assets { isReady isFinal } assetUrls { model expiresAt } }",
};

async function compiled() {
  const folder = await mkdtemp(join(tmpdir(), "relay-"));
  try {
    const config = { src: "src", schema, language: "javascript", artifactDirectory: "made", eagerEsModules: true };
    await Promise.all(["src", "made"].map((name) => mkdir(join(folder, name))));
    await writeFile(join(folder, "package.json"), '{"type":"module"}');
    await writeFile(join(folder, "relay.config.json"), JSON.stringify(config));
    await writeFile(join(folder, "src", "Later.js"), Object.values(DOCUMENTS).map((text) => `graphql\`${text}\`;`).join("\n"));
    const compiler = createRequire(import.meta.url).resolve("relay-compiler/cli.js");
    await promisify(execFile)(process.execPath, [compiler, "relay.config.json"], { cwd: folder });
    const modules = Object.keys(DOCUMENTS).map((name) => import(join(folder, "made", `${name}.graphql.js`)));
    return (await Promise.all(modules)).map((module) => module.default);
  } finally {
    await rm(folder, { recursive: true });
  }
}

// Relay takes each deferred fragment, and each item of a list, as an answer of its own.
function answers({ incremental, hasNext, ...first }) {
  if (!incremental) return "data" in first ? [first] : [];
  return incremental.flatMap(({ items, path, ...rest }) =>
    items ? items.map((data, at) => ({ ...rest, data, path: [...path.slice(0, -1), path.at(-1) + at] })) : { ...rest, path },
  );
}

async function ask({ text }, variables, sink) {
  const headers = { "content-type": "application/json", accept: "multipart/mixed;deferSpec=20220824,application/json" };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify({ query: text, variables }) });
  const parts = await meros(response);
  if (parts === response) return sink.next(await response.json());
  for await (const { body } of parts) {
    const some = answers(body);
    if (some.length) sink.next(some);
  }
}

async function shownOf(node, fragment) {
  const network = Network.create((params, variables) =>
    Observable.create((sink) => void ask(params, variables, sink).then(() => sink.complete(), sink.error)),
  );
  const environment = new Environment({ network, store: new Store(new RecordSource()) });
  const operation = createOperationDescriptor(node, { scanId });
  const shown = [];
  const look = () => {
    const { scan, assets } = environment.lookup(operation.fragment).data;
    const urls = environment.lookup(getSingularSelector(fragment, scan));
    return { isReady: scan.assets.isReady, nodes: assets.nodes, urls: urls.isMissingData ? null : urls.data };
  };
  await new Promise((complete, error) =>
    environment.execute({ operation }).subscribe({ next: () => shown.push(look()), complete, error }),
  );
  return shown;
}

const [later, whole, fragment] = await compiled();
const shown = await shownOf(later, fragment);
console.log(JSON.stringify({ shown, whole: (await shownOf(whole, fragment)).at(-1), complaints }));
process.exit(0);
