"""Writes saved-models-tf/: SavedModels that no Keras model covers, and what TensorFlow answers to them.

Run with the versions of requirements-saved-models.txt:

    python generate_saved_models.py

`operators` holds one signature per case: an operator in one of its variants. The others are whole models in forms
that TensorFlow has had: variables partitioned, frozen graphs, conditions of TensorFlow 1, parsed examples.
Each folder's files are compressed by Brotli; cases.json.br holds inputs and outputs. Weights and inputs are seeded and of few
distinct values, so that they compress.
"""

import json
import os
import shutil
import sys
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import brotli
import cramjam
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
        flat = [x.decode("latin-1") if isinstance(x, bytes) else str(x) for x in array.reshape(-1)]
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
    case("conv2d_nhwc_plus_row", lambda a: tf.nn.conv2d(a, values(1, 1, 3, 5), 1, "SAME") + values(5, 1), values(1, 5, 5, 3))
    case("conv2d_bias_shared", lambda a: (lambda y: (y + values(4)) * tf.reduce_mean(y))(tf.nn.conv2d(a, values(3, 3, 3, 4), 1, "SAME")), x)
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
    case("one_hot_outside", lambda i: tf.one_hot(i, 3), np.int32([-1, 0, 3, -3, 2]))
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


v1 = tf.compat.v1


def small_network(x, training, use_resource=False, partitioner=None):
    """Convolution, batch normalisation and dropout as TensorFlow 1 wrote them, a dense layer, probabilities."""

    def variable(name, array):
        return v1.get_variable(name, initializer=tf.constant(array), use_resource=use_resource)

    with v1.variable_scope("net", use_resource=use_resource):
        y = tf.nn.conv2d(x, variable("kernel", values(3, 3, 3, 8)), 2, "SAME")
        scale, offset = variable("gamma", positive(8)), variable("beta", values(8))
        mean, variance = variable("mean", values(8)), variable("variance", positive(8))

        def batch_norm(is_training):
            statistics = {} if is_training else {"mean": mean, "variance": variance}
            return v1.nn.fused_batch_norm(y, scale, offset, epsilon=0.001, is_training=is_training, **statistics)[0]

        y = v1.cond(training, lambda: batch_norm(True), lambda: batch_norm(False))
        y = tf.nn.relu(y)
        y = v1.cond(training, lambda: v1.nn.dropout(y, rate=0.5), lambda: tf.identity(y))
        y = tf.reduce_mean(y, [1, 2])
        if partitioner is None:
            dense = variable("dense", values(8, 6))
        else:
            shape, array = [8, 6], values(8, 6)
            dense = v1.get_variable("dense", shape, initializer=lambda shape, dtype=None, partition_info=None: array_part(array, shape, partition_info), partitioner=partitioner, use_resource=use_resource)
        y = tf.nn.bias_add(tf.matmul(y, tf.convert_to_tensor(dense)), variable("bias", values(6)))
    return tf.nn.softmax(y, name="probabilities")


def array_part(array, shape, info):
    offset = info.var_offset if info is not None else [0] * len(shape)
    return tf.constant(array[tuple(slice(o, o + n) for o, n in zip(offset, shape))])


def answers_of(folder, runs, tags=("serve",)):
    """What the TensorFlow 1 loader answers, by signature."""
    with v1.Session(graph=tf.Graph()) as session:
        meta = v1.saved_model.load(session, list(tags), folder)
        answers = {}
        for signature, feeds in runs:
            definition = meta.signature_def[signature]
            outputs = {alias: info.name for alias, info in definition.outputs.items()}
            fed = {definition.inputs[alias].name: array for alias, array in feeds.items()}
            results = session.run(outputs, fed)
            for result in results.values():
                assert result.dtype == object or np.ptp(result) > 1e-3, signature
            case = {"inputs": {k: tensor(v) for k, v in feeds.items()}, "outputs": {k: tensor(v) for k, v in results.items()}}
            answers.setdefault(signature, []).append(case)
        return answers


def predict_signature(inputs, outputs):
    return v1.saved_model.predict_signature_def(inputs, outputs)


def export_v1(name, build, runs, v2_control_flow=False, session_config=None, sharded=False, freeze=False, tags=("serve",)):
    folder = os.path.join(tempfile.mkdtemp(), "export")
    (v1.enable_control_flow_v2 if v2_control_flow else v1.disable_control_flow_v2)()
    with tf.Graph().as_default() as graph, v1.Session(graph=graph, config=session_config) as session:
        signatures = build()
        if graph.get_collection(v1.GraphKeys.GLOBAL_VARIABLES):
            session.run(v1.global_variables_initializer())
        if freeze:
            outputs = [info.name.split(":")[0] for s in signatures.values() for info in s.outputs.values()]
            frozen = v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), outputs)
            with tf.Graph().as_default() as plain, v1.Session(graph=plain) as other:
                v1.import_graph_def(frozen, name="")
                builder = v1.saved_model.Builder(folder)
                builder.add_meta_graph_and_variables(other, list(tags), signature_def_map=signatures)
                builder.save()
        else:
            saver = v1.train.Saver(sharded=True) if sharded else None
            builder = v1.saved_model.Builder(folder)
            builder.add_meta_graph_and_variables(session, list(tags), signature_def_map=signatures, strip_default_attrs=True, saver=saver)
            builder.save()
    pack(name, folder, answers_of(folder, runs, tags))


def pictures(count):
    return values(count, 8, 8, 3)


def build_network(**options):
    def build():
        x = v1.placeholder(tf.float32, [None, 8, 8, 3], "images")
        training = v1.placeholder_with_default(False, [], "keras_learning_phase")
        return {"serving_default": predict_signature({"images": x}, {"probabilities": small_network(x, training, **options)})}

    return build


RUNS = [("serving_default", {"images": pictures(2)}), ("serving_default", {"images": pictures(1)})]


def write_tf1():
    partitioner = v1.fixed_size_partitioner(3)
    export_v1("tf1-variables", build_network(), RUNS)
    export_v1("tf1-resources", build_network(use_resource=True), RUNS, v2_control_flow=True)
    export_v1("tf1-partitioned", build_network(partitioner=partitioner), RUNS)
    export_v1("tf1-partitioned-resources", build_network(partitioner=partitioner, use_resource=True), RUNS, tags=("serve", "gpu"))
    export_v1("tf1-frozen", build_network(), RUNS, freeze=True)

    def on_two_devices():
        x = v1.placeholder(tf.float32, [None, 4], "x")
        with tf.device("/cpu:0"):
            a = v1.get_variable("a", initializer=values(4, 3))
        with tf.device("/cpu:1"):
            b = v1.get_variable("b", initializer=values(3, 5))
        return {"serving_default": predict_signature({"x": x}, {"y": tf.matmul(tf.matmul(x, a), b)})}

    config = v1.ConfigProto(device_count={"CPU": 2}, allow_soft_placement=True)
    export_v1("tf1-shards", on_two_devices, [("serving_default", {"x": values(3, 4)})], session_config=config, sharded=True)

    def estimator_like():
        serialised = v1.placeholder(tf.string, [None], "examples")
        features = v1.parse_example(
            serialised,
            {
                "pixels": v1.FixedLenFeature([12], tf.float32),
                "weight": v1.FixedLenFeature([], tf.float32, default_value=0.5),
                "size": v1.FixedLenFeature([2], tf.int64, default_value=[3, 4]),
            },
        )
        w = v1.get_variable("w", initializer=values(12, 4))
        logits = tf.matmul(features["pixels"], w) * features["weight"][:, None]
        logits += tf.cast(tf.reduce_sum(features["size"], 1, keepdims=True), tf.float32) * [[0.1, 0.2, -0.1, 0]]
        scores = tf.nn.softmax(logits)
        labels = tf.constant(["cat", "dog", "bird", "fish"])
        best = tf.gather(labels, tf.argmax(scores, 1))
        method = "tensorflow/serving/classify"
        info = v1.saved_model.build_tensor_info
        classify = v1.saved_model.build_signature_def({"inputs": info(serialised)}, {"scores": info(scores)}, method)
        return {
            "serving_default": classify,
            "predict": predict_signature({"examples": serialised}, {"scores": scores, "best": best, "logits": logits}),
            "dense": predict_signature({"pixels": features["pixels"], "weight": features["weight"], "size": features["size"]}, {"scores": scores}),
        }

    examples = np.array([example(values(12), 0.75, [1, 2]), example(values(12), None, None)], object)
    dense = {"pixels": values(2, 12), "weight": np.float32([0.75, 0.5]), "size": np.int64([[1, 2], [3, 4]])}
    runs = [("dense", dense), ("serving_default", {"inputs": examples}), ("predict", {"examples": examples})]
    export_v1("tf1-examples", estimator_like, runs)


def example(pixels, weight, size):
    features = {"pixels": tf.train.Feature(float_list=tf.train.FloatList(value=pixels))}
    if weight is not None:
        features["weight"] = tf.train.Feature(float_list=tf.train.FloatList(value=[weight]))
        features["size"] = tf.train.Feature(int64_list=tf.train.Int64List(value=size))
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


class Classifier(tf.Module):
    """Several functions over shared variables, a branch that a constant decides, and a parsed example."""

    def __init__(self):
        super().__init__()
        self.kernel = tf.Variable(values(3, 3, 3, 4), name="kernel")
        self.dense = tf.Variable(values(4, 5), name="dense")
        self.training = tf.constant(False)
        self.counter = tf.Variable(0, name="counter")

    def features(self, x):
        y = tf.nn.conv2d(x, self.kernel, 2, "SAME")
        return tf.cond(self.training, lambda: tf.nn.dropout(y, 0.5), lambda: tf.nn.relu(y))

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, "x")])
    def logits(self, x):
        return {"logits": tf.matmul(tf.reduce_max(self.features(x), [1, 2]), self.dense)}

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, "x")])
    def scores(self, x):
        logits = self.logits(x)["logits"]
        best = tf.math.top_k(tf.nn.softmax(logits), 2)
        return {"logits": tf.nn.softmax(logits), "values": best.values, "indices": best.indices}

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.uint8, "bytes")])
    def invert(self, bytes):
        return {"y": 255 - tf.cast(bytes, tf.int32)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def from_examples(self, examples):
        parsed = tf.io.parse_example(examples, {"image": tf.io.FixedLenFeature([8, 8, 3], tf.float32), "name": tf.io.FixedLenFeature([], tf.string, "nobody")})
        return {"logits": self.logits(parsed["image"])["logits"], "name": parsed["name"]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "jpegs")])
    def from_jpeg(self, jpegs):
        images = tf.map_fn(lambda b: tf.image.resize(tf.io.decode_jpeg(b, channels=3), [8, 8]), jpegs, fn_output_signature=tf.float32)
        return self.logits(images)


def write_tf2():
    module = Classifier()
    signatures = {"serving_default": module.logits, "scores": module.scores, "invert": module.invert, "from_examples": module.from_examples, "from_jpeg": module.from_jpeg}
    folder = tempfile.mkdtemp()
    tf.saved_model.save(module, folder, signatures=signatures)
    images = pictures(2)
    runs = [
        ("serving_default", {"x": images}),
        ("scores", {"x": images}),
        ("invert", {"bytes": np.uint8(RANDOM.randint(0, 255, [2, 3]))}),
    ]
    pack("tf2-signatures", folder, answers_of(folder, runs))


def write_snappy():
    """An index whose blocks are compressed, which TensorFlow reads and does not write."""
    module = tf.Module()
    module.w = tf.Variable(values(3, 4), name="w")
    module.b = tf.Variable(values(4), name="b")
    call = tf.function(lambda x: {"y": tf.matmul(x, module.w) + module.b}, input_signature=[tf.TensorSpec([None, 3], tf.float32, "x")])
    folder = tempfile.mkdtemp()
    tf.saved_model.save(module, folder, signatures={"serving_default": call})
    index = os.path.join(folder, "variables", "variables.index")
    with open(index, "rb") as stream:
        table = stream.read()
    compressed = compress_table(table)
    assert compressed != table
    with open(index, "wb") as stream:
        stream.write(compressed)
    x = values(2, 3)
    pack("tf2-snappy", folder, answers_of(folder, [("serving_default", {"x": x})]))


def compress_table(table):
    """The blocks of a LevelDB table, each compressed, and an index and footer that name their new places."""
    footer = table[-48:]
    out = bytearray()

    def varint(data, at):
        value = shift = 0
        while True:
            value |= (data[at] & 127) << shift
            at += 1
            if data[at - 1] < 128:
                return value, at
            shift += 7

    def encoded(value):
        data = bytearray()
        while value > 127:
            data.append(value & 127 | 128)
            value >>= 7
        return bytes(data + bytes([value]))

    def place(block):
        packed = bytes(cramjam.snappy.compress_raw(block)) + b"\1"
        handle = encoded(len(out)) + encoded(len(packed) - 1)
        out.extend(packed + masked_crc(packed).to_bytes(4, "little"))
        return handle

    def handle_at(data, at):
        offset, at = varint(data, at)
        size, at = varint(data, at)
        return table[offset : offset + size], at

    meta, at = handle_at(footer, 0)
    index, _ = handle_at(footer, at)
    entries, at, key = [], 0, b""
    while at < len(index) - 4 - 4 * int.from_bytes(index[-4:], "little"):
        shared, at = varint(index, at)
        unshared, at = varint(index, at)
        length, at = varint(index, at)
        key = key[:shared] + index[at : at + unshared]
        at += unshared
        entries.append((key, place(handle_at(index[at : at + length], 0)[0])))
        at += length
    meta_handle = place(meta)
    data, restarts = bytearray(), []
    for key, handle in entries:
        restarts.append(len(data))
        data += encoded(0) + encoded(len(key)) + encoded(len(handle)) + key + handle
    data += b"".join(r.to_bytes(4, "little") for r in restarts) + len(restarts).to_bytes(4, "little")
    handles = meta_handle + place(bytes(data))
    return bytes(out) + handles.ljust(40, b"\0") + footer[40:]


def masked_crc(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


# What Keras 2 writes for layers that it computes otherwise than Keras 3 does, and one family. C.f. keras/, where the
# SavedModels of Keras 2 have no signature, for one with the functions of every layer is eight times as large.
KERAS_2 = ["any-size", "convolution-transposed", "depthwise-and-separable", "normalization", "pooling", "merging", "tensorflow-operations", "mobilenet-v3-small"]


def write_keras2():
    for name in KERAS_2:
        write_keras2_model(name, TARGET)


def write_keras2_model(name, target):
    import models
    import tf_keras
    import zoo

    if name in models.FAMILIES:
        model, inputs = models.family(tf_keras, name)
        inputs = {model.input_names[0]: inputs}
    else:
        model, inputs = zoo.zoo_model(tf_keras, name)
    folder = tempfile.mkdtemp()
    # As model.save does, the functions that training needs left out.
    call = tf.function(lambda *args: outputs_of(model, args), input_signature=[tf.TensorSpec(tensor.shape, tensor.dtype, name=tensor_name) for tensor, tensor_name in zip(model.inputs, model.input_names)])
    module = tf.Module()
    module.variables_of_model = model.weights
    tf.saved_model.save(module, folder, signatures={"serving_default": call})
    feeds = {alias: np.asarray(array)[:2] for alias, array in inputs.items()}
    pack(f"keras2-{name}", folder, answers_of(folder, [("serving_default", feeds)]), target)


def outputs_of(model, args):
    outputs = model(args[0] if len(args) == 1 else list(args), training=False)
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    return dict(zip(model.output_names, outputs))


def pack(name, folder, answers, target=TARGET):
    target = os.path.join(target, name)
    shutil.rmtree(target, ignore_errors=True)
    for root, _, files in os.walk(folder):
        for file in files:
            if file == "fingerprint.pb":
                continue
            source = os.path.join(root, file)
            out = os.path.join(target, os.path.relpath(source, folder) + ".br")
            os.makedirs(os.path.dirname(out), exist_ok=True)
            with open(source, "rb") as stream:
                compressed_file(out, stream.read())
    compressed_file(os.path.join(target, "cases.json.br"), json.dumps(answers, separators=(",", ":")).encode())
    shutil.rmtree(folder)


def compressed_file(path, content):
    with open(path, "wb") as out:
        out.write(brotli.compress(content, quality=11, lgwin=24))


MODELS = {"operators": write_operators, "tf1": write_tf1, "tf2": write_tf2, "snappy": write_snappy, "keras2": write_keras2}

if __name__ == "__main__":
    for model in sys.argv[1:] or MODELS:
        MODELS[model]()
