import { expect, test } from "vitest";
import { whyNotLoad } from "./target-host.js";

test("this machine and private networks may be loaded", async () => {
  for (const host of [
    "127.0.0.1:9696",
    "localhost:9696",
    "[::1]:80",
    "10.97.0.11:30080",
    "192.168.1.4",
    "[fd00::1]",
  ]) {
    expect(await whyNotLoad(`http://${host}`), host).toBeUndefined();
  }
});

test("a public address needs its owner's word, also as IPv6 that holds it", async () => {
  for (const host of ["8.8.8.8", "[2001:4860:4860::8888]", "[::ffff:8.8.8.8]"]) {
    expect(await whyNotLoad(`https://${host}/`), host).toMatch(/is a public address/);
  }
});

test("a name that cannot be looked up is not loaded", async () => {
  expect(await whyNotLoad("http://gateway.invalid")).toMatch(/^gateway\.invalid could not be looked up/);
});
