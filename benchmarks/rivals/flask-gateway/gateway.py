"""The gateway that the course builds, without TensorFlow: Flask takes a link or an upload, Pillow decodes and
resizes, NumPy scales as Xception wants, gRPC asks the model.

Started by the benchmark `gateway-rivals`:  gunicorn --chdir FOLDER gateway:app
MESSAGES names the folder with the generated messages, TF_SERVING_HOST the model tier, LABELS the comma list.
"""

import io
import os
import sys
from urllib.request import urlopen

import grpc
import numpy as np
from flask import Flask, jsonify, request
from PIL import Image

sys.path.insert(0, os.environ["MESSAGES"])
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2  # noqa: E402
from tensorflow_serving.apis import predict_pb2  # noqa: E402

labels = os.environ["LABELS"].split(",")
channel = grpc.insecure_channel(os.environ["TF_SERVING_HOST"])
predict = channel.unary_unary(
    "/tensorflow.serving.PredictionService/Predict",
    request_serializer=predict_pb2.PredictRequest.SerializeToString,
    response_deserializer=predict_pb2.PredictResponse.FromString,
)
app = Flask("gateway")


def prepare(stream):
    with Image.open(stream) as picture:
        if picture.mode != "RGB":
            picture = picture.convert("RGB")
        small = picture.resize((299, 299), Image.Resampling.NEAREST)
    pixels = np.array(small, dtype="float32")
    pixels /= 127.5
    pixels -= 1.0
    return pixels[np.newaxis]


def scores_of(tensor):
    message = predict_pb2.PredictRequest()
    message.model_spec.name = "clothing-model"
    message.model_spec.signature_name = "serving_default"
    message.inputs["input_8"].CopyFrom(
        tensor_pb2.TensorProto(
            dtype=types_pb2.DT_FLOAT,
            tensor_shape=tensor_shape_pb2.TensorShapeProto(
                dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=size) for size in tensor.shape]
            ),
            tensor_content=tensor.tobytes(),
        )
    )
    answer = predict(message, timeout=20.0)
    return dict(zip(labels, answer.outputs["dense_7"].float_val))


@app.route("/predict", methods=["POST"])
def predict_endpoint():
    if request.is_json:
        with urlopen(request.get_json()["url"]) as response:
            stream = io.BytesIO(response.read())
    else:
        stream = io.BytesIO(request.get_data())
    return jsonify(scores_of(prepare(stream)))
