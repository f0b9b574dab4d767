"""Writes the bytes of requests made with tensorflow-serving-api, and what TensorFlow answers, to ../golden."""
import base64
import json
import os
import pathlib

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf
from tensorflow import make_tensor_proto
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)

PREDICT = "/tensorflow.serving.PredictionService/Predict"
METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"
STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
CLASSIFY = "/tensorflow.serving.PredictionService/Classify"
REGRESS = "/tensorflow.serving.PredictionService/Regress"
MULTI = "/tensorflow.serving.PredictionService/MultiInference"

conformance = pathlib.Path(__file__).parent.parent
requests = {}
loaded = {}


def encoded(message):
    return base64.b64encode(message.SerializeToString()).decode()


def add(name, model, path, request, **answer):
    requests[name] = {"model": model, "path": path, "bytes": encoded(request), **answer}


def run(model, signature, inputs):
    """What TensorFlow computes for the request's own TensorProtos: outputs by alias, or its error."""
    if model not in loaded:
        loaded[model] = tf.saved_model.load(str(conformance / "models" / model / "1"))
    function = loaded[model].signatures[signature or "serving_default"]
    try:
        tensors = {
            alias: tf.io.parse_tensor(value.SerializeToString(), tf.as_dtype(value.dtype)) for alias, value in inputs.items()
        }
        return function(**tensors), None
    except tf.errors.OpError as error:
        return None, error


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
    reaches = asked is None and kwargs.get("version", 1) == 1 and "label" not in kwargs
    add(name, model, PREDICT, request, **(predict_answer(model, kwargs.get("signature", ""), request) if reaches else {}))


def predict_answer(model, signature, request):
    """None where the request does not get as far as TensorFlow."""
    try:
        outputs, error = run(model, signature, request.inputs)
    except (KeyError, TypeError, ValueError, tf.errors.InvalidArgumentError):
        return {}
    if error is not None:
        return {"code": error.error_code}
    wanted = request.output_filter or outputs.keys()
    if any(alias not in outputs for alias in wanted) or len(set(wanted)) < len(wanted):
        return {}
    return {"outputs": {alias: encoded(make_tensor_proto(outputs[alias].numpy())) for alias in sorted(wanted)}}


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

predict("signature by name", "two-signatures", {"x": np.float32([[1, 2]])}, signature="negate")
predict("default signature of two", "two-signatures", {"x": np.float32([[1, 2]])})
predict("a scalar", "scalar", {"x": np.float32(1.25)})
predict("an array where a scalar was declared", "scalar", {"x": np.float32([1, 2])})
predict("typed values that end early", "dynamic", {"x": proto(types_pb2.DT_FLOAT, [2, 3], float_val=[1, 2])})
predict("no values are zeros", "dynamic", {"x": proto(types_pb2.DT_FLOAT, [2, 3])})
predict("more values than elements", "dynamic", {"x": proto(types_pb2.DT_FLOAT, [1, 3], float_val=[1, 2, 3, 4, 5])})
predict("values of another type", "dynamic", {"x": proto(types_pb2.DT_FLOAT, [1, 3], int_val=[1, 2, 3])})
predict("not a number, and infinity", "add", {"x": np.float32([[np.nan, np.inf]]), "y": np.float32([[1, -np.inf]])})
predict("many rows", "add", {"x": np.arange(600, dtype=np.float32).reshape(300, 2), "y": np.ones((300, 2), np.float32)})
predict("integers that wrap", MODEL, {"pixels": proto(types_pb2.DT_UINT8, [1, 2, 2, 3], int_val=[256, -1, 70000])})
for name, value in TYPES.items():
    alone = {alias: (value if alias == name else other) for alias, other in TYPES.items()}
    typed = make_tensor_proto(value)
    array = tf.make_ndarray(typed)
    if name != "string":
        # The same values in the type's own field instead of tensor_content.
        typed = tensor_pb2.TensorProto(dtype=typed.dtype, tensor_shape=typed.tensor_shape)
        field = {
            "float": "float_val", "double": "double_val", "half": "half_val", "int64": "int64_val", "bool": "bool_val",
            "uint32": "uint32_val", "uint64": "uint64_val",
        }.get(name, "int_val")
        getattr(typed, field).extend((array.view(np.uint16) if name == "half" else array).tolist())
    predict(f"typed {name}", "types", {**alone, name: typed})


def example(**features):
    made = tf.train.Example()
    for name, values in features.items():
        field = "float_list" if isinstance(values[0], float) else "int64_list" if isinstance(values[0], int) else "bytes_list"
        getattr(made.features.feature[name], field).value.extend(values)
    return made


def fill(input_, examples, context=None):
    if context is None:
        input_.example_list.examples.extend(examples)
    else:
        input_.example_list_with_context.examples.extend(examples)
        input_.example_list_with_context.context.CopyFrom(context)


def example_outputs(signature, examples, context=None):
    prefix = b"" if context is None else context.SerializeToString()
    serialised = tf.constant([prefix + one.SerializeToString() for one in examples])
    if "examples" not in loaded:
        loaded["examples"] = tf.saved_model.load(str(conformance / "models" / "examples" / "1"))
    return loaded["examples"].signatures[signature](serialised)


def classification(result, scores):
    for row in scores.numpy():
        entry = result.classifications.add()
        for score in row:
            entry.classes.add(score=score)


def answered(response, signature):
    response.model_spec.name = "examples"
    response.model_spec.version.value = 1
    response.model_spec.signature_name = signature
    return response


def classify(name, examples, context=None, model="examples", signature="", good=True):
    request = classification_pb2.ClassificationRequest()
    spec(request, model, signature=signature)
    fill(request.input, examples, context)
    answer = {}
    if good:
        response = answered(classification_pb2.ClassificationResponse(), "serving_default")
        classification(response.result, example_outputs("serving_default", examples, context)["scores"])
        answer = {"response": encoded(response)}
    add(name, "examples", CLASSIFY, request, **answer)


def regress(name, examples, context=None, model="examples", signature="regress", good=True):
    request = regression_pb2.RegressionRequest()
    spec(request, model, signature=signature)
    fill(request.input, examples, context)
    answer = {}
    if good:
        response = answered(regression_pb2.RegressionResponse(), "regress")
        for value in example_outputs("regress", examples, context)["outputs"].numpy().flatten():
            response.result.regressions.add(value=value)
        answer = {"response": encoded(response)}
    add(name, "examples", REGRESS, request, **answer)


two = [example(x=[1.0, 2.0], shift=[0.25]), example(x=[-1.0, 0.5])]
classify("classify", two)
classify("classify with a context", [example(), example(x=[3.0, 4.0])], context=example(x=[1.0, 1.0], shift=[1.0]))
classify("classify extra features", [example(x=[1.0, 2.0], other=[1])])
classify("classify without input", [], good=False)
classify("classify unknown signature", two, signature="nope", good=False)
classify("classify unknown model", two, model="nope", good=False)
classify("classify a regression", two, signature="regress", good=False)
classify("classify a missing feature", [example(shift=[1.0])], good=False)
classify("classify a feature of another kind", [example(x=[1, 2])], good=False)
classify("classify too few values", [example(x=[1.0])], good=False)
regress("regress", two)
regress("regress with a context", [example(x=[3.0, 4.0])], context=example(shift=[1.0]))
regress("regress without input", [], good=False)
regress("regress unknown signature", two, signature="nope", good=False)
regress("regress a classification", two, signature="serving_default", good=False)


def multi(name, tasks, good=True):
    request = inference_pb2.MultiInferenceRequest()
    for model, signature, method in tasks:
        task = request.tasks.add()
        task.model_spec.name = model
        task.model_spec.signature_name = signature
        task.method_name = f"tensorflow/serving/{method}"
    fill(request.input, two)
    answer = {}
    if good:
        response = inference_pb2.MultiInferenceResponse()
        for model, signature, method in tasks:
            result = response.results.add()
            answered(result, signature or "serving_default")
            if method == "classify":
                classification(result.classification_result, example_outputs(signature or "serving_default", two)["scores"])
            else:
                for value in example_outputs(signature, two)["outputs"].numpy().flatten():
                    result.regression_result.regressions.add(value=value)
        answer = {"response": encoded(response)}
    add(name, "examples", MULTI, request, **answer)


multi("multi", [("examples", "", "classify"), ("examples", "regress", "regress")])
multi("multi in the other order", [("examples", "regress", "regress"), ("examples", "serving_default", "classify")])
multi("multi of different models", [("examples", "", "classify"), ("add", "", "classify")], good=False)
multi("multi of one signature twice", [("examples", "", "classify"), ("examples", "", "classify")], good=False)
multi("multi with another method", [("examples", "", "predict")], good=False)
multi("multi of an unknown signature", [("examples", "nope", "classify")], good=False)

target = conformance / "golden" / "requests.json"
target.write_text(json.dumps(requests, indent=2) + "\n")
print(f"{len(requests)} requests in {target}, {sum(len(one) > 3 for one in requests.values())} with TensorFlow's answer")
