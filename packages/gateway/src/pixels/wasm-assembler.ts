/**
 * As much of a WebAssembly assembler as the resize kernels need. Expressions are the bytes of their instructions
 * and nest like calls; what is written reads as the code that runs.
 *
 * Source: WebAssembly Core Specification 2.0, chapter 5 (binary format).
 */

/** Instructions in binary form. */
export type Code = readonly number[];

/** A variable of a function; `get` is its value. */
export interface Local {
  readonly index: number;
  readonly get: Code;
}

/** Hands out the variables of one function. */
export interface Locals {
  i32(): Local;
  v128(): Local;
}

const I32 = 0x7f;
const V128 = 0x7b;
const VOID = 0x40;

const unary =
  (opcode: Code) =>
  (operand: Code): Code => [...operand, ...opcode];
const binary =
  (opcode: Code) =>
  (left: Code, right: Code): Code => [...left, ...right, ...opcode];
const simd = (opcode: number): Code => [0xfd, ...unsigned(opcode)];

/** Bytes `offset` after the address; no alignment is promised. */
const memory =
  (opcode: Code) =>
  (address: Code, offset = 0): Code => [...address, ...opcode, 0, ...unsigned(offset)];

export const i32 = {
  constant: (value: number): Code => [0x41, ...signed(value)],
  load: memory([0x28]),
  load8U: memory([0x2d]),
  load16S: memory([0x2e]),
  load16U: memory([0x2f]),
  store: (address: Code, value: Code, offset = 0): Code => [
    ...address,
    ...value,
    0x36,
    0,
    ...unsigned(offset),
  ],
  store16: (address: Code, value: Code): Code => [...address, ...value, 0x3b, 0, 0],
  add: binary([0x6a]),
  subtract: binary([0x6b]),
  multiply: binary([0x6c]),
  and: binary([0x71]),
  or: binary([0x72]),
  shiftLeft: binary([0x74]),
  shiftRight: binary([0x75]),
  shiftRightUnsigned: binary([0x76]),
  equal: binary([0x46]),
  /** Not less, signed. */
  atLeast: binary([0x4e]),
  lessThan: binary([0x48]),
} as const;

/** Instructions on 128-bit vectors, named as in the specification, operands in its order. */
export const v128 = {
  constant: (bytes: readonly number[]): Code => [...simd(12), ...bytes],
  load: memory(simd(0)),
  load32Splat: memory(simd(9)),
  store: (address: Code, value: Code): Code => [...address, ...value, ...simd(11), 0, 0],
  /** The 8 bytes at the address below 8 of 0. */
  load64Zero: memory(simd(93)),
  /** Stores 64 of the bits, the lower ones (0) or the upper ones (1). */
  store64: (address: Code, value: Code, half: 0 | 1, offset = 0): Code => [
    ...address,
    ...value,
    ...simd(91),
    0,
    ...unsigned(offset),
    half,
  ],
  or: binary(simd(80)),
  xor: binary(simd(81)),
  i16x8Splat: unary(simd(16)),
  i16x8Shl: binary(simd(139)),
  i16x8ShrS: binary(simd(140)),
  i16x8ShrU: binary(simd(141)),
  i16x8Add: binary(simd(142)),
  i16x8Sub: binary(simd(145)),
  i16x8Mul: binary(simd(149)),
  i32x4Sub: binary(simd(177)),
  /** Stores the lowest 32 bits. */
  store32Low: (address: Code, value: Code): Code => [...address, ...value, ...simd(90), 0, 0, 0],
  /** Picks 16 bytes of left (0 to 15) and right (16 to 31). */
  i8x16Shuffle: (left: Code, right: Code, lanes: readonly number[]): Code => [
    ...left,
    ...right,
    ...simd(13),
    ...lanes,
  ],
  /** Picks bytes of a vector by those of another; an index beyond 15 gives 0. */
  i8x16Swizzle: binary(simd(14)),
  i32x4Splat: unary(simd(17)),
  i8x16NarrowI16x8U: binary(simd(102)),
  i16x8NarrowI32x4S: binary(simd(133)),
  i16x8ExtendLowI8x16U: unary(simd(137)),
  i16x8ExtendHighI8x16U: unary(simd(138)),
  i32x4Shl: binary(simd(171)),
  i32x4ShrS: binary(simd(172)),
  i32x4Add: binary(simd(174)),
  /** Products of signed 16-bit lanes, neighbours added. */
  i32x4DotI16x8S: binary(simd(186)),
} as const;

export function set(local: Local, value: Code): Code {
  return [...value, 0x21, ...unsigned(local.index)];
}

export function increase(local: Local, by: Code): Code {
  return set(local, i32.add(local.get, by));
}

/** `condition` is any i32; not 0 counts as true. */
export function when(condition: Code, then: readonly Code[], otherwise: readonly Code[] = []): Code {
  const rest = otherwise.length === 0 ? [] : [0x05, ...otherwise.flat()];
  return [...condition, 0x04, VOID, ...then.flat(), ...rest, 0x0b];
}

/** Ends the function. */
export const RETURN: Code = [0x0f];

/** Runs the body as long as the condition holds before it. */
export function whileTrue(condition: Code, body: readonly Code[]): Code {
  return [0x03, VOID, ...condition, 0x04, VOID, ...body.flat(), 0x0c, 1, 0x0b, 0x0b];
}

/** Runs the body once, and again as long as the condition holds after it. */
export function repeatWhile(condition: Code, body: readonly Code[]): Code {
  return [0x03, VOID, ...body.flat(), ...condition, 0x0d, 0, 0x0b];
}

export interface WasmFunction {
  readonly name: string;
  readonly parameters: number;
  readonly localTypes: readonly number[];
  readonly body: Code;
}

/** A function of i32 parameters and no result. `body` gets its parameters by name and the source of further variables. */
export function wasmFunction<Name extends string>(
  name: string,
  parameters: readonly Name[],
  body: (parameters: Readonly<Record<Name, Local>>, locals: Locals) => readonly Code[],
): WasmFunction {
  const localTypes: number[] = [];
  const local = (index: number): Local => ({ index, get: [0x20, ...unsigned(index)] });
  const declare = (type: number) => (): Local => local(parameters.length + localTypes.push(type) - 1);
  const given = Object.fromEntries(parameters.map((parameter, index) => [parameter, local(index)])) as Record<
    Name,
    Local
  >;
  const code = body(given, { i32: declare(I32), v128: declare(V128) }).flat();
  return { name, parameters: parameters.length, localTypes, body: code };
}

/** The binary module: imports `host.memory`, exports each function by its name. */
export function wasmModule(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters }) => [
    0x60,
    ...list(Array.from({ length: parameters }, () => [I32])),
    0,
  ]);
  const importedMemory = [...text("host"), ...text("memory"), 2, 0, 1];
  const exported = functions.map(({ name }, index) => [...text(name), 0, ...unsigned(index)]);
  const bodies = functions.map(({ localTypes, body }) =>
    sized([...list(localTypes.map((type) => [1, type])), ...body, 0x0b]),
  );
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, types),
    ...section(2, [importedMemory]),
    ...section(
      3,
      functions.map((_, index) => unsigned(index)),
    ),
    ...section(7, exported),
    ...section(10, bodies),
  ]);
}

function section(id: number, entries: readonly Code[]): Code {
  return [id, ...sized(list(entries))];
}

function list(entries: readonly Code[]): Code {
  return [...unsigned(entries.length), ...entries.flat()];
}

function sized(bytes: Code): Code {
  return [...unsigned(bytes.length), ...bytes];
}

function text(value: string): Code {
  return sized([...Buffer.from(value)]);
}

/** LEB128. */
function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: number): Code {
  const rest = value >> 7;
  const isLast = (rest === 0 && (value & 0x40) === 0) || (rest === -1 && (value & 0x40) !== 0);
  return isLast ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(rest)];
}
