/** GraphiQL for the gateway that serves this page. */

import { explorerPlugin } from "@graphiql/plugin-explorer";
import { createLocalStorage } from "@graphiql/toolkit";
import { GraphiQL, HISTORY_PLUGIN } from "graphiql";
import { createRoot } from "react-dom/client";

import "graphiql/setup-workers/vite";

import "graphiql/style.css";
import "@graphiql/plugin-explorer/style.css";
import "./page.css";

import { type Gateway, examples } from "./examples";
import { fetcher } from "./fetcher";
import { Wrapping } from "./wrapping";

const gateway: Gateway = JSON.parse(element("gateway").textContent);
const tabs = examples(gateway);

// A namespace of its own: other GraphiQL pages on localhost keep their tabs, and this one its own.
const storage = createLocalStorage({ namespace: "scan-gateway" });

// GraphiQL takes the open tab's text from here, and leaves its variables empty where this has none.
if (storage.getItem("graphiql:tabState") === null) {
  storage.setItem("graphiql:query", tabs[0].query);
  storage.setItem("graphiql:variables", tabs[0].variables);
}

createRoot(element("graphiql")).render(
  <GraphiQL
    fetcher={fetcher}
    storage={storage}
    defaultTabs={tabs}
    defaultEditorToolsVisibility="variables"
    plugins={[HISTORY_PLUGIN, explorerPlugin()]}
    inputValueDeprecation
    schemaDescription
  >
    <GraphiQL.Logo>Scan gateway</GraphiQL.Logo>
    <Wrapping />
  </GraphiQL>,
);

function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`The page has no element "${id}".`);
  return found;
}
