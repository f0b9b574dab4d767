# The model server: TensorFlow Serving's protocol over the models in /models. See docs/images.md.
#
#   docker build -t vitrine/model-server:dev -f deploy/docker/model-server.Dockerfile .
#   docker run -p 8500:8500 -p 8501:8501 -v "$PWD/clothes:/models/clothes" -e MODEL_NAME=clothes vitrine/model-server:dev
#
# With --build-arg BASE=node:24-bookworm-slim the image has a shell.
ARG BASE=runtime
ARG HERE=linux

# What Node.js needs to run, on the platform of the image.
FROM node:24-bookworm-slim AS runtime-files
COPY package.json deploy/docker/runtime-files.js deploy/docker/sbom.js /gather/
RUN node /gather/runtime-files.js /runtime

FROM scratch AS runtime
COPY --from=runtime-files /runtime/ /
ENV PATH=/usr/local/bin

# From here on where the build runs: only the dependencies are for the platform of the image. BuildKit and newer podman know
# that platform; Docker's classic builder takes the default; podman 4 reads no ARG here, and takes its own for nothing.
FROM --platform=${BUILDPLATFORM:-${HERE}} node:24-bookworm-slim AS manifests
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
COPY packages/cli/package.json packages/cli/
COPY packages/convert/package.json packages/convert/
COPY packages/gateway/package.json packages/gateway/
COPY packages/model-server/package.json packages/model-server/
COPY packages/protocol/package.json packages/protocol/
COPY packages/runtime/package.json packages/runtime/
COPY packages/scaler/package.json packages/scaler/
COPY website/package.json website/

# Not `npm ci`: see scripts/install.js.
FROM manifests AS dependencies
ARG TARGETARCH
RUN npm install --no-save --omit=dev --os=linux --libc=glibc \
    --cpu="$(echo "${TARGETARCH:-$(node -p process.arch)}" | sed s/amd64/x64/)"

FROM manifests AS build
RUN npm install --no-save
COPY --from=dependencies /build/node_modules /dependencies/node_modules
COPY --from=runtime /usr/share/sbom/base.json /base.json
COPY . .
RUN npx tsc -b packages/cli && npx vite build website --logLevel warn
ARG TARGETARCH
RUN node deploy/docker/assemble.js model-server "${TARGETARCH}" /dependencies /base.json /image \
    && node -p process.arch > /built-on \
    && chmod -R u=rwX,go=rX /image \
    && mkdir -p /image/models && install -d -o 1000 -g 1000 /image/var/cache/vitrine

# Node.js keeps what it compiled, and the next start reads that. See docs/images.md for what it brings.
FROM ${BASE} AS warm
COPY --from=build /image/ /
COPY package.json deploy/docker/warm.js deploy/docker/tiers.js /warm/
COPY --from=build /built-on /warm/
COPY packages/model-server/fixtures/scalar /warm/model
USER 1000:1000
ENV NODE_COMPILE_CACHE=/tmp/compiled ORT_DISABLE_TELEMETRY=1
RUN ["/usr/local/bin/node", "/warm/warm.js", "model-server"]

FROM ${BASE}
COPY --from=build /image/ /
COPY --from=warm --chown=0:0 /tmp/compiled /app/compiled
WORKDIR /app
# Without ORT_DISABLE_TELEMETRY, ONNX Runtime reports models and machine to its maker. The two after it: see
# MODEL_SERVER_ENVIRONMENT in packages/model-server/src/garbage.ts.
ENV NODE_ENV=production \
    NODE_COMPILE_CACHE=/app/compiled \
    MODEL_BASE_PATH=/models \
    MODEL_CACHE_FOLDER=/var/cache/vitrine \
    ADMIN_PORT=8502 \
    ORT_DISABLE_TELEMETRY=1 \
    MALLOC_MMAP_THRESHOLD_=65536 \
    MALLOC_ARENA_MAX=2
USER 1000:1000
EXPOSE 8500 8501 8502
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=10s --start-period=120s CMD ["node", "/app/healthcheck.js", "admin-port", "8502"]
ENTRYPOINT ["/usr/local/bin/node", "--max-semi-space-size=1", "/app/image.js", "serve"]
ARG REVISION=
LABEL org.opencontainers.image.title="Vitrine model server" \
    org.opencontainers.image.description="TensorFlow Serving's protocol in front of ONNX Runtime." \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.licenses="Apache-2.0"
