/**
 * The list of what is in an image, in CycloneDX 1.6 JSON.
 *
 * Source: https://cyclonedx.org/docs/1.6/json/; package URLs as https://github.com/package-url/purl-spec.
 */

/**
 * @param {{ tier: string, version: string, components: readonly object[] }} image
 * @returns {object} the document; without a time or a random number, so that the same image gives the same list.
 */
export function sbomDocument({ tier, version, components }) {
  const sorted = [...components].sort((left, right) => compare(left["bom-ref"], right["bom-ref"]));
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: { type: "container", "bom-ref": `vitrine/${tier}`, name: `vitrine/${tier}`, version },
    },
    components: sorted,
  };
}

/**
 * @param {object} manifest package.json.
 * @param {{ integrity?: string, bundled?: Record<string, string> }} [known] `integrity` as in package-lock.json, of the
 *   package as it was published; `bundled` names libraries compiled into it, with their versions.
 */
export function npmComponent(manifest, { integrity, bundled } = {}) {
  const { name, version } = manifest;
  const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
  const [algorithm, digest] = integrity?.split("-", 2) ?? [];
  return {
    type: "library",
    "bom-ref": purl,
    name,
    version,
    purl,
    licenses: licences(manifest.license ?? "NOASSERTION"),
    ...(algorithm === "sha512" && {
      hashes: [{ alg: "SHA-512", content: Buffer.from(digest, "base64").toString("hex") }],
    }),
    ...(bundled !== undefined && {
      components: Object.entries(bundled).map(([library, itsVersion]) =>
        bundledComponent(purl, library, itsVersion),
      ),
    }),
  };
}

/**
 * @param {string} version such as `v24.1.0`.
 * @param {Readonly<Record<string, string>>} versions `process.versions`: the libraries compiled into the program.
 */
export function nodeComponent(version, { node, ...bundled }) {
  const purl = `pkg:generic/node@${node}`;
  return {
    type: "platform",
    "bom-ref": purl,
    name: "node",
    version: node,
    description: `Node.js ${version}`,
    purl,
    cpe: `cpe:2.3:a:nodejs:node.js:${node}:*:*:*:-:*:*:*`,
    licenses: licences("MIT"),
    components: Object.entries(bundled).map(([library, itsVersion]) =>
      bundledComponent(purl, library, itsVersion),
    ),
  };
}

/** @param {readonly { name: string, version: string, arch: string }[]} packages */
export function debianComponents(packages) {
  return packages.map(({ name, version, arch }) => {
    const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${arch}&distro=debian-12`;
    const text = `see /usr/share/doc/${name}/copyright`;
    return { type: "library", "bom-ref": purl, name, version, purl, licenses: [{ license: { name: text } }] };
  });
}

function bundledComponent(parent, name, version) {
  return { type: "library", "bom-ref": `${parent}#${name}`, name, version };
}

/** SPDX expressions have operators; what is neither an expression nor an identifier is a name. */
function licences(text) {
  if (/\b(AND|OR|WITH)\b/.test(text)) return [{ expression: text }];
  return [
    { license: /^[A-Za-z0-9.+-]+$/.test(text) && text !== "NOASSERTION" ? { id: text } : { name: text } },
  ];
}

function compare(left, right) {
  return left < right ? -1 : left > right ? 1 : 0;
}
