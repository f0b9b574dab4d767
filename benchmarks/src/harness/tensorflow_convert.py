"""TensorFlow's own ways from a Keras file to a served model, each in a fresh process: python tensorflow_convert.py WHAT …

    make FILE.h5             the course's model: Xception 299 with its head, random weights
    save FILE.h5 FOLDER      tf_keras.models.load_model and tf.saved_model.save
    onnx FOLDER FILE.onnx    tf2onnx
    show FOLDER              saved_model_cli show --all

The last line of stderr is {"cpu": seconds, "peak": bytes}.
"""
import json
import os
import resource
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"


def make(file):
    import tf_keras as keras

    base = keras.applications.xception.Xception(weights=None, include_top=False, input_shape=(299, 299, 3))
    inputs = keras.Input((299, 299, 3))
    vectors = keras.layers.GlobalAveragePooling2D()(base(inputs, training=False))
    inner = keras.layers.Dense(100, activation="relu")(vectors)
    keras.Model(inputs, keras.layers.Dense(10)(keras.layers.Dropout(0.2)(inner))).save(file)


def save(file, folder):
    import tensorflow as tf
    import tf_keras as keras

    tf.saved_model.save(keras.models.load_model(file), folder)


def onnx(folder, file):
    import tf2onnx.convert

    sys.argv = ["tf2onnx", "--saved-model", folder, "--output", file]
    tf2onnx.convert.main()


def show(folder):
    from tensorflow.python.tools import saved_model_cli

    sys.argv = ["saved_model_cli", "show", "--dir", folder, "--all"]
    try:
        saved_model_cli.main()
    except SystemExit as end:
        assert not end.code, end


{"make": make, "save": save, "onnx": onnx, "show": show}[sys.argv[1]](*sys.argv[2:])
usage = resource.getrusage(resource.RUSAGE_SELF)
figures = {"cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss * 1024}
print("\n" + json.dumps(figures), file=sys.stderr)
