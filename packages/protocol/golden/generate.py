"""Records what TensorFlow itself writes and reads; src/testing/golden.ts reads the two files.

    python -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python generate.py

tensors.jsonl: TensorProto bytes, and what TensorFlow's C++ parser (Tensor::FromProto, by way of tf.io.parse_tensor)
makes of them. messages.jsonl: messages as the official Python classes write them.
"""

import base64
import json
import pathlib

import numpy as np
import tensorflow as tf
from google.protobuf import any_pb2, wrappers_pb2
from grpc_health.v1 import health_pb2
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
)

HERE = pathlib.Path(__file__).parent

# name: field, six values for it, a field of another type and a value for that
NUMERIC = {
    "DT_FLOAT": ("float_val", [0.5, -1.25, 3.4e38, 1e-45, float("inf"), -0.0], "int_val", 7),
    "DT_DOUBLE": ("double_val", [0.1, -2.5, 1e308, 5e-324, float("-inf"), 7.0], "float_val", 7),
    "DT_INT32": ("int_val", [0, -1, 2**31 - 1, -(2**31), 128, 65536], "int64_val", 7),
    "DT_UINT8": ("int_val", [0, 1, 127, 128, 254, 255], "uint32_val", 7),
    "DT_INT16": ("int_val", [0, -1, 32767, -32768, 300, -300], "float_val", 7),
    "DT_INT8": ("int_val", [0, -1, 127, -128, 5, -5], "float_val", 7),
    "DT_UINT16": ("int_val", [0, 1, 32767, 32768, 65534, 65535], "uint32_val", 7),
    "DT_INT64": ("int64_val", [0, -1, 2**63 - 1, -(2**63), 2**53 + 1, -300], "int_val", 7),
    "DT_UINT32": ("uint32_val", [0, 1, 2**31, 2**32 - 1, 300, 65536], "int_val", 7),
    "DT_UINT64": ("uint64_val", [0, 1, 2**63, 2**64 - 1, 2**53 + 1, 300], "int64_val", 7),
    "DT_BOOL": ("bool_val", [True, False, True, True, False, True], "int_val", 1),
    "DT_HALF": ("half_val", [0x0000, 0x3C00, 0xC000, 0x7BFF, 0x0001, 0xFC00], "float_val", 7),
    "DT_BFLOAT16": ("half_val", [0x0000, 0x3F80, 0xC000, 0x7F7F, 0x0001, 0xFF80], "float_val", 7),
    "DT_COMPLEX64": ("scomplex_val", [0.5, -1.25, 3.4e38, 1e-45, 7.0, -0.0, 1, 2, 3, 4, 5, 6], "float_val", 7),
    "DT_COMPLEX128": ("dcomplex_val", [0.1, -2.5, 1e308, 5e-324, 7.0, -0.0, 1, 2, 3, 4, 5, 6], "double_val", 7),
}


def proto(dtype, dims=None, content=b"", unknown_rank=False, **fields):
    message = tensor_pb2.TensorProto(dtype=types_pb2.DataType.Value(dtype), tensor_content=content)
    if dims is not None:
        message.tensor_shape.SetInParent()
        for size in dims:
            message.tensor_shape.dim.add(size=size)
    if unknown_rank:
        message.tensor_shape.unknown_rank = True
    for name, values in fields.items():
        getattr(message, name).extend(values)
    return message


def raw(dtype, values):
    """Elements as the bytes of tensor_content."""
    if dtype in ("DT_HALF", "DT_BFLOAT16"):
        return np.asarray(values, np.uint16).tobytes()
    if dtype == "DT_COMPLEX64":
        return np.asarray(values, np.float32).tobytes()
    if dtype == "DT_COMPLEX128":
        return np.asarray(values, np.float64).tobytes()
    return np.asarray(values, tf.as_dtype(types_pb2.DataType.Value(dtype)).as_numpy_dtype).tobytes()


def tensor_cases():
    for dtype, (field, values, wrong_field, wrong_value) in NUMERIC.items():
        parts = len(values) // 6
        some = lambda count: {field: values[: count * parts]}
        content = raw(dtype, values)
        size = len(content) // 6
        yield f"{dtype} content", proto(dtype, [2, 3], content)
        yield f"{dtype} values", proto(dtype, [2, 3], **some(6))
        yield f"{dtype} one value fills", proto(dtype, [2, 3], **{field: values[2 * parts : 3 * parts]})
        yield f"{dtype} last value repeats", proto(dtype, [2, 3], **some(4))
        yield f"{dtype} surplus values", proto(dtype, [2], **some(6))
        yield f"{dtype} no values", proto(dtype, [2, 3])
        yield f"{dtype} field of another type", proto(dtype, [2], **{wrong_field: [wrong_value, wrong_value]})
        yield f"{dtype} content wins over values", proto(dtype, [2, 3], content, **{field: values[:parts]})
        yield f"{dtype} content one byte short", proto(dtype, [2, 3], content[:-1])
        yield f"{dtype} content one element short", proto(dtype, [2, 3], content[:-size])
        yield f"{dtype} content one byte long", proto(dtype, [2, 3], content + b"\0")
        yield f"{dtype} content one element long", proto(dtype, [2, 3], content + content[:size])
        yield f"{dtype} scalar", proto(dtype, [], **{field: values[parts : 2 * parts]})
        yield f"{dtype} scalar content", proto(dtype, [], content[size : 2 * size])
        yield f"{dtype} no shape", proto(dtype, None, **{field: values[parts:]})
        yield f"{dtype} no shape, content of two", proto(dtype, None, content[: 2 * size])
        yield f"{dtype} unknown rank", proto(dtype, None, unknown_rank=True, **{field: values[parts:]})
        yield f"{dtype} unknown rank with dims", proto(dtype, [2], unknown_rank=True, **{field: values[parts:]})
        yield f"{dtype} dimension 0", proto(dtype, [2, 0, 3], **some(6))
        yield f"{dtype} dimension 0 with content", proto(dtype, [0], content)
        yield f"{dtype} dimension -1", proto(dtype, [-1, 3], **some(6))
    for dtype in ("DT_UINT8", "DT_INT8", "DT_INT16", "DT_UINT16"):
        values = [256, -1, 70000, -129, 2**31 - 1, -(2**31)]
        yield f"{dtype} values wrap", proto(dtype, [6], int_val=values)
    for dtype in ("DT_HALF", "DT_BFLOAT16"):
        yield f"{dtype} high bits are cut", proto(dtype, [2], half_val=[0x13C00, -1])
    for dtype, field in (("DT_COMPLEX64", "scomplex_val"), ("DT_COMPLEX128", "dcomplex_val")):
        yield f"{dtype} half an element over", proto(dtype, [3], **{field: [1, 2, 3]})
        yield f"{dtype} half an element only", proto(dtype, [2], **{field: [1]})
    yield "DT_BOOL content of 2", proto("DT_BOOL", [2], b"\2\0")
    yield "DT_BOOL dimension 0, content of 2", proto("DT_BOOL", [0], b"\2")
    strings = [b"", b"a", "größe".encode(), b"\xff\0", b"x" * 200]
    lengths = b"\x00\x01\x07\x02\xc8\x01"
    yield "DT_STRING values", proto("DT_STRING", [5], string_val=strings)
    yield "DT_STRING one value fills", proto("DT_STRING", [3], string_val=[b"ab"])
    yield "DT_STRING last value repeats", proto("DT_STRING", [4], string_val=[b"ab", b"c"])
    yield "DT_STRING surplus values", proto("DT_STRING", [1], string_val=[b"ab", b"c"])
    yield "DT_STRING no values", proto("DT_STRING", [2])
    yield "DT_STRING no shape", proto("DT_STRING", None, string_val=[b"ab", b"c"])
    yield "DT_STRING dimension 0", proto("DT_STRING", [0], string_val=[b"ab"])
    yield "DT_STRING dimension 0 with content", proto("DT_STRING", [0], b"\1xy")
    yield "DT_STRING dimension -1", proto("DT_STRING", [-1], string_val=[b"ab"])
    yield "DT_STRING content", proto("DT_STRING", [5], lengths + b"".join(strings))
    yield "DT_STRING content wins", proto("DT_STRING", [2], b"\1\1xy", string_val=[b"ab"])
    yield "DT_STRING content short", proto("DT_STRING", [2], b"\1\2xy")
    yield "DT_STRING content long", proto("DT_STRING", [2], b"\1\1xyz")
    yield "DT_STRING content without all lengths", proto("DT_STRING", [3], b"\1\1")
    yield "DT_STRING content with an endless length", proto("DT_STRING", [1], b"\xff\xff\xff\xff\xff\xff")
    yield "DT_INVALID", proto("DT_INVALID", [1], float_val=[1])
    yield "rank 254", proto("DT_FLOAT", [1] * 254, float_val=[1])
    yield "rank 255", proto("DT_FLOAT", [1] * 255, float_val=[1])
    yield "elements beyond int64", proto("DT_FLOAT", [2**40, 2**40], float_val=[1])
    yield "elements beyond int64, then 0", proto("DT_FLOAT", [2**40, 2**40, 0], float_val=[1])
    yield "0, then elements beyond int64", proto("DT_FLOAT", [0, 2**40, 2**40], float_val=[1])


def parsed(message):
    """What the C++ parser answers."""
    dtype = tf.as_dtype(message.dtype) if message.dtype else tf.float32
    try:
        value = tf.io.parse_tensor(message.SerializeToString(), dtype)
        array = tf.reshape(value, [-1]).numpy()  # NumPy has no more than 64 dimensions
    except tf.errors.InvalidArgumentError:
        return None
    if dtype == tf.string:
        items = np.asarray(array, object).reshape(-1)
        return {"shape": list(value.shape), "strings": [base64.b64encode(item).decode() for item in items]}
    return {"shape": list(value.shape), "content": base64.b64encode(np.asarray(array).tobytes()).decode()}


def message_cases():
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (1, 4, 5, 3), np.uint8)
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "clothing-model"
    request.model_spec.signature_name = "serving_default"
    request.inputs["image"].CopyFrom(tf.make_tensor_proto(image))
    yield "PredictRequest", request
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "m"
    request.model_spec.version.value = 2**53 - 1
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(1.5))
    request.inputs["größe"].CopyFrom(tf.make_tensor_proto([b"a", b"bc"]))
    request.output_filter.extend(["scores", "classes"])
    yield "PredictRequest of a version, two inputs, a filter", request
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "m"
    request.model_spec.version.value = 0
    yield "PredictRequest of version 0", request
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "m"
    request.model_spec.version_label = "stable"
    yield "PredictRequest of a label", request
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "m"
    request.model_spec.version.value = 2**63 - 1
    yield "PredictRequest of a version beyond 2^53", request
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "m"
    request.client_id = b"client"
    request.predict_streamed_options.return_single_response = True
    request.request_options.deterministic_mode = 1
    yield "PredictRequest with options that are ignored", request

    response = predict_pb2.PredictResponse()
    response.model_spec.name = "m"
    response.model_spec.version.value = 3
    response.model_spec.signature_name = "serving_default"
    scores = response.outputs["scores"]
    scores.dtype = types_pb2.DT_FLOAT
    scores.tensor_shape.dim.add(size=1)
    scores.tensor_shape.dim.add(size=3)
    scores.float_val.extend([0.25, -1.5, 2.0])
    yield "PredictResponse", response

    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = "m"
    request.metadata_field.extend(["signature_def", "vitrine.contract"])
    yield "GetModelMetadataRequest", request

    signatures = get_model_metadata_pb2.SignatureDefMap()
    signature = signatures.signature_def["serving_default"]
    signature.method_name = "tensorflow/serving/predict"
    for tensors, alias, name, dtype, dims in (
        (signature.inputs, "image", "image:0", types_pb2.DT_UINT8, [-1, 224, 224, 3]),
        (signature.outputs, "scores", "scores:0", types_pb2.DT_FLOAT, [-1, 10]),
    ):
        tensors[alias].name = name
        tensors[alias].dtype = dtype
        for size in dims:
            tensors[alias].tensor_shape.dim.add(size=size)
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = "m"
    response.model_spec.version.value = 3
    response.metadata["signature_def"].Pack(signatures)
    yield "GetModelMetadataResponse", response
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.metadata["vitrine.contract"].Pack(wrappers_pb2.StringValue(value='{"schema":1}'))
    yield "GetModelMetadataResponse of a StringValue", response

    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "m"
    yield "GetModelStatusRequest", request
    response = get_model_status_pb2.GetModelStatusResponse()
    available = response.model_version_status.add(version=4, state=get_model_status_pb2.ModelVersionStatus.AVAILABLE)
    available.status.SetInParent()
    ended = response.model_version_status.add(version=3, state=get_model_status_pb2.ModelVersionStatus.END)
    ended.status.error_code = 3
    ended.status.error_message = "no such op"
    yield "GetModelStatusResponse", response

    yield "HealthCheckRequest", health_pb2.HealthCheckRequest(service="ModelService")
    yield "HealthCheckResponse", health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)


def write(name, rows):
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    (HERE / name).write_text("".join(lines), encoding="utf-8")


def main():
    tensors = []
    for name, message in tensor_cases():
        encoded = base64.b64encode(message.SerializeToString(deterministic=True)).decode()
        tensors.append({"name": name, "dtype": message.dtype, "proto": encoded, "parsed": parsed(message)})
    write("tensors.jsonl", tensors)
    write(
        "messages.jsonl",
        [
            {"name": name, "bytes": base64.b64encode(message.SerializeToString(deterministic=True)).decode()}
            for name, message in message_cases()
        ],
    )
    print(f"tensorflow {tf.__version__}: {len(tensors)} tensors")


if __name__ == "__main__":
    main()
