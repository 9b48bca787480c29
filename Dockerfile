# Two stages: the first builds a wheel and GraphiQL, the last has neither compiler, pip nor Node.

FROM node:22-slim AS graphiql
WORKDIR /src/graphiql
COPY graphiql/package.json graphiql/package-lock.json graphiql/.npmrc* ./
RUN npm ci --omit=dev --no-audit --no-fund
COPY graphiql ./
RUN npm run build

FROM python:3.14-slim AS build
WORKDIR /src
RUN python -m venv /opt/gateway
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY gateway ./gateway
COPY --from=graphiql /src/gateway/http/static ./gateway/http/static
RUN /opt/gateway/bin/pip install --no-cache-dir -c constraints.txt ".[otel,redis]" \
    && /opt/gateway/bin/pip uninstall --yes pip

FROM python:3.14-slim
RUN pip uninstall --yes pip \
    && useradd --system --uid 10001 --no-create-home gateway
COPY --from=build /opt/gateway /opt/gateway
ENV PATH=/opt/gateway/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GATEWAY_HOST=0.0.0.0 \
    GATEWAY_PORT=8000 \
    GATEWAY_METRICS_HOST=0.0.0.0 \
    GATEWAY_WORKERS=2
USER 10001
EXPOSE 8000 9464
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import http.client as h, os, sys; c = h.HTTPConnection('127.0.0.1', int(os.environ['GATEWAY_PORT'] or 8000), timeout=2); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
# It ends within 30 seconds, of which `docker stop` waits for 10 only: `docker stop --time 30`.
CMD ["gateway", "serve"]
