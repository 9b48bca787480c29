// A `fetch` that notes each request: its method, what it carries beside a document's answer, and its status.
export function recorder() {
  const requests = [];
  return {
    requests,
    fetch: async (url, options = {}) => {
      const response = await fetch(url, options);
      const method = options.method ?? "GET";
      const parameters = method === "GET" ? [...new URL(url).searchParams.keys()] : Object.keys(JSON.parse(options.body));
      requests.push(`${method} ${parameters.sort().join(" ")} ${response.status}`);
      return response;
    },
  };
}
