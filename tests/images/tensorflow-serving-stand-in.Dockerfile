# What compose.tensorflow-serving.yaml meets in place of tensorflow/serving, where that image cannot be had: a Debian with
# bash and a `tensorflow_model_server`, which is our model server under its flags.
ARG MODEL_SERVER=vitrine/model-server:test
FROM ${MODEL_SERVER} AS model-server
FROM node:24-bookworm-slim
COPY --from=model-server /app /app
RUN ln -s /app/vitrine.js /usr/local/bin/vitrine \
    && printf '#!/bin/bash\nexec vitrine serve "$@"\n' > /usr/local/bin/tensorflow_model_server \
    && chmod 755 /usr/local/bin/tensorflow_model_server
ENV MODEL_BASE_PATH=/models
