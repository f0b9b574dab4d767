/** Compiling WebAssembly. TypeScript describes the global `WebAssembly` only for browsers, so what is used of it is described here. */

export interface WasmMemory {
  /** Another one after each `grow`, and the old one is detached. */
  readonly buffer: ArrayBuffer;
  grow(pages: number): void;
}

interface Engine {
  validate(binary: Uint8Array): boolean;
  readonly Memory: new (size: { initial: number }) => WasmMemory;
  readonly Module: new (binary: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: { host: { memory: WasmMemory } },
  ) => { readonly exports: unknown };
}

/**
 * Instantiates a module that imports `host.memory`.
 *
 * @typeParam Exports functions that the module is known to export; it was assembled by the caller.
 * @returns undefined when the engine does not know an instruction of it.
 */
export function instantiate<Exports>(
  binary: Uint8Array,
): { exports: Exports; memory: WasmMemory } | undefined {
  const engine = (globalThis as unknown as { readonly WebAssembly: Engine }).WebAssembly;
  if (!engine.validate(binary)) return undefined;
  const memory = new engine.Memory({ initial: 1 });
  const instance = new engine.Instance(new engine.Module(binary), { host: { memory } });
  return { exports: instance.exports as Exports, memory };
}
