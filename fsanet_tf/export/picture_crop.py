"""The one crop as TensorFlow operations, so that a served network takes whole pictures and face boxes."""

import tensorflow as tf

from fsanet_tf.geometry.crop import MAX_COORDINATE, MAX_WINDOW_RATIO, CropRule

WEIGHT_ONE = 2048.0  # OpenCV's weights are integers of 11 bits


def crop_faces(
    picture: tf.Tensor, boxes: tf.Tensor, rule: CropRule, image_size: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Cut faces out of a picture as `fsanet_tf.geometry.crop.crop_face` does.

    Args:
        picture: uint8 BGR `(height, width, 3)`.
        boxes: float32 `(N, 4)`: left, top, right, bottom of the face boxes in pixels; N may be 0.
        rule: How to cut.
        image_size: Side of the crops in pixels.

    Returns:
        float32 crops `(N, image_size, image_size, 3)` in [0, 255], and bool `(N,)`: whether the box is one,
        and overlaps the picture. The crops of other boxes mean nothing.
    """
    shape = tf.shape(picture)
    height, width = shape[0], shape[1]
    size = tf.cast(tf.stack([width, height]), tf.float32)
    low, high = boxes[:, :2], boxes[:, 2:]
    ordered = tf.reduce_all(
        (low <= high) & (tf.abs(low) < MAX_COORDINATE) & (tf.abs(high) < MAX_COORDINATE), 1
    )
    valid = ordered & tf.reduce_all((low < size) & (high > 0), 1)
    boxes = tf.where(valid[:, None], boxes, tf.concat([tf.zeros(2), size], 0))
    if rule.sampling == "original":
        grown = grow_boxes(boxes, rule, height, width)
        return crop_picture(picture, grown, image_size), valid & ~is_empty(grown)
    windows = face_windows(boxes, rule)
    sides = windows[:, 2:] - windows[:, :2]
    limit = tf.cast(MAX_WINDOW_RATIO * (width + height), tf.float64)
    valid &= (tf.reduce_min(sides, 1) > 0) & (tf.reduce_max(sides, 1) <= limit)
    windows = tf.where(valid[:, None], windows, tf.constant([0, 0, 1, 1], tf.float64))
    return sample_windows(picture, windows, image_size), valid


def face_windows(boxes: tf.Tensor, rule: CropRule) -> tf.Tensor:
    """Grow face boxes `(N, 4)` as `fsanet_tf.geometry.crop.face_window` does; float64."""
    low, high = tf.split(tf.cast(boxes, tf.float64), 2, axis=1)
    half = (high - low) / 2
    if rule.square:
        half = tf.reduce_max(half, axis=1, keepdims=True)
    half *= rule.growth
    return tf.concat([(low + high) / 2 - half, (low + high) / 2 + half], axis=1)


def sample_windows(picture: tf.Tensor, windows: tf.Tensor, image_size: int) -> tf.Tensor:
    """Resample windows of a picture as `fsanet_tf.geometry.crop.sample_window` does.

    Args:
        picture: uint8 BGR `(height, width, 3)`.
        windows: float64 `(N, 4)`: left, top, right, bottom in pixels.
        image_size: Side of the results in pixels.

    Returns:
        float32 `(N, image_size, image_size, 3)` in [0, 255].
    """
    shape = tf.shape(picture)

    def sample(window: tf.Tensor) -> tf.Tensor:
        left, right, across = _linear_weights(window[0], window[2], image_size, shape[1])
        top, bottom, down = _linear_weights(window[1], window[3], image_size, shape[0])
        pixels = tf.cast(picture[top:bottom, left:right], tf.float32)
        lines = tf.matmul(down, tf.reshape(pixels, (bottom - top, 3 * (right - left))))
        return tf.matmul(across, tf.reshape(lines, (image_size, right - left, 3)))

    result = tf.TensorSpec((image_size, image_size, 3), tf.float32)
    return tf.map_fn(sample, windows, fn_output_signature=result)


def _linear_weights(
    low: tf.Tensor, high: tf.Tensor, count: int, size: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the first and the end of the pixels that an axis reads, and their weights `(count, pixels)`.

    The weight of a pixel in a target pixel is that of its block in the linear interpolation, times its share
    of the block. The first and last pixel of the picture stand for all beyond.
    """
    step = (high - low) / count
    block = tf.maximum(tf.round(step), 1)
    start = tf.floor(low) - block
    position = (low + (tf.range(count, dtype=tf.float64) + 0.5) * step - start) / block - 0.5  # in blocks
    first = tf.floor(position)
    share = tf.cast(position - first, tf.float32)[:, None]
    first = tf.cast(first, tf.int32)
    blocks = first[-1] + 2
    weights = (1 - share) * tf.one_hot(first, blocks) + share * tf.one_hot(first + 1, blocks)
    edges = start + block * tf.range(blocks + 1, dtype=tf.float64)  # of the blocks
    begin = tf.clip_by_value(tf.cast(edges[0], tf.int32), 0, size - 1)
    end = tf.clip_by_value(tf.cast(edges[-1], tf.int32), begin + 1, size)
    inner = tf.cast(tf.range(begin + 1, end), tf.float64)  # between the pixels
    lower, upper = tf.concat([edges[:1], inner], 0), tf.concat([inner, edges[-1:]], 0)
    covered = tf.minimum(edges[1:, None], upper) - tf.maximum(edges[:-1, None], lower)
    shares = tf.cast(tf.maximum(covered, 0) / block, tf.float32)  # (blocks, pixels)
    return begin, end, tf.matmul(weights, shares)


def grow_boxes(boxes: tf.Tensor, rule: CropRule, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Grow face boxes as `fsanet_tf.geometry.crop.grow_box` does.

    Args:
        boxes: float32 `(N, 4)`: left, top, right, bottom in pixels.
        rule: The margin, and whether boxes are made square first.
        height, width: int32, of the picture.

    Returns:
        int32 `(N, 4)`: whole pixels within the picture; empty if a box lies outside.
    """
    left, top, right, bottom = tf.unstack(tf.cast(boxes, tf.int32), axis=1)  # truncates
    if rule.square:
        missing = tf.abs((right - left) - (bottom - top))
        before, after = missing // 2, missing - missing // 2
        narrow = right - left < bottom - top
        zero = tf.zeros_like(missing)
        left, right = left - tf.where(narrow, before, zero), right + tf.where(narrow, after, zero)
        top, bottom = top - tf.where(narrow, zero, before), bottom + tf.where(narrow, zero, after)

    def grown(low: tf.Tensor, high: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        margin = rule.margin_ratio * tf.cast(high - low, tf.float64)
        start = tf.cast(tf.cast(low, tf.float64) - margin, tf.int32)
        end = tf.cast(tf.cast(high, tf.float64) + margin, tf.int32)
        return tf.maximum(start, 0), tf.minimum(end, size - 1)

    (left, right), (top, bottom) = grown(left, right, width), grown(top, bottom, height)
    return tf.stack([left, top, right, bottom], axis=1)


def is_empty(boxes: tf.Tensor) -> tf.Tensor:
    """Return which boxes `(N, 4)` contain no pixel, `(N,)`."""
    return (boxes[:, 0] >= boxes[:, 2]) | (boxes[:, 1] >= boxes[:, 3])


def crop_picture(picture: tf.Tensor, boxes: tf.Tensor, image_size: int) -> tf.Tensor:
    """Cut boxes of whole pixels out of a picture and resize them as OpenCV does: bilinear in fixed point.

    Args:
        picture: uint8 BGR `(height, width, 3)`.
        boxes: int32 `(N, 4)`: left, top, right, bottom within the picture.
        image_size: Side of the results in pixels.

    Returns:
        float32 `(N, image_size, image_size, 3)`, whole numbers in [0, 255]; black for an empty box.
    """
    empty = is_empty(boxes)[:, None]
    left, top, right, bottom = tf.unstack(tf.where(empty, 0, boxes), axis=1)
    x, x_weights = _samples(left, right, image_size, whole_at_edges=True)
    y, y_weights = _samples(top, bottom, image_size, whole_at_edges=False)

    def pixels(rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
        rows = tf.repeat(rows[:, :, None], image_size, axis=2)
        columns = tf.repeat(columns[:, None, :], image_size, axis=1)
        return tf.cast(tf.gather_nd(picture, tf.stack([rows, columns], axis=-1)), tf.int32)

    def across(rows: tf.Tensor) -> tf.Tensor:
        first, second = (weight[:, None, :, None] for weight in x_weights)
        return pixels(rows, x[0]) * first + pixels(rows, x[1]) * second

    # The bits that OpenCV drops: 4 of a row's sum, 16 of each product, 2 of their sum.
    upper, lower = (
        tf.bitwise.right_shift(weight[:, :, None, None] * tf.bitwise.right_shift(across(rows), 4), 16)
        for rows, weight in zip(y, y_weights, strict=True)
    )
    crops = tf.cast(tf.bitwise.right_shift(upper + lower + 2, 2), tf.float32)
    return tf.where(empty[:, :, None, None], 0.0, crops)


def _samples(
    low: tf.Tensor, high: tf.Tensor, count: int, whole_at_edges: bool
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Return the two source pixels of each target pixel, `(N, count)`, and their weights in 1/2048.

    Beyond an edge both are the edge's pixel; OpenCV gives the first the whole weight in a row, but not in
    a column, where the sum is the same but for rounding.
    """
    side = (high - low)[:, None]
    step = 1.0 / (count / tf.cast(side, tf.float64))  # OpenCV inverts the inverse
    position = tf.cast((tf.range(count, dtype=tf.float64) + 0.5) * step - 0.5, tf.float32)
    first = tf.floor(position)
    share = position - first
    first = tf.cast(first, tf.int32)
    last = tf.maximum(side - 1, 0)
    if whole_at_edges:
        share = tf.where((first >= 0) & (first < last), share, 0.0)
    weights = [tf.cast(tf.round(WEIGHT_ONE * part), tf.int32) for part in (1 - share, share)]
    return [low[:, None] + tf.clip_by_value(pixel, 0, last) for pixel in (first, first + 1)], weights
