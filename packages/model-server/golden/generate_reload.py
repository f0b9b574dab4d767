"""Writes ReloadConfigRequests as TensorFlow Serving's Python client sends them.

    python golden/generate_reload.py    (see requirements.txt)
"""

import pathlib

from google.protobuf import text_format
from tensorflow_serving.apis import model_management_pb2
from tensorflow_serving.config import model_server_config_pb2

FOLDER = pathlib.Path(__file__).parent / "reload"
FOLDER.mkdir(exist_ok=True)

for source in sorted(FOLDER.glob("*.config")):
    request = model_management_pb2.ReloadConfigRequest()
    request.config.CopyFrom(text_format.Parse(source.read_text(), model_server_config_pb2.ModelServerConfig()))
    source.with_suffix(".binpb").write_bytes(request.SerializeToString(deterministic=True))
