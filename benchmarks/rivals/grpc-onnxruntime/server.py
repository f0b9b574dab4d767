"""A model server as one writes it by hand: grpcio takes TensorFlow Serving's Predict, one thread per core collects what
waits into a batch of up to 4 and runs it in ONNX Runtime.

Started by the benchmark `model-server-rivals`:  python server.py MODEL_FILE CORES
MESSAGES names the folder with the generated messages. Prints `ready PORT`.
"""

import os
import queue
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import grpc
import numpy as np
import onnxruntime

sys.path.insert(0, os.environ["MESSAGES"])
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2  # noqa: E402
from tensorflow_serving.apis import predict_pb2  # noqa: E402

MAX_ROWS = 4
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
model_file, cores = sys.argv[1], int(sys.argv[2])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
options.add_session_config_entry("session.intra_op.allow_spinning", "0")
waiting = queue.Queue()


def serve_batches():
    session = onnxruntime.InferenceSession(model_file, options, providers=["CPUExecutionProvider"])
    while True:
        batch = [waiting.get()]
        rows = batch[0][0].shape[0]
        while rows < MAX_ROWS:
            try:
                batch.append(waiting.get_nowait())
            except queue.Empty:
                break
            rows += batch[-1][0].shape[0]
        try:
            (scores,) = session.run(["logits"], {"pixels": np.concatenate([pixels for pixels, _ in batch])})
        except Exception as error:
            for _, future in batch:
                future.set_exception(error)
            continue
        start = 0
        for pixels, future in batch:
            future.set_result(scores[start : start + pixels.shape[0]])
            start += pixels.shape[0]


def predict(request, context):
    tensor = request.inputs["pixels"]
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    future = Future()
    waiting.put((np.frombuffer(tensor.tensor_content, np.uint8).reshape(shape), future))
    scores = future.result()
    response = predict_pb2.PredictResponse(model_spec=request.model_spec)
    dims = [tensor_shape_pb2.TensorShapeProto.Dim(size=size) for size in scores.shape]
    response.outputs["logits"].CopyFrom(
        tensor_pb2.TensorProto(
            dtype=types_pb2.DT_FLOAT,
            tensor_shape=tensor_shape_pb2.TensorShapeProto(dim=dims),
            float_val=scores.ravel().tolist(),
        )
    )
    return response


for _ in range(cores):
    threading.Thread(target=serve_batches, daemon=True).start()
server = grpc.server(
    ThreadPoolExecutor(max_workers=64),
    options=[("grpc.max_receive_message_length", MAX_MESSAGE_BYTES)],
)
handler = grpc.unary_unary_rpc_method_handler(
    predict,
    request_deserializer=predict_pb2.PredictRequest.FromString,
    response_serializer=predict_pb2.PredictResponse.SerializeToString,
)
server.add_generic_rpc_handlers(
    (grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", {"Predict": handler}),)
)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print("ready", port, flush=True)
server.wait_for_termination()
