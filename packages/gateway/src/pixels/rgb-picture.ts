/** A decoded picture, as Pillow's mode RGB holds it. */
export interface RgbPicture {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue by turns, row-major, without padding: 3 x width x height bytes. */
  readonly pixels: Uint8Array;
}

/** A picture whose samples need not be whole: what TensorFlow's resize gives. Laid out as {@link RgbPicture}. */
export interface FloatPicture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Float32Array;
}
