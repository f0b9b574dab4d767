import { describe, expect, test } from "vitest";
import { modelServerConfigSchema } from "../server-config-files.js";
import { parseTextMessage, type TextMessage, type TextValue } from "./text-proto.js";
import {
  bool,
  double,
  enumeration,
  int64,
  mapOf,
  message,
  optional,
  parseTextProto,
  repeated,
  text,
  uint32,
  wrapped,
} from "./text-proto-schema.js";

function plain(value: TextValue): unknown {
  if (value.kind === "word") return value.text;
  if (value.kind === "string") return Buffer.from(value.bytes).toString("latin1");
  return value.fields.map(({ name, value: inner }) => [name, plain(inner)]);
}

const parse = (source: string): unknown => plain(parseTextMessage(source, "f"));

const thing = message(
  "Thing",
  {
    name: optional(text),
    count: optional(int64),
    small: optional(uint32),
    ratio: optional(double),
    on: optional(bool),
    size: optional(wrapped(int64, 0)),
    colour: optional(enumeration({ RED: 0, GREEN: 2 })),
    sizes: repeated(int64),
    labels: mapOf(text, int64),
    left: optional(message("Left", {})),
    right: optional(message("Right", {})),
  },
  [["left", "right"]],
);

const read = (source: string) => parseTextProto(thing, source, "thing.config");

describe("the text format", () => {
  test.each<[string, unknown]>([
    ["", []],
    ["# only a comment", []],
    ["a: 1", [["a", "1"]]],
    [
      "a:1,b:2;c:3",
      [
        ["a", "1"],
        ["b", "2"],
        ["c", "3"],
      ],
    ],
    ["a { b: 1 }", [["a", [["b", "1"]]]]],
    ["a: { b: 1 };", [["a", [["b", "1"]]]]],
    ["a < b: < c: 1 > >", [["a", [["b", [["c", "1"]]]]]]],
    [
      "a: [1, 2, 3] a: 4",
      [
        ["a", "1"],
        ["a", "2"],
        ["a", "3"],
        ["a", "4"],
      ],
    ],
    ["a: []", []],
    [
      "a [{b: 1}, <b: 2>]",
      [
        ["a", [["b", "1"]]],
        ["a", [["b", "2"]]],
      ],
    ],
    [
      "a: - 5 b: -inf",
      [
        ["a", "-5"],
        ["b", "-inf"],
      ],
    ],
    [
      "a: .5 b: 1. c: 1e-3f d: 0x1F",
      [
        ["a", ".5"],
        ["b", "1."],
        ["c", "1e-3f"],
        ["d", "0x1F"],
      ],
    ],
    [`a: "it's" 'a "b"' # and on\n  "c"`, [["a", `it'sa "b"c`]]],
    [String.raw`a: "\n\t\\\"\'\x41\101\u00e9\0"`, [["a", "\n\t\\\"'AA\u00c3\u00a9\0"]]],
    ["[type.googleapis.com/x.Y] { a: 1 }", [["[type.googleapis.com/x.Y]", [["a", "1"]]]]],
    ["\uFEFFa: 1\r\n", [["a", "1"]]],
  ])("%j is read", (source, expected) => {
    expect(parse(source)).toEqual(expected);
  });

  test.each<[string, string]>([
    ["a", 'f:1:2: found the end of the file, expected ":" or "{"'],
    ["a:\n  ", "f:2:3: found the end of the file, expected a value"],
    ["a { b: 1", 'f:1:9: found the end of the file, expected the name of a field or "}"'],
    ["a { b: 1 >", 'f:1:10: found ">", expected the name of a field or "}"'],
    ["a: 1 }", 'f:1:6: found "}", expected the name of a field'],
    ["a: 'x\ny'", "f:1:4: a string had no closing ' on its line"],
    [String.raw`a: "x\q"`, String.raw`f:1:6: "\q" was no escape sequence`],
    [String.raw`a: "\777"`, String.raw`f:1:5: "\777" was no escape sequence`],
    ["a: 12b", 'f:1:4: "12b" was no number, expected a space after it'],
    ["a: [1, ]", 'f:1:8: found "]", expected a value'],
    ["\n\n  é: 1", 'f:3:3: found "é", which has no meaning here'],
    ["a: 1,,", 'f:1:6: found ",", expected the name of a field'],
    ["1: 2", 'f:1:1: found "1", expected the name of a field'],
    [`${"a{".repeat(102)}`, "f:1:202: messages were nested deeper than 100"],
  ])("%j is refused with its place", (source, expected) => {
    expect(() => parse(source)).toThrow(expected);
  });

  test("positions of fields and values are kept", () => {
    const { fields }: TextMessage = parseTextMessage("a {\n  b: 7\n}", "f");
    expect(fields[0]).toMatchObject({ line: 1, column: 1, value: { line: 1, column: 3 } });
  });
});

describe("a schema", () => {
  test("gives typed values, and undefined for what the file leaves out", () => {
    const source = `name: "x" count: -0x10 small: 010 ratio: -inf on: t size { value: 7 } colour: GREEN
      sizes: [1, 2] sizes: 3 labels { key: "a" value: 1 } labels: [{ key: "b" value: 2 }, { key: "a" value: 3 }] right {}`;
    expect(read(source)).toEqual({
      name: "x",
      count: -16,
      small: 8,
      ratio: Number.NEGATIVE_INFINITY,
      on: true,
      size: 7,
      colour: "GREEN",
      sizes: [1, 2, 3],
      labels: new Map([
        ["a", 3],
        ["b", 2],
      ]),
      left: undefined,
      right: {},
    });
    expect(read("")).toMatchObject({ name: undefined, sizes: [], labels: new Map() });
    expect(read("size {} colour: 2")).toMatchObject({ size: 0, colour: "GREEN" });
  });

  test.each<[string, string]>([
    ["nme: 'x'", 'thing.config:1:1: Thing has no field "nme", expected one of name, count'],
    ["name: 'a'\nname: 'b'", 'thing.config:2:1: "name" was given twice, expected it once'],
    ["name: x", "thing.config:1:7: found x, expected a string in quotes"],
    [String.raw`name: "\xff"`, "thing.config:1:7: a string was not UTF-8"],
    ["count: 1.5", "thing.config:1:8: found 1.5, expected a whole number"],
    ["count: 9007199254740993", "expected a whole number from -9007199254740991 to 9007199254740991"],
    ["small: -1", "thing.config:1:8: found -1, expected a whole number from 0 to 4294967295"],
    ["count: 089", "thing.config:1:8: found 089, expected a whole number"],
    ["on: yes", "thing.config:1:5: found yes, expected true or false"],
    ["size: 5", "thing.config:1:7: found a plain value, expected { value: 5 }"],
    ["colour: BLUE", "thing.config:1:9: found BLUE, expected one of RED, GREEN"],
    ["left {} right {}", "thing.config:1:9: Thing had more than one of left, right, expected one"],
    ["left: 1", "thing.config:1:7: found 1, expected Left within { }"],
    ["labels { value: 1 }", 'thing.config:1:1: "labels" had no key'],
    ["ratio: 0x10", "thing.config:1:8: found 0x10, expected a number"],
  ])("%j is refused: %s", (source, expected) => {
    expect(() => read(source)).toThrow(expected);
  });

  test("reads a model_config_file", () => {
    const config = parseTextProto(
      modelServerConfigSchema,
      `model_config_list: {
  config: {
    name: "clothes"  # the shop's
    base_path: "/srv/models/clothes",
    model_platform: "tensorflow";
    model_version_policy { specific { versions: 3 versions: 4 } }
    version_labels { key: "stable" value: 3 }
    version_labels { key: "canary" value: 4 }
  },
  config { name: 'shoes' base_path: '/srv/models/' "shoes" model_type: TENSORFLOW model_version_policy: <all <>> }
}`,
      "models.config",
    );
    expect(config.model_config_list?.config).toMatchObject([
      {
        name: "clothes",
        model_version_policy: { specific: { versions: [3, 4] }, latest: undefined },
        version_labels: new Map([
          ["stable", 3],
          ["canary", 4],
        ]),
      },
      { base_path: "/srv/models/shoes", model_type: "TENSORFLOW", model_version_policy: { all: {} } },
    ]);
  });
});
