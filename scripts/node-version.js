/** Ends the process with one sentence when Node is too old. Import it before anything else. */
const [major, minor] = process.versions.node.split(".").map(Number);

if (major < 20 || (major === 20 && minor < 19)) {
  console.error(
    `Vitrine needs Node 20.19 or newer, this is ${process.versions.node}: ` +
      "install it from https://nodejs.org and run the command again.",
  );
  process.exit(1);
}
