"""Writes warm-up files as TensorFlow's own record writer and TensorFlow Serving's own messages make them.

    python golden/generate_warm_up.py    (see requirements.txt)

predict.tfrecord: two Predict requests for the model `pixel-sum` of ../fixtures, the second with an output filter.
session-run.tfrecord, classify.tfrecord: one record of that kind of log.
"""

import pathlib

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    predict_pb2,
    prediction_log_pb2,
    session_service_pb2,
)

FOLDER = pathlib.Path(__file__).parent / "warm-up"


def predict(rows, output_filter=()):
    request = predict_pb2.PredictRequest(output_filter=output_filter)
    request.model_spec.name = "another-name"
    request.model_spec.version.value = 77
    pixels = np.arange(rows * 12, dtype=np.uint8).reshape(rows, 2, 2, 3)
    request.inputs["pixels"].CopyFrom(tf.make_tensor_proto(pixels))
    return prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))


def write(name, logs):
    with tf.io.TFRecordWriter(str(FOLDER / name)) as writer:
        for log in logs:
            writer.write(log.SerializeToString(deterministic=True))


FOLDER.mkdir(exist_ok=True)
write("predict.tfrecord", [predict(1), predict(3, ["total"])])
run = session_service_pb2.SessionRunRequest()
write(
    "session-run.tfrecord",
    [prediction_log_pb2.PredictionLog(session_run_log=prediction_log_pb2.SessionRunLog(request=run))],
)
classify = classification_pb2.ClassificationRequest()
classify.input.example_list.examples.add().features.feature["x"].float_list.value.append(1)
write(
    "classify.tfrecord",
    [prediction_log_pb2.PredictionLog(classify_log=prediction_log_pb2.ClassifyLog(request=classify))],
)
