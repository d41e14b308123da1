// Archives a folder with one of npm's zip writers.
// usage: node write.mjs MODE FOLDER OUT
import { createRequire } from "node:module";
import fs from "node:fs";
import path from "node:path";
import { execFileSync } from "node:child_process";
import { pipeline } from "node:stream/promises";

const [mode, folder, out] = process.argv.slice(2);
// The packages are installed next to the folder that this file was copied into.
const require = createRequire(path.join(process.cwd(), "x.js"));

const files = fs
  .readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((found) => found.isFile())
  .map((found) => path.join(found.parentPath ?? found.path, found.name))
  .map((file) => ({ file, name: path.relative(folder, file).split(path.sep).join("/") }))
  .sort((a, b) => (a.name < b.name ? -1 : 1));
const read = ({ file }) => fs.readFileSync(file);
const all = () => Object.fromEntries(files.map((file) => [file.name, new Uint8Array(read(file))]));

async function yazl(options) {
  const zip = new (require("yazl").ZipFile)();
  for (const { file, name } of files) zip.addFile(file, name, options);
  zip.end(options);
  await pipeline(zip.outputStream, fs.createWriteStream(out));
}

async function archiver(options) {
  const zip = require("archiver")("zip", options);
  const written = pipeline(zip, fs.createWriteStream(out));
  zip.directory(folder, false);
  await zip.finalize();
  await written;
}

function fflateStream(compressed) {
  const { Zip, ZipDeflate, ZipPassThrough } = require("fflate");
  const to = fs.openSync(out, "w");
  const zip = new Zip((error, bytes) => {
    if (error) throw error;
    fs.writeSync(to, bytes);
  });
  for (const file of files) {
    const entry = compressed ? new ZipDeflate(file.name) : new ZipPassThrough(file.name);
    zip.add(entry);
    entry.push(new Uint8Array(read(file)), true);
  }
  zip.end();
}

async function zipJs(options) {
  const { ZipWriter, Uint8ArrayWriter, Uint8ArrayReader, configure } = require("@zip.js/zip.js");
  configure({ useWebWorkers: false });
  const to = new Uint8ArrayWriter();
  const zip = new ZipWriter(to, options);
  for (const file of files) await zip.add(file.name, new Uint8ArrayReader(new Uint8Array(read(file))));
  fs.writeFileSync(out, await zip.close(undefined, { zip64: options.zip64 }));
}

async function jszip(options) {
  const zip = new (require("jszip"))();
  for (const file of files) zip.file(file.name, read(file));
  fs.writeFileSync(out, await zip.generateAsync({ type: "nodebuffer", ...options }));
}

const writers = {
  yazl: () => yazl({}),
  "yazl, stored": () => yazl({ compress: false }),
  "yazl, Zip64": () => yazl({ forceZip64Format: true }),
  archiver: () => archiver({}),
  "archiver, stored": () => archiver({ store: true }),
  "archiver, Zip64": () => archiver({ forceZip64: true }),
  fflate: () => fs.writeFileSync(out, require("fflate").zipSync(all())),
  "fflate, in pieces": () => fflateStream(true),
  "fflate, in pieces and stored": () => fflateStream(false),
  "zip.js": () => zipJs({}),
  "zip.js, Zip64": () => zipJs({ zip64: true }),
  "zip.js, without data descriptors": () => zipJs({ dataDescriptor: false }),
  "zip.js, data descriptors without signature": () => zipJs({ dataDescriptorSignature: false }),
  jszip: () => jszip({ compression: "DEFLATE" }),
  "jszip, in pieces": () => jszip({ compression: "DEFLATE", streamFiles: true }),
  "jszip, for Unix": () => jszip({ platform: "UNIX" }),
  "adm-zip": () => {
    const zip = new (require("adm-zip"))();
    for (const file of files) zip.addFile(file.name, read(file));
    zip.writeZip(out);
  },
  "7za of 7zip-bin": () => {
    const program = require("7zip-bin").path7za;
    fs.chmodSync(program, 0o755); // npm keeps no modes of what is no script
    execFileSync(program, ["a", "-bso0", "-tzip", out, "."], { cwd: folder });
  },
  "client-zip": async () => {
    const { downloadZip } = await import(require.resolve("client-zip"));
    const input = files.map((file) => ({ name: file.name, input: read(file) }));
    fs.writeFileSync(out, Buffer.from(await downloadZip(input).arrayBuffer()));
  },
};

if (mode === "list") {
  console.log(Object.keys(writers).join("\n"));
} else {
  await writers[mode]();
}
