import { expect, it } from "vitest";
import {
  i32,
  RETURN,
  repeatWhile,
  set,
  v128,
  wasmFunction,
  wasmModule,
  when,
  whileTrue,
} from "./wasm-assembler.js";
import { instantiate } from "./wasm-instance.js";

interface Store {
  store(address: number): void;
}

it.each([0, 1, 63, 64, -1, -64, -65, 127, 128, 0x7fff_ffff, -0x8000_0000])(
  "carries the constant %i into the module",
  (value) => {
    const store = wasmFunction("store", ["address"], (p) => [
      v128.store32Low(p.address.get, v128.i32x4Splat(i32.constant(value))),
    ]);
    const instance = instantiate<Store>(wasmModule([store]))!;

    instance.exports.store(400);

    expect(new DataView(instance.memory.buffer).getInt32(400, true)).toBe(value);
  },
);

it("repeats a body while its condition holds, at least once", () => {
  const count = wasmFunction("store", ["address"], (p, locals) => {
    const turns = locals.i32();
    return [
      repeatWhile(i32.lessThan(turns.get, i32.constant(300)), [
        set(turns, i32.add(turns.get, i32.constant(7))),
      ]),
      v128.store32Low(p.address.get, v128.i32x4Splat(turns.get)),
    ];
  });
  const instance = instantiate<Store>(wasmModule([count]))!;

  instance.exports.store(0);

  expect(new DataView(instance.memory.buffer).getInt32(0, true)).toBe(301);
});

it.each([
  [0, 10],
  [1, 20],
  [5, 0],
])("branches, loops not at all, and returns early: %i stores %i", (input, stored) => {
  const branch = wasmFunction("store", ["input"], (p, locals) => {
    const never = locals.i32();
    return [
      when(i32.equal(p.input.get, i32.constant(5)), [RETURN]),
      whileTrue(never.get, [RETURN]),
      when(
        p.input.get,
        [i32.store(i32.constant(0), i32.constant(20))],
        [i32.store(i32.constant(0), i32.constant(10))],
      ),
    ];
  });
  const instance = instantiate<Store>(wasmModule([branch]))!;

  instance.exports.store(input);

  expect(new DataView(instance.memory.buffer).getInt32(0, true)).toBe(stored);
});

it("has nothing to offer where the engine refuses the module", () => {
  expect(instantiate(Uint8Array.of(0, 0x61, 0x73, 0x6d, 9, 9, 9, 9))).toBeUndefined();
});
