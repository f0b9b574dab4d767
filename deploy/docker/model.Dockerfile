# A model server with its model inside. The build's folder is the model's, with its version folders:
#
#   docker build -t vitrine/clothing-model:dev -f deploy/docker/model.Dockerfile \
#     --build-arg BASE=vitrine/model-server:dev --build-arg MODEL_NAME=clothing-model models/clothing-model
#
# Without --build-arg VERSION=2 all versions go in, and the newest is served.
ARG BASE=vitrine/model-server:dev

FROM ${BASE} AS model
ARG VERSION=
USER 0:0
COPY ./${VERSION} /model/${VERSION}
# Takes the version folders alone, for any user to read: a folder's rights here are those of its maker's machine, and may be
# for the maker alone. The wrong folder would make an image that serves nothing: say so now. There is no shell.
RUN ["/usr/local/bin/node", "--eval", "\
    const found = fs.readdirSync('/model', { withFileTypes: true });\
    const versions = found.filter((entry) => entry.isDirectory() && /^[0-9]+$/.test(entry.name)).map(({ name }) => name);\
    if (versions.length === 0) {\
      const names = found.map(({ name }) => name).join(', ');\
      console.error(`the folder of the build held ${names || 'nothing'}, expected the folder of a model, with version folders such as 1 in it: docker build ... models/NAME`);\
      process.exit(1);\
    }\
    for (const version of versions) fs.cpSync(`/model/${version}`, `/versions/${version}`, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });\
    for (const entry of ['', ...fs.readdirSync('/versions', { recursive: true })]) {\
      const name = `/versions/${entry}`;\
      fs.chmodSync(name, fs.statSync(name).isDirectory() ? 0o755 : 0o644);\
    }"]

FROM ${BASE}
ARG MODEL_NAME=clothing-model
COPY --from=model /versions/ /models/${MODEL_NAME}/
ENV MODEL_NAME=${MODEL_NAME}
