"""Writes the bytes of requests made with Triton's client to ../golden/inference-requests.json."""
import base64
import json
import pathlib

import numpy as np
import tritonclient.grpc as grpc_client
import tritonclient.http as http_client
from tritonclient.grpc import service_pb2
from tritonclient.grpc._utils import _get_inference_request

requests = {}
TRITON_TYPES = {
    "float32": "FP32", "float64": "FP64", "float16": "FP16", "uint8": "UINT8", "int8": "INT8", "uint16": "UINT16",
    "int16": "INT16", "uint32": "UINT32", "int32": "INT32", "uint64": "UINT64", "int64": "INT64", "bool": "BOOL",
    "object": "BYTES",
}


def tensors(module, arrays, **how):
    made = []
    for name, array in arrays.items():
        tensor = module.InferInput(name, list(array.shape), TRITON_TYPES[array.dtype.name])
        tensor.set_data_from_numpy(array, **how)
        made.append(tensor)
    return made


def grpc(name, model, arrays, outputs=None, version="", **kwargs):
    wanted = None if outputs is None else [grpc_client.InferRequestedOutput(one, **how) for one, how in outputs.items()]
    options = dict(
        request_id="", sequence_id=0, sequence_start=False, sequence_end=False, priority=0, timeout=None, parameters=None
    )
    request = _get_inference_request(
        model_name=model, inputs=tensors(grpc_client, arrays), model_version=version, outputs=wanted, **{**options, **kwargs}
    )
    add_grpc(name, request)


def add_grpc(name, request):
    requests[name] = {"grpc": base64.b64encode(request.SerializeToString()).decode()}


def http(name, model, arrays, outputs=None, binary=True, path=None, **kwargs):
    wanted = None if outputs is None else [http_client.InferRequestedOutput(one, **how) for one, how in outputs.items()]
    body, json_size = http_client.InferenceServerClient.generate_request_body(
        tensors(http_client, arrays, binary_data=binary), outputs=wanted, **kwargs
    )
    headers = {} if json_size is None else {"Inference-Header-Content-Length": str(json_size)}
    requests[name] = {
        "path": path or f"/v2/models/{model}/infer",
        "headers": headers,
        "body": base64.b64encode(body).decode(),
    }


PIXELS = {"pixels": np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)}
SUM = {"x": np.float32([[1, 2], [3, 4]]), "y": np.float32([[10, 20], [30, 40]])}
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
    "string": np.array(["clothes", "vêtements"], dtype=np.object_),
}
JSON_TYPES = {name: array for name, array in TYPES.items() if name != "half"}

grpc("infer", "pixel-sum", PIXELS, request_id="request 1")
grpc("infer one output", "pixel-sum", PIXELS, {"total": {}})
grpc("infer a version", "pixel-sum", PIXELS, version="1")
grpc("infer classes", "add", SUM, {"sum": {"class_count": 1}})
grpc("infer every dtype", "types", TYPES)
grpc("infer with a signature", "two-signatures", {"x": np.float32([[1, 2]])}, parameters={"signature_name": "negate"})
grpc("unknown model", "nope", PIXELS)
grpc("unknown version", "pixel-sum", PIXELS, version="9")
grpc("unknown output", "pixel-sum", PIXELS, {"nope": {}})
grpc("wrong input name", "pixel-sum", {"picture": PIXELS["pixels"]})
grpc("missing input", "add", {"x": SUM["x"]})
grpc("wrong datatype", "pixel-sum", {"pixels": PIXELS["pixels"].astype(np.float32)})
grpc("wrong shape", "pixel-sum", {"pixels": np.zeros((1, 2, 2, 4), np.uint8)})

short = service_pb2.ModelInferRequest(model_name="pixel-sum")
short.inputs.add(name="pixels", datatype="UINT8", shape=[1, 2, 2, 3])
short.raw_input_contents.append(b"\x01\x02")
add_grpc("short raw bytes", short)

FIELDS = {
    "float": "fp32_contents", "double": "fp64_contents", "uint64": "uint64_contents", "int64": "int64_contents",
    "bool": "bool_contents", "string": "bytes_contents",
}


def typed(model, arrays):
    request = service_pb2.ModelInferRequest(model_name=model, id="typed")
    for name, array in arrays.items():
        tensor = request.inputs.add(name=name, datatype=TRITON_TYPES[array.dtype.name], shape=array.shape)
        field = FIELDS.get(name) or ("fp32_contents" if array.dtype == np.float32 else None)
        field = field or ("uint_contents" if array.dtype.name.startswith("u") else "int_contents")
        values = [text.encode() for text in array] if array.dtype == np.object_ else array.flatten().tolist()
        getattr(tensor.contents, field).extend(values)
    return request


add_grpc("infer typed contents", typed("add", SUM))
both = typed("add", SUM)
both.raw_input_contents.extend([SUM["x"].tobytes(), SUM["y"].tobytes()])
add_grpc("raw and typed contents", both)

http("infer as JSON", "add", SUM, {"sum": {"binary_data": False}}, binary=False, request_id="request 2")
http("infer as binary", "add", SUM, {"sum": {"binary_data": True}})
http("infer binary in, JSON out", "pixel-sum", PIXELS, {"total": {"binary_data": False}})
http("infer JSON in, binary out", "pixel-sum", PIXELS, {"total": {"binary_data": True}}, binary=False)
http("infer all outputs", "pixel-sum", PIXELS)
http("infer classes over HTTP", "add", SUM, {"sum": {"class_count": 2, "binary_data": False}})
http("infer every dtype as binary", "types", TYPES)
http("infer a version over HTTP", "add", SUM, path="/v2/models/add/versions/1/infer")
http("unknown model over HTTP", "nope", SUM)
http("unknown version over HTTP", "add", SUM, path="/v2/models/add/versions/9/infer")
http("wrong datatype over HTTP", "add", {**SUM, "x": SUM["x"].astype(np.int32)})
http("wrong shape over HTTP", "add", {**SUM, "x": np.zeros((2, 3), np.float32)})

target = pathlib.Path(__file__).parent.parent / "golden" / "inference-requests.json"
target.write_text(json.dumps(requests, indent=2) + "\n")
print(f"{len(requests)} requests in {target}")
