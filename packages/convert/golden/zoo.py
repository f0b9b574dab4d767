"""Small models, one per kind of layer, whose outputs are the layer's variants: each output is one comparison."""

from __future__ import annotations

import numpy as np

from models import fill_weights, is_keras3, quarried

ZOO = {}


def zoo(*, only: int | None = None):
    """Registers a builder: keras -> model. `only` = 2 or 3 for what only one Keras has."""

    def register(build):
        ZOO[build.__name__.replace("_", "-")] = (build, only)
        return build

    return register


def fan_out(keras, shape, variants, dtype=None):
    """One input, and an output for each layer of `variants`, named after it."""
    options = {"dtype": dtype} if dtype else {}
    x = keras.Input(shape=shape, name="x", **options)
    return keras.Model(x, [layer(x) for layer in variants], name="zoo")


@zoo()
def convolution_2d(keras):
    C = keras.layers.Conv2D
    return fan_out(keras, (9, 11, 4), [
        C(6, 3, name="valid"),
        C(6, 3, padding="same", name="same"),
        C(6, (2, 4), padding="same", strides=2, name="same_even_strided"),
        C(6, (3, 5), strides=(2, 3), padding="same", use_bias=False, name="same_strided_unbiased"),
        C(6, 3, strides=(3, 2), activation="relu", name="valid_strided_relu"),
        C(6, 3, dilation_rate=(2, 3), padding="same", name="dilated"),
        C(6, 3, dilation_rate=2, activation="tanh", name="dilated_valid_tanh"),
        C(6, 1, strides=4, padding="same", name="pointwise_strided"),
        C(8, 3, groups=2, padding="same", name="grouped"),
        C(8, 3, groups=4, strides=2, activation="sigmoid", name="grouped_strided"),
    ])


@zoo()
def convolution_1d(keras):
    C = keras.layers.Conv1D
    return fan_out(keras, (13, 4), [
        C(6, 3, name="valid"),
        C(6, 4, padding="same", strides=2, name="same_strided"),
        C(6, 3, padding="causal", name="causal"),
        C(6, 3, padding="causal", dilation_rate=2, use_bias=False, name="causal_dilated"),
        C(6, 3, padding="same", dilation_rate=3, name="dilated"),
        C(8, 3, groups=2, activation="elu", name="grouped"),
    ])


@zoo()
def convolution_3d(keras):
    C = keras.layers.Conv3D
    return fan_out(keras, (6, 7, 5, 3), [
        C(4, 3, name="valid"),
        C(4, (2, 3, 2), padding="same", strides=(1, 2, 2), name="same_strided"),
        C(4, 2, padding="same", use_bias=False, activation="relu", name="unbiased"),
    ])


@zoo()
def convolution_transposed(keras):
    layers = keras.layers
    x2 = keras.Input((5, 7, 4), name="x2")
    x1 = keras.Input((9, 4), name="x1")
    x3 = keras.Input((3, 4, 5, 2), name="x3")
    T = layers.Conv2DTranspose
    outputs = [layer(x2) for layer in [
        T(3, 3, name="valid"),
        T(3, 3, padding="same", name="same"),
        T(3, 3, strides=2, name="valid_strided"),
        T(3, 3, strides=2, padding="same", name="same_strided"),
        T(3, 4, strides=2, padding="same", use_bias=False, name="same_even"),
        T(3, 2, strides=3, padding="same", name="same_gaps"),
        T(3, 2, strides=3, name="valid_gaps"),
        T(3, (3, 5), strides=(2, 3), padding="same", activation="relu", name="same_oblong"),
        T(3, 3, strides=2, padding="same", output_padding=1, name="same_padded"),
        T(3, 3, strides=2, output_padding=1, name="valid_padded"),
        T(3, 3, strides=(2, 3), padding="same", output_padding=(0, 1), name="same_padded_oblong"),
        T(3, 3, dilation_rate=2, name="dilated"),
        T(3, 3, dilation_rate=2, padding="same", name="dilated_same"),
    ]]
    outputs += [
        layers.Conv1DTranspose(3, 3, strides=2, padding="same", name="one")(x1),
        layers.Conv1DTranspose(3, 4, strides=3, name="one_valid")(x1),
        layers.Conv3DTranspose(3, 3, strides=2, padding="same", name="three")(x3),
        layers.Conv3DTranspose(3, (2, 3, 2), strides=(1, 2, 1), name="three_valid")(x3),
    ]
    return keras.Model([x2, x1, x3], outputs, name="zoo")


@zoo()
def depthwise_and_separable(keras):
    layers = keras.layers
    x = keras.Input((9, 11, 4), name="x")
    x1 = keras.Input((13, 4), name="x1")
    D, S = layers.DepthwiseConv2D, layers.SeparableConv2D
    outputs = [layer(x) for layer in [
        D(3, name="depthwise"),
        D(3, padding="same", depth_multiplier=3, name="multiplied"),
        D((3, 3), strides=2, padding="same", use_bias=False, activation="relu6" if is_keras3(keras) else "relu",
          name="depthwise_strided"),
        D(3, dilation_rate=2, padding="same", name="depthwise_dilated"),
        D((5, 3), padding="same", name="depthwise_oblong"),
        S(6, 3, name="separable"),
        S(6, 3, padding="same", strides=2, depth_multiplier=2, use_bias=False, name="separable_strided"),
        S(6, (3, 5), padding="same", dilation_rate=2, activation="relu", name="separable_dilated"),
    ]]
    outputs += [
        layers.DepthwiseConv1D(3, padding="same", depth_multiplier=2, name="depthwise_1d")(x1),
        layers.DepthwiseConv1D(4, strides=2, activation="tanh", name="depthwise_1d_strided")(x1),
        layers.SeparableConv1D(6, 3, padding="same", depth_multiplier=2, name="separable_1d")(x1),
        layers.SeparableConv1D(6, 3, strides=2, name="separable_1d_strided")(x1),
    ]
    if not is_keras3(keras):
        outputs.append(layers.SeparableConv1D(6, 3, padding="causal", name="separable_1d_causal")(x1))
    return keras.Model([x, x1], outputs, name="zoo")


@zoo()
def pooling(keras):
    layers = keras.layers
    x1, x2, x3 = keras.Input((13, 3), name="x1"), keras.Input((9, 11, 3), name="x2"), keras.Input((7, 6, 5, 2), name="x3")
    outputs = []
    for kind in ("Max", "Average"):
        one, two, three = (getattr(layers, f"{kind}Pooling{n}D") for n in (1, 2, 3))
        low = kind.lower()
        outputs += [
            one(3, name=f"{low}_1d")(x1),
            one(3, strides=2, padding="same", name=f"{low}_1d_same")(x1),
            two(2, name=f"{low}_2d")(x2),
            two((3, 2), strides=(2, 3), padding="same", name=f"{low}_2d_same")(x2),
            two(3, strides=1, padding="same", name=f"{low}_2d_dense")(x2),
            two((4, 3), strides=2, name=f"{low}_2d_overlapping")(x2),
            three(2, name=f"{low}_3d")(x3),
            three((3, 2, 2), strides=2, padding="same", name=f"{low}_3d_same")(x3),
        ]
        for rank, x in ((1, x1), (2, x2), (3, x3)):
            pool = getattr(layers, f"Global{kind}Pooling{rank}D")
            outputs.append(pool(name=f"global_{low}_{rank}d")(x))
            outputs.append(pool(keepdims=True, name=f"global_{low}_{rank}d_kept")(x))
    return keras.Model([x1, x2, x3], outputs, name="zoo")


@zoo()
def pooling_channels_first(keras):
    layers = keras.layers
    x = keras.Input((3, 9, 11), name="x")
    first = {"data_format": "channels_first"}
    return keras.Model(x, [
        layers.GlobalAveragePooling2D(name="global_average", **first)(x),
        layers.GlobalMaxPooling2D(keepdims=True, name="global_max", **first)(x),
        layers.Flatten(name="flatten", **first)(x),
        layers.ZeroPadding2D(((1, 2), (0, 3)), name="padding", **first)(x),
        layers.Cropping2D(((1, 2), (0, 3)), name="cropping", **first)(x),
        layers.UpSampling2D((2, 3), name="nearest", **first)(x),
        layers.BatchNormalization(axis=1, name="normalization")(x),
        layers.PReLU(shared_axes=[2, 3], name="prelu")(x),
        layers.Softmax(axis=1, name="softmax")(x),
    ], name="zoo")


@zoo(only=3)
def adaptive_pooling(keras):
    layers = keras.layers
    x1, x2 = keras.Input((12, 3), name="x1"), keras.Input((9, 11, 3), name="x2")
    return keras.Model([x1, x2], [
        layers.AdaptiveAveragePooling1D(5, name="average_1d")(x1),
        layers.AdaptiveMaxPooling1D(4, name="max_1d")(x1),
        layers.AdaptiveAveragePooling2D((4, 3), name="average_2d")(x2),
        layers.AdaptiveMaxPooling2D(3, name="max_2d")(x2),
    ], name="zoo")



@zoo()
def normalization(keras):
    layers = keras.layers
    x = keras.Input((6, 5, 8), name="x")
    v = keras.Input((7,), name="v")
    B, L, G = layers.BatchNormalization, layers.LayerNormalization, layers.GroupNormalization
    adapted = layers.Normalization(axis=-1, name="adapted")
    adapted.adapt(quarried((16, 6, 5, 8), 5))
    outputs = [layer(x) for layer in [
        B(name="batch"),
        B(scale=False, epsilon=0.01, name="batch_unscaled"),
        B(center=False, name="batch_uncentred"),
        B(scale=False, center=False, name="batch_bare"),
        B(axis=2, name="batch_of_columns"),
        B(axis=1, name="batch_of_rows"),
        L(name="layer"),
        L(axis=[1, 2, 3], name="layer_of_all"),
        L(axis=(2, 3), epsilon=0.1, scale=False, name="layer_of_two"),
        L(axis=1, center=False, name="layer_of_rows"),
        G(groups=4, name="group"),
        G(groups=1, epsilon=0.01, scale=False, name="group_of_all"),
        G(groups=-1, center=False, name="group_of_each"),
        G(groups=5, axis=2, name="group_of_columns"),
        layers.UnitNormalization(name="unit"),
        layers.UnitNormalization(axis=[1, 3], name="unit_of_two"),
        adapted,
        layers.Normalization(axis=None, mean=0.25, variance=2.0, name="stated"),
        layers.Normalization(axis=-1, mean=[0.5] * 8, variance=[1, 2, 3, 4, 5, 6, 7, 8], name="stated_by_channel"),
        layers.Normalization(axis=None, mean=0.25, variance=2.0, invert=True, name="inverted"),
    ]]
    outputs += [B(name="batch_of_vectors")(v), L(name="layer_of_vectors")(v)]
    return keras.Model([x, v], outputs, name="zoo")


@zoo()
def activations(keras):
    names = ["linear", "relu", "elu", "selu", "sigmoid", "hard_sigmoid", "tanh", "softplus", "softsign", "softmax",
             "exponential", "gelu", "mish", "swish"]
    if is_keras3(keras):
        names += ["relu6", "leaky_relu", "silu", "hard_silu", "log_sigmoid", "log_softmax", "celu", "glu", "hard_tanh",
                  "hard_shrink", "soft_shrink", "tanh_shrink", "squareplus", "sparse_plus", "sparse_sigmoid"]
    return fan_out(keras, (5, 6), [keras.layers.Activation(name, name=f"act_{name}") for name in names])


@zoo()
def advanced_activations(keras):
    layers = keras.layers
    three = is_keras3(keras)
    slope = {"negative_slope": 0.1} if three else {"alpha": 0.1}
    variants = [
        layers.ReLU(name="relu"),
        layers.ReLU(max_value=0.75, name="relu_capped"),
        layers.ReLU(negative_slope=0.25, name="relu_leaky"),
        layers.ReLU(max_value=0.75, negative_slope=0.25, threshold=0.125, name="relu_all"),
        layers.ReLU(threshold=0.25, name="relu_threshold"),
        layers.LeakyReLU(name="leaky"),
        layers.LeakyReLU(**slope, name="leaky_stated"),
        layers.ELU(alpha=0.5, name="elu"),
        layers.PReLU(name="prelu"),
        layers.PReLU(shared_axes=[1, 2], name="prelu_shared"),
        layers.PReLU(shared_axes=[1], name="prelu_rows"),
        layers.Softmax(name="softmax"),
        layers.Softmax(axis=1, name="softmax_rows"),
        layers.Softmax(axis=[1, 2], name="softmax_two"),
        layers.Activation("relu", name="named"),
    ]
    if not three:
        variants.append(layers.ThresholdedReLU(theta=0.25, name="thresholded"))
    return fan_out(keras, (4, 5, 6), variants)


@zoo()
def reshaping(keras):
    layers = keras.layers
    return fan_out(keras, (4, 6, 5), [
        layers.Flatten(name="flatten"),
        layers.Reshape((5, 24), name="reshape"),
        layers.Reshape((-1, 10), name="reshape_inferred"),
        layers.Permute((3, 1, 2), name="permute"),
        layers.Cropping2D(1, name="crop"),
        layers.Cropping2D(((1, 0), (2, 1)), name="crop_uneven"),
        layers.ZeroPadding2D(1, name="pad"),
        layers.ZeroPadding2D((1, 2), name="pad_oblong"),
        layers.ZeroPadding2D(((0, 1), (2, 3)), name="pad_uneven"),
        layers.UpSampling2D(2, name="up"),
        layers.UpSampling2D((2, 3), interpolation="bilinear", name="up_bilinear"),
        layers.Dropout(0.5, name="dropout"),
        layers.SpatialDropout2D(0.5, name="spatial_dropout"),
        layers.GaussianNoise(0.1, name="noise"),
        layers.GaussianDropout(0.1, name="gaussian_dropout"),
        layers.AlphaDropout(0.1, name="alpha_dropout"),
        layers.ActivityRegularization(0.1, name="regularization"),
    ])


@zoo()
def reshaping_of_sequences(keras):
    layers = keras.layers
    x = keras.Input((7, 4), name="x")
    v = keras.Input((5,), name="v")
    x3 = keras.Input((3, 4, 5, 2), name="x3")
    return keras.Model([x, v, x3], [
        layers.RepeatVector(3, name="repeat")(v),
        layers.UpSampling1D(3, name="up_1d")(x),
        layers.ZeroPadding1D((1, 2), name="pad_1d")(x),
        layers.Cropping1D((1, 2), name="crop_1d")(x),
        layers.SpatialDropout1D(0.5, name="dropout_1d")(x),
        layers.UpSampling3D((1, 2, 3), name="up_3d")(x3),
        layers.ZeroPadding3D(((1, 0), (0, 2), (1, 1)), name="pad_3d")(x3),
        layers.Cropping3D(((1, 0), (0, 2), (1, 1)), name="crop_3d")(x3),
        layers.Permute((2, 1), name="permute")(x),
        layers.Flatten(name="flatten_vector")(v),
        layers.Embedding(11, 4, name="embedding")(layers.Rescaling(3.9, offset=5, name="ids")(layers.Activation("softsign", name="bounded")(v))),
    ], name="zoo")


@zoo()
def dense(keras):
    layers = keras.layers
    x = keras.Input((4, 6), name="x")
    v = keras.Input((8,), name="v")
    return keras.Model([x, v], [
        layers.Dense(5, name="plain")(v),
        layers.Dense(5, use_bias=False, activation="softmax", name="unbiased_softmax")(v),
        layers.Dense(5, activation="relu", name="of_rows")(x),
        layers.Dense(1, activation="sigmoid", name="binary")(v),
        layers.EinsumDense("abc,cd->abd", output_shape=(None, 5), bias_axes="d", name="einsum")(x),
        layers.TimeDistributed(layers.Dense(3, activation="relu"), name="timed")(x),
    ], name="zoo")


@zoo()
def merging(keras):
    layers = keras.layers
    shapes = {"a": (4, 5, 6), "b": (4, 5, 6), "c": (1, 1, 6), "d": (4, 5, 2), "e": (7, 6), "f": (3, 6), "g": (6,), "h": (6,)}
    i = {name: keras.Input(shape, name=name) for name, shape in shapes.items()}
    outputs = [
        layers.Add(name="add")([i["a"], i["b"]]),
        layers.Add(name="add_three")([i["a"], i["b"], i["c"]]),
        layers.Subtract(name="subtract")([i["a"], i["b"]]),
        layers.Multiply(name="multiply")([i["a"], i["c"]]),
        layers.Average(name="average")([i["a"], i["b"], i["a"]]),
        layers.Maximum(name="maximum")([i["a"], i["b"]]),
        layers.Minimum(name="minimum")([i["a"], i["b"], i["c"]]),
        layers.Concatenate(name="concatenate")([i["a"], i["d"]]),
        layers.Concatenate(axis=2, name="concatenate_columns")([i["a"], i["b"]]),
        layers.Concatenate(axis=1, name="concatenate_rows")([i["e"], i["f"]]),
        layers.Dot(axes=1, name="dot")([i["g"], i["h"]]),
        layers.Dot(axes=2, name="dot_rows")([i["e"], i["f"]]),
        layers.Dot(axes=(2, 2), normalize=True, name="dot_cosine")([i["e"], i["f"]]),
        layers.Dot(axes=(2, 1), name="dot_vector")([i["e"], i["g"]]),
        layers.Dot(axes=-1, normalize=True, name="cosine")([i["g"], i["h"]]),
    ]
    return keras.Model(list(i.values()), outputs, name="zoo")


@zoo()
def preprocessing(keras):
    layers = keras.layers
    x = keras.Input((9, 12, 3), name="x")
    variants = [
        layers.Rescaling(1 / 255, name="rescaling"),
        layers.Rescaling(2, offset=-1, name="rescaling_offset"),
        layers.Rescaling([1, 2, 4], offset=[0.5, 0, -1], name="rescaling_channels"),
        layers.CenterCrop(6, 7, name="crop"),
        layers.CenterCrop(5, 8, name="crop_odd"),
        layers.RandomFlip(name="flip"),
        layers.RandomRotation(0.1, name="rotation"),
        layers.RandomZoom(0.1, name="zoom"),
        layers.RandomTranslation(0.1, 0.1, name="translation"),
        layers.RandomContrast(0.1, name="contrast"),
        layers.RandomBrightness(0.1, name="brightness"),
        layers.Resizing(18, 24, name="up"),
        layers.Resizing(5, 7, name="down"),
        layers.Resizing(13, 5, interpolation="nearest", name="nearest"),
        layers.Resizing(6, 6, crop_to_aspect_ratio=True, name="cropped"),
    ]
    if not is_keras3(keras):
        variants += [
            layers.Resizing(3, 4, interpolation="area", name="area"),
            layers.Resizing(13, 7, interpolation="mitchellcubic", name="mitchell"),
            layers.Resizing(13, 7, interpolation="gaussian", name="gaussian"),
        ]
    variants += [
        layers.Resizing(13, 7, interpolation="bicubic", name="bicubic"),
        layers.Resizing(13, 7, interpolation="lanczos3", name="lanczos3"),
        layers.Resizing(13, 7, interpolation="lanczos5", name="lanczos5"),
        layers.RandomCrop(6, 6, name="random_crop"),
    ]
    return keras.Model(x, [layer(x) for layer in variants], name="zoo")


@zoo()
def bytes_as_input(keras):
    """Pixels as uint8, scaled inside."""
    layers = keras.layers
    x = keras.Input((8, 8, 3), name="x", dtype="uint8")
    y = layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(x)
    y = layers.Conv2D(4, 3, name="conv")(y)
    return keras.Model(x, layers.GlobalAveragePooling2D(name="vector")(y), name="zoo")


@zoo()
def any_size(keras):
    """Height and width known only at run time."""
    layers = keras.layers
    x = keras.Input((None, None, 3), name="x")
    y = layers.Conv2D(8, 3, padding="same", strides=2, activation="relu", name="conv")(x)
    z = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(y)
    y = layers.Add(name="sum")([y, z])
    y = layers.MaxPooling2D(3, strides=2, padding="same", name="max")(y)
    y = layers.UpSampling2D(2, name="up")(y)
    y = layers.Conv2DTranspose(4, 3, strides=2, padding="same", name="transposed")(y)
    y = layers.BatchNormalization(name="norm")(y)
    y = layers.LayerNormalization(name="layer_norm")(y)
    w = layers.Reshape((-1, 4), name="rows")(y)
    return keras.Model(x, [
        layers.GlobalAveragePooling2D(name="vector")(y),
        layers.GlobalMaxPooling1D(name="largest")(w),
        layers.Resizing(5, 6, name="resized")(y),
    ], name="zoo")


@zoo()
def attention(keras):
    layers = keras.layers
    q, v = keras.Input((5, 8), name="q"), keras.Input((7, 8), name="v")
    return keras.Model([q, v], [
        layers.MultiHeadAttention(2, 4, name="mha")(q, v),
        layers.MultiHeadAttention(2, 4, value_dim=3, use_bias=False, output_shape=6, name="mha_valued")(q, v),
        layers.Attention(name="attention")([q, v]),
        layers.Attention(use_scale=True, name="attention_scaled")([q, v]),
    ], name="zoo")


@zoo()
def shared_layers(keras):
    """One tower for two pictures, several inputs and outputs."""
    layers = keras.layers
    tower = keras.Sequential([
        keras.Input((8, 8, 3)),
        layers.Conv2D(4, 3, activation="relu", name="conv"),
        layers.BatchNormalization(name="norm"),
        layers.GlobalAveragePooling2D(name="vector"),
    ], name="tower")
    a, b = keras.Input((8, 8, 3), name="left"), keras.Input((8, 8, 3), name="right")
    shared = layers.Dense(4, name="shared")
    va, vb = shared(tower(a)), shared(tower(b))
    distance = layers.Subtract(name="distance")([va, vb])
    return keras.Model([a, b], [
        layers.Dense(1, activation="sigmoid", name="same")(distance),
        layers.Dense(3, activation="softmax", name="kind")(layers.Concatenate(name="both")([va, vb])),
        va,
    ], name="siamese")


@zoo()
def nested(keras):
    """Models three deep, with the same layer names at each depth, frozen in part."""
    layers = keras.layers

    def level(depth, x, name):
        i = keras.Input(x, name=f"in_{depth}")
        y = layers.Conv2D(4, 3, padding="same", name=f"conv_{depth}")(i)
        y = layers.BatchNormalization(name=f"norm_{depth}")(y)
        if depth < 3:
            y = level(depth + 1, y.shape[1:], f"level_{depth + 1}")(y)
        y = layers.Activation("relu", name=f"relu_{depth}")(y)
        return keras.Model(i, y, name=name)

    base = level(1, (8, 8, 3), "level_1")
    base.get_layer("level_2").trainable = False
    x = keras.Input((8, 8, 3), name="picture")
    y = layers.RandomFlip("horizontal", name="augmentation")(x)
    y = base(y, training=False)
    y = layers.Flatten(name="flatten")(y)
    return keras.Model(x, layers.Dense(5, name="logits")(y), name="outer")


@zoo()
def sequential_course(keras):
    """A user's own classifier: Sequential, augmentation first, a nested base, and no names given."""
    layers = keras.layers
    base = keras.Sequential([
        layers.Conv2D(8, 3, strides=2), layers.BatchNormalization(), layers.LeakyReLU(), layers.SeparableConv2D(8, 3),
    ], name="base")
    augment = keras.Sequential([layers.RandomFlip(), layers.RandomRotation(0.1)], name="augment")
    model = keras.Sequential([
        layers.Input((12, 12, 3)) if is_keras3(keras) else layers.InputLayer(input_shape=(12, 12, 3)),
        augment, layers.Rescaling(1 / 255), base, layers.MaxPooling2D(), layers.Flatten(), layers.Dropout(0.5),
        layers.Dense(6, activation="relu"), layers.Dense(4, activation="softmax"),
    ])
    model(np.zeros((1, 12, 12, 3), np.float32))
    return model


@zoo()
def sequential_deferred(keras):
    """No input layer: the shape is known from the first call only."""
    layers = keras.layers
    model = keras.Sequential([layers.Conv2D(4, 3), layers.ReLU(), layers.Flatten(), layers.Dense(3)], name="deferred")
    model(np.zeros((1, 8, 8, 3), np.float32))
    return model


@zoo()
def named_outputs(keras):
    """Inputs and outputs as a mapping, in an order of their own."""
    layers = keras.layers
    b, a = keras.Input((4,), name="b_in"), keras.Input((5,), name="a_in")
    both = layers.Concatenate(name="both")([b, a])
    return keras.Model(
        {"b_in": b, "a_in": a},
        {"zeta": layers.Dense(2, name="first")(both), "alpha": layers.Dense(3, name="second")(both)},
        name="mapped",
    )


@zoo(only=2)
def tensorflow_operations(keras):
    """Operators on symbolic tensors in Keras 2: TFOpLambda and SlicingOpLambda."""
    import tensorflow as tf

    layers = keras.layers
    x = keras.Input((6, 8, 4), name="x")
    y = layers.Conv2D(4, 1, name="conv")(x)
    half = tf.constant([0.5, 1, 1.5, 2])
    results = [
        x + y, x - 1.0, 1.0 - x, x * 2.0, x / 4.0, 2.0 / (y + 8.0), -x, abs(x), x**2.0, x + half,
        tf.nn.relu(x), tf.nn.relu6(x * 8.0), tf.nn.sigmoid(x), tf.nn.softmax(x), tf.nn.gelu(x), tf.nn.silu(x),
        tf.nn.leaky_relu(x, alpha=0.3), tf.nn.elu(x), tf.tanh(x), tf.exp(x), tf.sqrt(abs(x)), tf.math.log(abs(x) + 1.0),
        tf.square(x), tf.math.rsqrt(abs(x) + 1.0), tf.maximum(x, y), tf.minimum(x, 0.25), tf.clip_by_value(x, -0.5, 0.5),
        tf.reduce_mean(x, axis=[1, 2]), tf.reduce_sum(x, axis=-1, keepdims=True), tf.reduce_max(x, axis=1),
        tf.concat([x, y], axis=-1), tf.reshape(x, [-1, 48, 4]), tf.transpose(x, [0, 3, 1, 2]),
        tf.expand_dims(x, 1), tf.squeeze(x[:, :1], axis=1), x[:, 1:5, ::2, 1], x[..., :2] if is_keras3(keras) else x[:, :, :, :2], x[:, 0],
        tf.pad(x, [[0, 0], [1, 1], [2, 0], [0, 0]]), tf.cast(tf.cast(x, tf.float32), tf.float32),
        tf.nn.max_pool2d(x, 2, 2, "VALID"), tf.nn.avg_pool2d(x, 2, 2, "SAME"), tf.image.resize(x, (3, 4)),
        tf.nn.l2_normalize(x, axis=-1), tf.stack([x, y], axis=1), tf.nn.depth_to_space(x, 2), tf.nn.space_to_depth(x, 2),
        tf.math.add_n([x, y, x]),
        tf.split(x, 2, axis=-1)[1], tf.math.divide(x, 2.0), tf.matmul(x, y, transpose_b=True),
    ]
    return keras.Model(x, results, name="zoo")


@zoo(only=3)
def keras_operations(keras):
    """Operators on symbolic tensors in Keras 3: operation nodes."""
    ops = keras.ops
    layers = keras.layers
    x = keras.Input((6, 8, 4), name="x")
    y = layers.Conv2D(4, 1, name="conv")(x)
    results = [
        x + y, x - 1.0, 1.0 - x, x * 2.0, x / 4.0, 2.0 / (y + 8.0), -x, abs(x), x**2.0, x + np.float32([0.5, 1, 1.5, 2]),
        ops.relu(x), ops.relu6(x * 8.0), ops.sigmoid(x), ops.softmax(x), ops.softmax(x, axis=1), ops.gelu(x),
        ops.gelu(x, approximate=False), ops.silu(x), ops.leaky_relu(x, 0.3), ops.elu(x, 0.5), ops.tanh(x), ops.exp(x),
        ops.sqrt(abs(x)), ops.log(abs(x) + 1.0), ops.square(x), ops.rsqrt(abs(x) + 1.0), ops.maximum(x, y),
        ops.minimum(x, 0.25), ops.clip(x, -0.5, 0.5), ops.mean(x, axis=[1, 2]), ops.sum(x, axis=-1, keepdims=True),
        ops.max(x, axis=1), ops.concatenate([x, y], axis=-1), ops.reshape(x, (-1, 48, 4)), ops.transpose(x, (0, 3, 1, 2)),
        ops.expand_dims(x, 1), ops.squeeze(x[:, :1], axis=1), x[:, 1:5, ::2, 1], x[..., :2] if is_keras3(keras) else x[:, :, :, :2], x[:, 0],
        ops.pad(x, [[0, 0], [1, 1], [2, 0], [0, 0]]), ops.cast(x, "float32"), ops.max_pool(x, 2),
        ops.average_pool(x, 2, padding="same"), ops.image.resize(x, (3, 4)), ops.normalize(x, axis=-1),
        ops.stack([x, y], axis=1), ops.split(x, 2, axis=-1)[1], ops.divide(x, 2.0),
        ops.matmul(x, ops.transpose(y, (0, 1, 3, 2))), ops.hard_sigmoid(x), ops.hard_silu(x), ops.log_softmax(x),
        ops.swapaxes(x, 1, 2), ops.flip(x, axis=1), ops.repeat(x, 2, axis=1), ops.moveaxis(x, 1, 3), ops.min(x, axis=[1, 3]),
    ]
    return keras.Model(x, results, name="zoo")


@zoo()
def half_precision(keras):
    """Trained under mixed_float16: weights are float32; the outputs are compared with those of float32."""
    layers = keras.layers
    x = keras.Input((8, 8, 3), name="x")
    y = layers.Conv2D(4, 3, activation="relu", name="conv", dtype="mixed_float16")(x)
    y = layers.BatchNormalization(name="norm", dtype="mixed_float16")(y)
    y = layers.GlobalAveragePooling2D(name="vector", dtype="mixed_float16")(y)
    return keras.Model(x, layers.Dense(3, name="logits", dtype="float32")(y), name="zoo")


@zoo(only=3)
def stored_in_halves(keras):
    """Weights of float16 and bfloat16; compared with the same weights in float32."""
    layers = keras.layers
    x = keras.Input((8, 8, 3), name="x")
    y = layers.Conv2D(4, 3, activation="relu", name="conv", dtype="float16")(x)
    y = layers.Conv2D(4, 3, name="brain", dtype="bfloat16")(y)
    y = layers.GlobalAveragePooling2D(name="vector", dtype="float32")(y)
    return keras.Model(x, layers.Dense(3, name="logits", dtype="float32")(y), name="zoo")


def zoo_inputs(model) -> dict[str, np.ndarray]:
    """Two rows for each input, by its name; where the size is free, 10 x 13."""
    try:
        tensors = [(tensor.name.split(":")[0], tensor.shape, str(tensor.dtype)) for tensor in model.inputs]
    except (AttributeError, TypeError):  # a Sequential that was built by its first call
        tensors = [("x", model.input_shape, "float32")]
    rng = np.random.default_rng(len(tensors))
    inputs = {}
    for name, shape, dtype in tensors:
        sizes = [2] + [size or (10 if axis == 1 else 13) for axis, size in enumerate(shape) if axis]
        if "uint8" in dtype:
            inputs[name] = rng.integers(0, 256, sizes).astype(np.uint8)
        else:
            inputs[name] = (np.round(rng.normal(size=sizes) * 32) / 32).astype(np.float32)
    return inputs


def zoo_model(keras, name: str):
    keras.backend.clear_session()
    model = ZOO[name][0](keras)
    adapted = {
        variable.path if is_keras3(keras) else variable.name: np.array(variable)
        for layer in model.layers if layer.__class__.__name__ == "Normalization" for variable in layer.weights
    }
    fill_weights(keras, model, seed=7)
    for layer in model.layers:
        if layer.__class__.__name__ == "Normalization":
            for variable in layer.weights:
                variable.assign(adapted[variable.path if is_keras3(keras) else variable.name])
            layer.finalize_state()
    return model, zoo_inputs(model)
