# The gateway: pictures in over HTTP, the website, no model. See docs/images.md.
#
#   docker build -t vitrine/gateway:dev -f deploy/docker/gateway.Dockerfile .
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
RUN node deploy/docker/assemble.js gateway "${TARGETARCH}" /dependencies /base.json /image \
    && node -p process.arch > /built-on \
    && chmod -R u=rwX,go=rX /image \
    && install -d -o 1000 -g 1000 /image/var/lib/vitrine/feedback

# Node.js keeps what it compiled, and the next start reads that. See docs/images.md for what it brings.
FROM ${BASE} AS warm
COPY --from=build /image/ /
COPY package.json deploy/docker/warm.js deploy/docker/tiers.js /warm/
COPY --from=build /built-on /warm/
USER 1000:1000
ENV NODE_COMPILE_CACHE=/tmp/compiled
RUN ["/usr/local/bin/node", "/warm/warm.js", "gateway"]

FROM ${BASE}
COPY --from=build /image/ /
COPY --from=warm --chown=0:0 /tmp/compiled /app/compiled
WORKDIR /app
ENV NODE_ENV=production \
    NODE_COMPILE_CACHE=/app/compiled
USER 1000:1000
EXPOSE 9696
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=10s --start-period=30s CMD ["node", "/app/healthcheck.js", "port", "9696"]
ENTRYPOINT ["/usr/local/bin/node", "/app/image.js", "gateway"]
ARG REVISION=
LABEL org.opencontainers.image.title="Vitrine gateway" \
    org.opencontainers.image.description="Pictures in over HTTP, categories out; asks a model server." \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.licenses="Apache-2.0"
