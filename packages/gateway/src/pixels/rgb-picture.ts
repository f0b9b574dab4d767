/** A decoded picture, as Pillow's mode RGB holds it. */
export interface RgbPicture {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue by turns, row-major, without padding: 3 x width x height bytes. */
  readonly pixels: Uint8Array;
}
