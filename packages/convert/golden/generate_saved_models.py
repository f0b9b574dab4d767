"""Writes saved-models-tf/: SavedModels that no Keras model covers, and what TensorFlow answers to them.

Run with the versions of requirements-saved-models.txt:

    python generate_saved_models.py

`operators` holds one signature per case: an operator in one of its variants. The others are whole models in forms
that TensorFlow has had: variables partitioned, frozen graphs, conditions of TensorFlow 1, parsed examples.
Each folder's files are gzipped; cases.json.gz holds inputs and outputs. Weights and inputs are seeded and of few
distinct values, so that they compress.
"""

import gzip
import json
import os
import shutil
import sys
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import numpy as np
import tensorflow as tf

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.path.join(HERE, "saved-models-tf")
RANDOM = np.random.RandomState(7)


def values(*shape, low=-128, high=128):
    """Multiples of 1/64: exact in float32, and small when compressed."""
    return (RANDOM.randint(low, high, size=shape) / 64).astype(np.float32)


def positive(*shape):
    return values(*shape, low=8)


def tensor(array):
    array = np.asarray(array)
    if array.dtype == object or array.dtype.kind in "SU":
        flat = [x.decode() if isinstance(x, bytes) else str(x) for x in array.reshape(-1)]
        return {"dtype": "string", "shape": list(array.shape), "data": flat}
    flat = array.reshape(-1).tolist()
    data = [x if not isinstance(x, float) or np.isfinite(x) else str(x) for x in flat]
    return {"dtype": str(array.dtype), "shape": list(array.shape), "data": data}


CASES = {}


def case(name, function, *inputs, shapes=None, tolerance=None):
    """One signature. `shapes` states the signature's shapes where they are not those of the inputs."""
    assert name not in CASES, name
    CASES[name] = (function, [np.asarray(x) for x in inputs], shapes, tolerance)


def operator_cases():
    x = values(2, 6, 5, 3)
    unknown = [None, 6, 5, 3]
    any_size = [None, None, None, 3]
    flat = values(2, 7)

    # Elementwise, one tensor.
    for op in ["relu", "relu6", "elu", "selu", "sigmoid", "tanh", "softplus", "softsign", "softmax", "log_softmax"]:
        case(f"nn_{op}", getattr(tf.nn, op), flat, shapes=[[None, 7]])
    case("leaky_relu", lambda a: tf.nn.leaky_relu(a, 0.1), flat)
    case("leaky_relu_default", tf.nn.leaky_relu, flat)
    case("gelu", lambda a: tf.nn.gelu(a, approximate=False), flat)
    case("gelu_tanh", lambda a: tf.nn.gelu(a, approximate=True), flat)
    case("swish", tf.nn.swish, flat)
    for op in ["abs", "negative", "sign", "floor", "ceil", "round", "square", "exp", "expm1", "sin", "cos", "tan", "atan", "sinh", "cosh", "asinh"]:
        case(f"math_{op}", getattr(tf.math, op), flat)
    case("math_erf", tf.math.erf, flat)
    case("math_erfc", tf.math.erfc, flat)
    for op in ["sqrt", "rsqrt", "log", "log1p", "reciprocal"]:
        case(f"math_{op}", getattr(tf.math, op), positive(2, 7))
    case("math_rint", tf.math.rint, np.float32([[0.5, 1.5, 2.5, -0.5, -1.5]]))
    case("is_finite", tf.math.is_finite, np.float32([1, np.inf, -np.inf, np.nan]))
    case("is_nan", tf.math.is_nan, np.float32([1, np.inf, np.nan]))
    case("is_inf", tf.math.is_inf, np.float32([1, np.inf, -np.inf, np.nan]))
    case("ones_like", lambda a: tf.ones_like(a) + a, flat, shapes=[[None, None]])
    case("zeros_like", lambda a: tf.zeros_like(a) - a, flat, shapes=[[None, 7]])
    case("clip", lambda a: tf.clip_by_value(a, -0.5, 0.75), flat)
    for to in ["int32", "int64", "float64", "bool", "uint8", "int8"]:
        case(f"cast_{to}", lambda a, to=to: tf.cast(a, to), positive(2, 3))
    case("cast_from_uint8", lambda a: tf.cast(a, "float32") / 255.0, np.uint8([[0, 7, 255]]))
    case("logical_not", tf.logical_not, np.array([True, False]))

    # Elementwise, two tensors.
    row, column = values(1, 7), values(2, 1)
    for op in ["add", "subtract", "multiply", "maximum", "minimum", "squared_difference", "equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]:
        case(f"math_{op}", getattr(tf.math, op), np.round(column), np.round(row))
    case("real_div", tf.math.divide, column, positive(1, 7))
    case("div_no_nan", tf.math.divide_no_nan, np.float32([1, 2, 0]), np.float32([0, 4, 0]))
    case("multiply_no_nan", tf.math.multiply_no_nan, np.float32([1, np.inf, 3]), np.float32([2, 0, 0]))
    case("xdivy", tf.math.xdivy, np.float32([0, 2, 3]), np.float32([0, 4, 2]))
    case("xlogy", tf.math.xlogy, np.float32([0, 2, 3]), np.float32([0, 4, 2]))
    case("pow", tf.math.pow, positive(2, 3), np.float32([[2, 0.5, -1]]))
    ints = np.int32([7, -7, 8, -8, 3])
    case("floor_div_int", lambda a, b: a // b, ints, np.int32([2, 2, -3, 3, -5]))
    case("floor_mod_int", lambda a, b: a % b, ints, np.int32([2, 2, -3, 3, -5]))
    case("truncate_div", tf.truncatediv, ints, np.int32([2, 2, -3, 3, -5]))
    case("truncate_mod", tf.truncatemod, ints, np.int32([2, 2, -3, 3, -5]))
    case("floor_div_float", lambda a, b: a // b, np.float32([7, -7, 8]), np.float32([2, 2, -3]))
    case("floor_mod_float", lambda a, b: a % b, np.float32([7, -7, 8]), np.float32([2, 2, -3]))
    booleans = np.array([True, True, False, False]), np.array([True, False, True, False])
    case("logical_and", tf.logical_and, *booleans)
    case("logical_or", tf.logical_or, *booleans)
    case("logical_xor", tf.math.logical_xor, *booleans)
    case("add_n", lambda a, b: tf.add_n([a, b, a]), flat, flat * 2)
    case("bias_add", lambda a: tf.nn.bias_add(a, values(3)), x)
    case("bias_add_nchw", lambda a: tf.nn.bias_add(a, values(3), data_format="NCHW"), values(2, 3, 4, 5))
    case("add_channels", lambda a: a + values(3), x, shapes=[unknown])

    # Convolutions.
    for padding in ["SAME", "VALID"]:
        for stride in [1, 2, 3]:
            name = f"{padding.lower()}_{stride}"
            kernel = values(3, 2, 3, 4)
            case(f"conv2d_{name}", lambda a, k=kernel, s=stride, p=padding: tf.nn.conv2d(a, k, s, p), x, shapes=[unknown])
            case(f"conv2d_any_{name}", lambda a, k=kernel, s=stride, p=padding: tf.nn.conv2d(a, k, s, p), x, shapes=[any_size])
            depth = values(3, 3, 3, 2)
            case(f"depthwise_{name}", lambda a, k=depth, s=stride, p=padding: tf.nn.depthwise_conv2d(a, k, [1, s, s, 1], p), x, shapes=[unknown])
            for pool in ["max", "avg"]:
                function = getattr(tf.nn, f"{pool}_pool2d")
                case(f"{pool}_pool_{name}", lambda a, f=function, s=stride, p=padding: f(a, 3, s, p), x, shapes=[unknown])
                case(f"{pool}_pool_any_{name}", lambda a, f=function, s=stride, p=padding: f(a, [3, 2], s, p), x, shapes=[any_size])
    case("conv2d_explicit", lambda a: tf.nn.conv2d(a, values(3, 3, 3, 2), 2, [[0, 0], [2, 1], [0, 3], [0, 0]]), x, shapes=[unknown])
    case("conv2d_dilated", lambda a: tf.nn.conv2d(a, values(3, 3, 3, 2), 1, "SAME", dilations=2), x, shapes=[any_size])
    case("conv2d_grouped", lambda a: tf.nn.conv2d(a, values(3, 3, 2, 6), 1, "SAME"), values(1, 5, 5, 6))
    case("conv2d_bias_relu", lambda a: tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(a, values(3, 3, 3, 4), 1, "SAME"), values(4))), x)
    case("conv2d_rectangular", lambda a: tf.nn.conv2d(a, values(1, 5, 3, 2), [1, 1, 2, 1], "SAME"), x, shapes=[unknown])
    case("conv2d_kernel_fed", lambda a, k: tf.nn.conv2d(a, k, 1, "SAME"), x, values(3, 3, 3, 2))
    case("conv1d", lambda a: tf.nn.conv1d(a, values(3, 4, 2), 2, "SAME"), values(2, 9, 4), shapes=[[None, 9, 4]])
    case("conv3d", lambda a: tf.nn.conv3d(a, values(2, 3, 3, 2, 3), [1, 1, 2, 1, 1], "SAME"), values(1, 4, 5, 6, 2), shapes=[[None, 4, 5, 6, 2]])
    case("max_pool3d", lambda a: tf.nn.max_pool3d(a, 2, 2, "VALID"), values(1, 4, 5, 6, 2))
    case("avg_pool3d", lambda a: tf.nn.avg_pool3d(a, 2, 2, "SAME"), values(1, 4, 5, 6, 2))
    case("separable", lambda a: tf.nn.separable_conv2d(a, values(3, 3, 3, 2), values(1, 1, 6, 4), [1, 1, 1, 1], "SAME"), x)

    def old_dilation(a):
        padded = tf.raw_ops.SpaceToBatchND(input=a, block_shape=[2, 2], paddings=[[2, 2], [2, 3]])
        convolved = tf.nn.conv2d(padded, values(3, 3, 3, 2), 1, "VALID")
        return tf.raw_ops.BatchToSpaceND(input=convolved, block_shape=[2, 2], crops=[[0, 0], [0, 1]])

    case("space_to_batch_dilation", old_dilation, x, shapes=[unknown])
    case("space_to_batch", lambda a: tf.space_to_batch(a, [2, 2], [[1, 1], [0, 1]]), x, shapes=[unknown])
    case("batch_to_space", lambda a: tf.batch_to_space(a, [2, 2], [[0, 1], [1, 0]]), values(8, 3, 4, 2))
    for padding in ["SAME", "VALID"]:
        for stride, size in [(1, 3), (2, 3), (2, 2), (3, 2), (2, 5)]:
            length = lambda n, s=stride, k=size, p=padding: n * s if p == "SAME" else n * s + max(k - s, 0)
            name = f"{padding.lower()}_{stride}_{size}"
            kernel = values(size, size, 2, 3)
            case(
                f"transposed_{name}",
                lambda a, k=kernel, l=length, s=stride, p=padding: tf.nn.conv2d_transpose(a, k, tf.stack([tf.shape(a)[0], l(6), l(5), 2]), s, p),
                x,
                shapes=[unknown],
            )
            case(
                f"transposed_any_{name}",
                lambda a, k=kernel, l=length, s=stride, p=padding: tf.nn.conv2d_transpose(
                    a, k, tf.stack([tf.shape(a)[0], l(tf.shape(a)[1]), l(tf.shape(a)[2]), 2]), s, p
                ),
                x,
                shapes=[any_size],
            )
    case("transposed_odd", lambda a: tf.nn.conv2d_transpose(a, values(3, 3, 2, 3), [2, 11, 9, 2], 2, "SAME"), x)
    case("transposed_3d", lambda a: tf.nn.conv3d_transpose(a, values(3, 3, 3, 2, 2), [1, 6, 8, 8, 2], 2, "SAME"), values(1, 3, 4, 4, 2))

    # Normalisation.
    scale, offset, mean, variance = positive(3), values(3), values(3), positive(3)
    for version in ["FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"]:
        raw = getattr(tf.raw_ops, version)
        case(version, lambda a, raw=raw: raw(x=a, scale=scale, offset=offset, mean=mean, variance=variance, epsilon=0.01, is_training=False)[0], x, shapes=[any_size])
    case("fused_batch_norm_training", lambda a: tf.raw_ops.FusedBatchNormV3(x=a, scale=scale, offset=offset, mean=[], variance=[], epsilon=0.01)[0], x)
    case("batch_normalization", lambda a: tf.nn.batch_normalization(a, mean, variance, offset, scale, 0.001), x, shapes=[any_size])
    case("batch_normalization_unscaled", lambda a: tf.nn.batch_normalization(a, mean, variance, offset, None, 0.001), x)
    case("batch_normalization_rank_2", lambda a: tf.nn.batch_normalization(a, values(7), positive(7), values(7), positive(7), 0.001), flat)
    case("conv_batch_norm", lambda a: tf.nn.batch_normalization(tf.nn.conv2d(a, values(3, 3, 3, 3), 1, "SAME"), mean, variance, offset, scale, 0.001), x, shapes=[any_size])
    case("l2_normalize", lambda a: tf.math.l2_normalize(a, axis=-1), flat)
    case("moments", lambda a: tf.stack(tf.nn.moments(a, [1, 2])), x)
    case("lrn", lambda a: tf.nn.local_response_normalization(a, 2, 1.0, 0.5, 0.75), x)
    case("layer_norm", lambda a: (a - tf.reduce_mean(a, -1, keepdims=True)) * tf.math.rsqrt(tf.math.reduce_variance(a, -1, keepdims=True) + 1e-3), x, shapes=[any_size])

    def group_norm(a):
        shape = tf.shape(a)
        groups = tf.reshape(a, [shape[0], shape[1], shape[2], 2, 2])
        mean, variance = tf.nn.moments(groups, [1, 2, 4], keepdims=True)
        return tf.reshape((groups - mean) * tf.math.rsqrt(variance + 1e-3), shape)

    case("group_norm", group_norm, values(2, 3, 5, 4), shapes=[[None, None, None, 4]])

    # Shapes.
    case("flatten", lambda a: tf.reshape(a, [tf.shape(a)[0], -1]), x, shapes=[unknown])
    case("flatten_any", lambda a: tf.reshape(a, [tf.shape(a)[0], -1]), x, shapes=[any_size])
    case("flatten_product", lambda a: tf.reshape(a, tf.stack([tf.shape(a)[0], tf.reduce_prod(tf.shape(a)[1:])])), x, shapes=[unknown])
    case("flatten_product_any", lambda a: tf.reshape(a, tf.stack([tf.shape(a)[0], tf.reduce_prod(tf.shape(a)[1:])])), x, shapes=[any_size])
    case("reshape_constant", lambda a: tf.reshape(a, [-1, 15, 6]), x, shapes=[unknown])
    case("reshape_pixels", lambda a: tf.reshape(a, [-1, tf.shape(a)[1] * tf.shape(a)[2], 3]), x, shapes=[any_size])
    case("reshape_like", lambda a, b: tf.reshape(a, tf.shape(b)), values(6, 4), values(3, 8), shapes=[[None, None], [None, None]])
    case("reshape_empty", lambda a: tf.reshape(a, [0, 4]), np.zeros([4, 0], np.float32))
    case("expand_dims", lambda a: tf.expand_dims(a, 1), flat)
    case("expand_dims_last", lambda a: tf.expand_dims(a, -1), flat)
    case("squeeze", lambda a: tf.squeeze(a, [1, -1]), values(2, 1, 3, 1), shapes=[[None, 1, 3, 1]])
    case("squeeze_all", tf.squeeze, values(2, 1, 3, 1))
    case("transpose", lambda a: tf.transpose(a, [0, 3, 1, 2]), x, shapes=[any_size])
    case("transpose_reversed", tf.transpose, values(2, 3, 4))
    case("concat", lambda a, b: tf.concat([a, b, a], -1), x, values(2, 6, 5, 1))
    case("concat_batch", lambda a, b: tf.concat([a, b], 0), flat, flat, shapes=[[None, 7], [None, 7]])
    case("stack", lambda a, b: tf.stack([a, b], 1), flat, flat * 2)
    case("stack_last", lambda a, b: tf.stack([a, b], -1), flat, flat * 2)
    case("unstack", lambda a: tf.add_n(tf.unstack(a, axis=1)), flat)
    case("split", lambda a: tf.split(a, 3, -1)[1], values(2, 6), shapes=[[None, 6]])
    case("split_sizes", lambda a: tf.split(a, [1, -1, 2], 1)[1], values(2, 6), shapes=[[None, 6]])
    case("tile", lambda a: tf.tile(a, [1, 3]), flat, shapes=[[None, 7]])
    case("tile_any", lambda a: tf.tile(a[:1], [tf.shape(a)[0], 1]), flat, shapes=[[None, 7]])
    case("fill", lambda a: a + tf.fill([tf.shape(a)[0], 7], 0.5), flat, shapes=[[None, 7]])
    case("broadcast_to", lambda a: tf.broadcast_to(a, [3, 2, 7]), flat)
    case("range", lambda a: tf.cast(tf.range(tf.shape(a)[0]), "float32"), flat, shapes=[[None, 7]])
    case("range_constant", lambda a: a + tf.cast(tf.range(0, 14, 2), "float32"), flat)
    case("rank_and_size", lambda a: tf.cast(tf.rank(a) + tf.size(a), "float32") + a, flat, shapes=[[None, 7]])
    case("shape_output", lambda a: tf.shape(a), flat, shapes=[[None, None]])
    case("shape_int64", lambda a: tf.shape(a, out_type="int64"), flat, shapes=[[None, 7]])
    case("identity", lambda a: tf.identity_n([a, a])[1], flat)
    case("passes_through", lambda a: a, flat)

    # Slices and pads.
    slices = {
        "simple": lambda a: a[:, 1:4],
        "negative": lambda a: a[:, -3:-1],
        "strided": lambda a: a[:, ::2, 1::2],
        "backwards": lambda a: a[:, ::-1, 4:1:-1],
        "index": lambda a: a[:, 2],
        "last": lambda a: a[..., -1],
        "ellipsis": lambda a: a[..., 1:2, :],
        "new_axis": lambda a: a[:, tf.newaxis, :, 0],
        "new_axis_ellipsis": lambda a: a[..., tf.newaxis],
        "crop": lambda a: a[:, : tf.shape(a)[1] - 1, 1 : tf.shape(a)[2]],
        "empty": lambda a: a[:, 3:3],
        "beyond": lambda a: a[:, 1:100],
    }
    for name, function in slices.items():
        case(f"slice_{name}", function, x, shapes=[unknown])
        case(f"slice_any_{name}", function, x, shapes=[any_size])
    case("slice_begin_size", lambda a: tf.slice(a, [0, 1, 0, 1], [-1, 2, 3, -1]), x, shapes=[any_size])
    case("slice_sizes_computed", lambda a: tf.slice(a, [0, 0, 0, 0], tf.stack([tf.shape(a)[0], tf.shape(a)[1] - 1, 2, 3])), x, shapes=[any_size])
    case("slice_begin_computed", lambda a: tf.slice(a, tf.stack([0, tf.shape(a)[1] - 2, 0, 0]), [1, 2, 2, 3]), x, shapes=[any_size])
    case("pad", lambda a: tf.pad(a, [[0, 0], [1, 2], [3, 0], [0, 0]]), x, shapes=[any_size])
    case("pad_value", lambda a: tf.pad(a, [[0, 0], [1, 2], [3, 0], [0, 0]], constant_values=-1.5), x)
    case("pad_reflect", lambda a: tf.pad(a, [[0, 0], [1, 2], [3, 0], [0, 0]], "REFLECT"), x)
    case("pad_symmetric", lambda a: tf.pad(a, [[0, 0], [1, 1], [1, 0], [0, 0]], "SYMMETRIC"), x)
    case("pad_computed", lambda a: tf.pad(a, tf.stack([[0, 0], tf.stack([0, tf.shape(a)[1] // 2])])), flat, shapes=[[None, None]])
    case("reverse", lambda a: tf.reverse(a, [1, -1]), x)

    # Reductions.
    for op in ["mean", "sum", "max", "min", "prod", "euclidean_norm"]:
        function = getattr(tf, f"reduce_{op}", None) or getattr(tf.math, f"reduce_{op}")
        case(f"reduce_{op}", lambda a, f=function: f(a, [1, 2]), x / 2, shapes=[any_size])
        case(f"reduce_{op}_keep", lambda a, f=function: f(a, -1, keepdims=True), x / 2, shapes=[unknown])
        case(f"reduce_{op}_all", lambda a, f=function: f(a), flat)
        case(f"reduce_{op}_none", lambda a, f=function: f(a, []), flat)
    case("reduce_all", lambda a: tf.reduce_all(a > -0.5, -1), flat)
    case("reduce_any", lambda a: tf.reduce_any(a > 1.2, -1), flat)
    case("reduce_sum_int", lambda a: tf.reduce_sum(a, 1), np.int32([[1, 2], [3, 4]]))
    case("argmax", lambda a: tf.argmax(a, -1), flat)
    case("argmax_int32", lambda a: tf.argmax(a, 1, output_type="int32"), x)
    case("argmin", lambda a: tf.argmin(a, 0), flat)
    case("top_k", lambda a: tf.math.top_k(a, 3)[0], flat, shapes=[[None, 7]])
    case("top_k_indices", lambda a: tf.math.top_k(a, 3)[1], np.float32([[3, 1, 2, 5, 4]]))
    case("l2_loss", tf.nn.l2_loss, flat)
    case("cumsum", lambda a: tf.cumsum(a, 1, exclusive=True, reverse=True), flat)
    case("logsumexp", lambda a: tf.reduce_logsumexp(a, -1), flat)

    # Matrices.
    case("matmul", lambda a: tf.matmul(a, values(7, 4)), flat, shapes=[[None, 7]])
    case("matmul_transposed", lambda a: tf.matmul(a, values(4, 7), transpose_b=True), flat)
    case("matmul_both", lambda a, b: tf.matmul(a, b, transpose_a=True, transpose_b=True), values(3, 2), values(4, 3))
    case("matmul_batch", tf.matmul, values(2, 3, 4), values(2, 4, 5))
    case("matmul_batch_adjoint", lambda a, b: tf.matmul(a, b, adjoint_b=True), values(2, 3, 4), values(2, 5, 4))
    case("matmul_broadcast", lambda a: tf.matmul(a, values(4, 5)), values(2, 3, 4), shapes=[[None, None, 4]])
    case("tensordot", lambda a: tf.tensordot(a, values(3, 4), 1), x, shapes=[any_size])
    case("einsum", lambda a, b: tf.einsum("bij,bjk->bik", a, b), values(2, 3, 4), values(2, 4, 5))
    case("einsum_heads", lambda a: tf.einsum("abc,cde->abde", a, values(4, 2, 3)), values(2, 3, 4), shapes=[[None, None, 4]])

    # Selection.
    case("gather", lambda a: tf.gather(a, [2, 0, 5], axis=1), flat)
    case("gather_rows", lambda i: tf.gather(values(5, 3), i), np.int32([[0, 4], [2, 2]]))
    case("gather_scalar", lambda a: tf.gather(a, 3, axis=1), flat)
    case("gather_nd", lambda a: tf.gather_nd(a, [[0, 1], [1, 6]]), flat)
    case("where", lambda a: tf.where(a > 0, a, a * 0.1), flat, shapes=[[None, 7]])
    case("where_broadcast", lambda a: tf.where([[True], [False]], a, 0.0), flat)
    case("where_coordinates", lambda a: tf.where(a > 0.5), flat)
    case("select_rows", lambda a: tf.raw_ops.Select(condition=[True, False], x=a, y=-a), flat)
    case("one_hot", lambda i: tf.one_hot(i, 5), np.int32([0, 3, 4]))
    case("one_hot_axis", lambda i: tf.one_hot(i, 5, on_value=2.0, off_value=-1.0, axis=0), np.int64([[0, 3], [4, 1]]))

    # Pictures.
    for method in ["bilinear", "nearest", "bicubic"]:
        for name, size in [("up", [12, 10]), ("odd", [7, 9]), ("down", [3, 2])]:
            case(f"resize_{method}_{name}", lambda a, m=method, s=size: tf.image.resize(a, s, m), x, shapes=[unknown])
            case(f"resize_{method}_{name}_any", lambda a, m=method, s=size: tf.image.resize(a, s, m), x, shapes=[any_size])
            for corners in [False, True]:
                raw = {"bilinear": tf.raw_ops.ResizeBilinear, "nearest": tf.raw_ops.ResizeNearestNeighbor, "bicubic": tf.raw_ops.ResizeBicubic}[method]
                suffix = "corners" if corners else "legacy"
                case(f"resize_{method}_{name}_{suffix}", lambda a, r=raw, s=size, c=corners: r(images=a, size=s, align_corners=c), x)
    case("resize_twice", lambda a: tf.image.resize(a, [2 * tf.shape(a)[1], 2 * tf.shape(a)[2]], "nearest"), x, shapes=[any_size])
    case("resize_uint8", lambda a: tf.image.resize(a, [4, 4]), np.uint8(RANDOM.randint(0, 255, [1, 6, 5, 3])))
    case("resize_area", lambda a: tf.image.resize(a, [3, 2], "area"), values(1, 6, 8, 3))
    case("resize_antialias", lambda a: tf.image.resize(a, [4, 4], antialias=True), values(1, 16, 12, 3))
    case("resize_antialias_up", lambda a: tf.image.resize(a, [9, 7], antialias=True), x)
    case("resize_antialias_bicubic", lambda a: tf.image.resize(a, [4, 4], "bicubic", antialias=True), values(1, 16, 12, 3))
    case("depth_to_space", lambda a: tf.nn.depth_to_space(a, 2), values(2, 3, 4, 8), shapes=[[None, 3, 4, 8]])
    case("space_to_depth", lambda a: tf.nn.space_to_depth(a, 2), values(2, 4, 6, 3), shapes=[[None, None, None, 3]])
    case("normalise_picture", lambda a: (tf.cast(a, "float32") - [123.0, 117.0, 104.0]) / 58.0, np.uint8(RANDOM.randint(0, 255, [1, 4, 5, 3])), shapes=[[None, None, None, 3]])


class Operators(tf.Module):
    pass


def write_operators():
    operator_cases()
    module = Operators()
    signatures, answers = {}, {}
    for name, (function, inputs, shapes, tolerance) in CASES.items():
        names = "abcdef"[: len(inputs)]
        shapes = shapes or [list(array.shape) for array in inputs]
        specs = [tf.TensorSpec(shape, array.dtype, name=alias) for shape, array, alias in zip(shapes, inputs, names)]
        traced = tf.function(lambda *args, f=function: {"y": f(*args)}, input_signature=specs)
        signatures[name] = traced.get_concrete_function()
    folder = tempfile.mkdtemp()
    tf.saved_model.save(module, folder, signatures=signatures)
    loaded = tf.saved_model.load(folder)
    for name, (_, inputs, _, tolerance) in CASES.items():
        names = list(loaded.signatures[name].structured_input_signature[1])
        feeds = {alias: tf.constant(array) for alias, array in zip(sorted(names), inputs)}
        answer = loaded.signatures[name](**feeds)["y"].numpy()
        assert answer.size == 0 or np.isfinite(answer.astype(np.float64)).any(), name
        answers[name] = [{"inputs": {alias: tensor(array) for alias, array in zip(sorted(names), inputs)}, "outputs": {"y": tensor(answer)}}]
    pack("operators", folder, answers)


def pack(name, folder, answers):
    target = os.path.join(TARGET, name)
    for root, _, files in os.walk(folder):
        for file in files:
            if file == "fingerprint.pb":
                continue
            source = os.path.join(root, file)
            out = os.path.join(target, os.path.relpath(source, folder) + ".gz")
            os.makedirs(os.path.dirname(out), exist_ok=True)
            with open(source, "rb") as stream:
                zipped(out, stream.read())
    zipped(os.path.join(target, "cases.json.gz"), json.dumps(answers, separators=(",", ":")).encode())
    shutil.rmtree(folder)


def zipped(path, content):
    with open(path, "wb") as out, gzip.GzipFile("", "wb", 9, out, mtime=0) as stream:
        stream.write(content)


MODELS = {"operators": write_operators}

if __name__ == "__main__":
    for model in sys.argv[1:] or MODELS:
        shutil.rmtree(os.path.join(TARGET, model), ignore_errors=True)
        MODELS[model]()
