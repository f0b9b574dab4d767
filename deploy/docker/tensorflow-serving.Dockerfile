# TensorFlow Serving as its project publishes it, with what compose.yaml asks of a model tier: a health check, and the
# server itself as process 1, where its image has a script that keeps SIGTERM to itself.
ARG BASE=tensorflow/serving:2.19.1
FROM ${BASE}
# It has no curl. Metadata is answered only of a version that is available.
HEALTHCHECK --interval=5s --timeout=10s --start-period=300s CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/8501 && printf 'GET /v1/models/%s/metadata HTTP/1.0\\r\\n\\r\\n' \"$MODEL_NAME\" >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]
ENTRYPOINT ["bash", "-c", "exec tensorflow_model_server --port=8500 --rest_api_port=8501 --model_name=\"$MODEL_NAME\" --model_base_path=\"$MODEL_BASE_PATH/$MODEL_NAME\" \"$@\"", "--"]
