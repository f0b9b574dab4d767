"""Talks to a model server through the real client of TensorFlow Serving and prints what it answers."""
import sys

import grpc
import numpy as np
from tensorflow import dtypes, make_ndarray, make_tensor_proto
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

address, model = sys.argv[1:3]
channel = grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)])
prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)
models = model_service_pb2_grpc.ModelServiceStub(channel)

signature_request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
signature_request.model_spec.name = model
any_value = prediction.GetModelMetadata(signature_request, timeout=10).metadata["signature_def"]
signatures = get_model_metadata_pb2.SignatureDefMap()
assert any_value.Unpack(signatures), any_value.type_url
signature = signatures.signature_def["serving_default"]


def array(info, rows=1, grow=0, dtype=None):
    sizes = [dim.size for dim in info.tensor_shape.dim]
    shape = [rows if axis == 0 and size == -1 else max(size, 1) for axis, size in enumerate(sizes)]
    shape[-1] += grow
    return np.zeros(shape, dtype or dtypes.as_dtype(info.dtype).as_numpy_dtype)


def predict(name=model, signature_name="", version=None, output_filter=(), **kwargs):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = signature_name
    if version is not None:
        request.model_spec.version.value = version
    for alias, info in signature.inputs.items():
        request.inputs[alias].CopyFrom(make_tensor_proto(array(info, **kwargs)))
    request.output_filter.extend(output_filter)
    response = prediction.Predict(request, timeout=20)
    spec = response.model_spec
    outputs = ", ".join(f"{alias} {make_ndarray(value).dtype}{list(make_ndarray(value).shape)}" for alias, value in sorted(response.outputs.items()))
    return f"{spec.name}/{spec.version.value}/{spec.signature_name}: {outputs}"


def metadata(*fields):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
    request.model_spec.name = model
    response = prediction.GetModelMetadata(request, timeout=10)
    return ", ".join(f"{field}: {value.type_url}" for field, value in sorted(response.metadata.items()))


def status(name=model):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = name
    states = models.GetModelStatus(request, timeout=10).model_version_status
    state_name = get_model_status_pb2.ModelVersionStatus.State.Name
    return ", ".join(f"version {entry.version} {state_name(entry.state)}" for entry in states)


first_output = sorted(signature.outputs)[0]
other_dtype = np.float64
CASES = [
    ("Predict, 1 row", "OK", lambda: predict()),
    ("Predict, 3 rows", "OK", lambda: predict(rows=3)),
    ("Predict, no rows", "OK", lambda: predict(rows=0)),
    ("Predict, one output", "OK", lambda: predict(output_filter=[first_output])),
    ("GetModelMetadata", "OK", lambda: metadata("signature_def")),
    ("GetModelMetadata, unknown field", "INVALID_ARGUMENT", lambda: metadata("nope")),
    ("GetModelStatus", "OK", lambda: status()),
    ("GetModelStatus, wrong model", "NOT_FOUND", lambda: status("nope")),
    ("Predict, wrong model", "NOT_FOUND", lambda: predict(name="nope")),
    ("Predict, wrong version", "NOT_FOUND", lambda: predict(version=987654)),
    ("Predict, wrong signature", "FAILED_PRECONDITION", lambda: predict(signature_name="nope")),
    ("Predict, wrong shape", "INVALID_ARGUMENT", lambda: predict(grow=1)),
    ("Predict, wrong dtype", "INVALID_ARGUMENT", lambda: predict(dtype=other_dtype)),
    ("Predict, unknown output", "INVALID_ARGUMENT", lambda: predict(output_filter=["nope"])),
]

wrong = 0
for name, expected, run in CASES:
    try:
        code, text = "OK", run()
    except grpc.RpcError as error:
        code, text = error.code().name, error.details()
    mark = " " if code == expected else "!"
    wrong += code != expected
    print(f"{mark} {name:32} {code:20} {text}")
sys.exit(1 if wrong else 0)
