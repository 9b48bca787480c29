import { defineConfig } from "vite";

const GATEWAY = "http://127.0.0.1:8000";

export default defineConfig({
  base: "/graphiql/",
  build: {
    outDir: "../gateway/http/static/graphiql",
    emptyOutDir: true,
    // The editor is one chunk of about 3 MB, loaded after the page has shown itself.
    chunkSizeWarningLimit: 4096,
    reportCompressedSize: false,
    // "use client" says nothing to a page without server components.
    rolldownOptions: { checks: { moduleLevelDirective: false } },
    license: { fileName: "licenses.md" },
  },
  // GraphiQL's editor starts its workers as modules.
  worker: { format: "es" },
  server: { proxy: { "/graphql": GATEWAY } },
});
