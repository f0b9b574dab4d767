"""Writes the bytes of requests made with tensorflow-serving-api to ../golden/requests.json."""
import base64
import json
import pathlib

import numpy as np
from tensorflow import make_tensor_proto
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, predict_pb2

PREDICT = "/tensorflow.serving.PredictionService/Predict"
METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"
STATUS = "/tensorflow.serving.ModelService/GetModelStatus"

requests = {}


def add(name, model, path, request):
    requests[name] = {"model": model, "path": path, "bytes": base64.b64encode(request.SerializeToString()).decode()}


def spec(request, model, version=None, label=None, signature=""):
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label


def predict(name, model, inputs, output_filter=(), asked=None, **kwargs):
    request = predict_pb2.PredictRequest()
    spec(request, asked if asked is not None else model, **kwargs)
    for alias, value in inputs.items():
        proto = value if isinstance(value, tensor_pb2.TensorProto) else make_tensor_proto(value)
        request.inputs[alias].CopyFrom(proto)
    request.output_filter.extend(output_filter)
    add(name, model, PREDICT, request)


def proto(dtype, shape, **values):
    made = tensor_pb2.TensorProto(dtype=dtype, **values)
    for size in shape:
        made.tensor_shape.dim.add().size = size
    return made


pixels = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
MODEL = "pixel-sum"

predict("predict", MODEL, {"pixels": pixels})
predict("predict by version and signature", MODEL, {"pixels": pixels}, version=1, signature="serving_default")
predict("predict one output", MODEL, {"pixels": pixels}, output_filter=["total"])
predict("predict typed values", MODEL, {"pixels": proto(types_pb2.DT_UINT8, [2, 2, 2, 3], int_val=pixels.flatten().tolist())})
predict("predict one repeated value", MODEL, {"pixels": proto(types_pb2.DT_UINT8, [1, 2, 2, 3], int_val=[7])})
predict("predict no rows", MODEL, {"pixels": np.zeros((0, 2, 2, 3), np.uint8)})

request = predict_pb2.PredictRequest()
request.inputs["pixels"].CopyFrom(make_tensor_proto(pixels))
add("no model spec", MODEL, PREDICT, request)
predict("empty model name", MODEL, {"pixels": pixels}, asked="")
predict("unknown model", MODEL, {"pixels": pixels}, asked="nope")
predict("unknown version", MODEL, {"pixels": pixels}, version=9)
predict("unknown label", MODEL, {"pixels": pixels}, label="stable")
predict("unknown signature", MODEL, {"pixels": pixels}, signature="nope")
predict("extra input", MODEL, {"pixels": pixels, "more": pixels})
predict("no input", MODEL, {})
predict("wrong input name", MODEL, {"picture": pixels})
predict("unknown output", MODEL, {"pixels": pixels}, output_filter=["nope"])
predict("output twice", MODEL, {"pixels": pixels}, output_filter=["total", "total"])
predict("short content", MODEL, {"pixels": proto(types_pb2.DT_UINT8, [1, 2, 2, 3], tensor_content=b"\x01\x02")})
predict("wrong dtype", MODEL, {"pixels": pixels.astype(np.float32)})
predict("wrong size", MODEL, {"pixels": np.zeros((1, 2, 2, 4), np.uint8)})
predict("wrong rank", MODEL, {"pixels": np.zeros((2, 2, 3), np.uint8)})

predict("two inputs", "add", {"x": np.float32([[1, 2], [3, 4]]), "y": np.float32([[10, 20], [30, 40]])})
predict("wrong dtype of the second input", "add", {"x": np.float32([[1, 2]]), "y": np.float64([[1, 2]])})
predict("fails in the run", "lookup", {"index": np.int64([0, 99])})
predict("shape that only the graph refuses", "dynamic", {"x": np.float32([[1, 2]])})

TYPES = {
    "float": np.float32([1.5, -2]),
    "double": np.float64([0.1, 1e300]),
    "half": np.float16([0.5, -65504]),
    "uint8": np.uint8([0, 255]),
    "int8": np.int8([-128, 127]),
    "uint16": np.uint16([0, 65535]),
    "int16": np.int16([-32768, 32767]),
    "uint32": np.uint32([0, 4294967295]),
    "int32": np.int32([-2147483648, 2147483647]),
    "uint64": np.uint64([0, 18446744073709551615]),
    "int64": np.int64([-9223372036854775808, 9223372036854775807]),
    "bool": np.array([True, False]),
    "string": np.array(["clothes", "vêtements"], dtype=object),
}
predict("every dtype", "types", TYPES)


def metadata(name, fields, asked=MODEL, **kwargs):
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    spec(request, asked, **kwargs)
    request.metadata_field.extend(fields)
    add(name, MODEL, METADATA, request)


metadata("metadata", ["signature_def"])
metadata("metadata without fields", [])
metadata("metadata of an unknown field", ["nope"])
metadata("metadata of an unknown model", ["signature_def"], asked="nope")
metadata("contract of a model without one", ["vitrine.contract"])


def status(name, asked=MODEL, **kwargs):
    request = get_model_status_pb2.GetModelStatusRequest()
    spec(request, asked, **kwargs)
    add(name, MODEL, STATUS, request)


status("status")
status("status of one version", version=1)
status("status by label", label="stable")
status("status of an unknown model", asked="nope")
status("status of an unknown version", version=9)

target = pathlib.Path(__file__).parent.parent / "golden" / "requests.json"
target.write_text(json.dumps(requests, indent=2) + "\n")
print(f"{len(requests)} requests in {target}")
