"use strict";

// Added to the application by `scripts/demo --packages`: whatever loads the gulpfile fails unless it runs on
// the layer's own Node.js and finds nothing of what Lambda does not have.

const fs = require("node:fs");
const path = require("node:path");

const NODE = "@NODE@";
const NPM = "@NPM@";
const ABSENT = ["tar", "gzip", "unzip", "zip", "git", "find", "xargs", "which", "python3", "cc"];

const folders = process.env.PATH.split(path.delimiter).filter(
  (folder) => !folder.endsWith("node_modules/.bin"),
);

function places(program) {
  return folders.map((folder) => path.join(folder, program)).filter((file) => fs.existsSync(file));
}

function expect(what, found, expected) {
  if (found !== expected) {
    throw new Error(`${what}: found ${found || "nothing"}, not ${expected || "nothing"}`);
  }
}

const layer = path.dirname(path.dirname(process.execPath));
const npm = JSON.parse(fs.readFileSync(path.join(layer, "lib/node_modules/npm/package.json"), "utf8"));
expect("the version of Node.js", process.version, `v${NODE}`);
expect("the version of npm", npm.version, NPM);
expect("every node on the path", places("node").join(), path.join(layer, "bin/node"));
expect("every npm on the path", places("npm").join(), path.join(layer, "bin/npm"));
for (const program of ABSENT) {
  expect(`every ${program} on the path`, places(program).join(), "");
}
