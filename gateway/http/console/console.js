// Sends one operation to /graphql and shows what comes back.

const [form, query, variables, headers, answer, status] = [
  "request",
  "query",
  "variables",
  "headers",
  "answer",
  "status",
].map((id) => document.getElementById(id));

const { scanId = "" } = JSON.parse(document.getElementById("gateway").textContent);
variables.value = JSON.stringify({ scanId }, null, 2);

form.addEventListener("submit", (event) => {
  event.preventDefault();
  run().catch((error) => show("", String(error)));
});

form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});

async function run() {
  const body = JSON.stringify({ query: query.value, variables: parse(variables, "Variables") });
  const request = { method: "POST", body, headers: { ...parse(headers, "Headers"), ...TYPES } };
  show("…", "");
  const started = performance.now();
  const response = await fetch("/graphql", request);
  const text = await response.text();
  show(`${response.status}, ${Math.round(performance.now() - started)} ms`, pretty(text));
}

const TYPES = {
  "Content-Type": "application/json",
  Accept: "application/graphql-response+json, application/json",
};

function parse(field, name) {
  try {
    return JSON.parse(field.value || "{}");
  } catch (error) {
    throw new Error(`${name} are not JSON: ${error.message}`);
  }
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function show(state, text) {
  status.textContent = state;
  answer.textContent = text;
}
