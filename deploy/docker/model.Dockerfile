# A model server with its model inside. The build's folder is the model's, with its version folders:
#
#   docker build -t vitrine/clothing-model:dev -f deploy/docker/model.Dockerfile \
#     --build-arg BASE=vitrine/model-server:dev --build-arg MODEL_NAME=clothing-model models/clothing-model
#
# Without --build-arg VERSION=2 all versions go in, and the newest is served.
ARG BASE=vitrine/model-server:dev
FROM ${BASE}
ARG MODEL_NAME=clothing-model
ARG VERSION=
COPY ./${VERSION} /models/${MODEL_NAME}/${VERSION}
ENV MODEL_NAME=${MODEL_NAME}
# The wrong folder would make an image that serves nothing: say so now. Without a shell, which the base does not have.
RUN ["/usr/local/bin/node", "--eval", "\
    const found = fs.readdirSync(`/models/${process.env.MODEL_NAME}`);\
    if (!found.some((name) => /^[0-9]+$/.test(name))) {\
      console.error(`the folder of the build held ${found.join(', ') || 'nothing'}, expected the folder of a model, with version folders such as 1 in it: docker build ... models/NAME`);\
      process.exit(1);\
    }"]
