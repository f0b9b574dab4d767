# The model server for NVIDIA GPUs: the image of the model server on CUDA 12 and cuDNN 9, with ONNX Runtime's CUDA
# libraries. linux/amd64 alone, as those are. See docs/images.md.
#
#   docker build -t vitrine/model-server-gpu:dev -f deploy/docker/model-server-gpu.Dockerfile .
#   docker run --gpus all -p 8500:8500 -v "$PWD/clothes:/models/clothes" -e MODEL_NAME=clothes vitrine/model-server-gpu:dev
#
# Where a build cannot reach NuGet, with BuildKit: --build-arg PROVIDERS=IMAGE, one with the two libraries in /providers.
ARG MODEL_SERVER=vitrine/model-server:dev
ARG CUDA=nvidia/cuda:12.9.1-cudnn-runtime-ubuntu24.04
ARG PROVIDERS=nuget

# onnxruntime-node's own script fetches what is too large for npm, in the version that the lock file has.
FROM node:24-bookworm-slim AS nuget
WORKDIR /fetch
COPY package-lock.json ./lock.json
RUN echo '{}' > package.json \
    && ONNXRUNTIME_NODE_INSTALL=cuda12 npm install --ignore-scripts=false \
    "onnxruntime-node@$(node -p 'require("./lock.json").packages["node_modules/onnxruntime-node"].version')" \
    && mkdir /providers \
    && cp node_modules/onnxruntime-node/bin/napi-v*/linux/x64/libonnxruntime_providers_cuda.so \
    node_modules/onnxruntime-node/bin/napi-v*/linux/x64/libonnxruntime_providers_shared.so /providers/

FROM ${PROVIDERS} AS providers

FROM ${MODEL_SERVER} AS model-server

FROM ${CUDA}
COPY --from=model-server /usr/local/bin/ /usr/local/bin/
COPY --from=model-server /usr/share/sbom/ /usr/share/sbom/
COPY --from=model-server /app/ /app/
COPY --from=providers /providers/ /app/node_modules/onnxruntime-node/bin/napi-v6/linux/x64/
RUN mkdir -p /models && install -d -o 1000 -g 1000 /var/cache/vitrine
WORKDIR /app
ENV NODE_ENV=production \
    NODE_COMPILE_CACHE=/app/compiled \
    MODEL_BASE_PATH=/models \
    MODEL_CACHE_FOLDER=/var/cache/vitrine \
    ADMIN_PORT=8502 \
    DEVICE=cuda \
    ORT_DISABLE_TELEMETRY=1 \
    MALLOC_MMAP_THRESHOLD_=65536 \
    MALLOC_ARENA_MAX=2
USER 1000:1000
EXPOSE 8500 8501 8502
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=10s --start-period=300s CMD ["node", "/app/healthcheck.js", "admin-port", "8502"]
ENTRYPOINT ["/usr/local/bin/node", "--max-semi-space-size=1", "/app/image.js", "serve"]
ARG REVISION=
LABEL org.opencontainers.image.title="Vitrine model server for GPUs" \
    org.opencontainers.image.description="TensorFlow Serving's protocol in front of ONNX Runtime on CUDA 12." \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.licenses="Apache-2.0"
