#!/usr/bin/env node
"use strict";

// Starts the program of the package that npm installed for this platform.

const { spawn } = require("node:child_process");
const { constants } = require("node:os");

const name = `@serverless-delivery/cli-${process.platform}-${process.arch}`;

function find() {
  try {
    return require.resolve(`${name}/delivery`);
  } catch {
    console.error(
      process.platform === "linux"
        ? `delivery: the package \`${name}\` is not installed: either there is none for this processor, or npm was told to leave ` +
            "out optional dependencies; install again with `--include=optional`, or see docs/install.md for other ways"
        : `delivery: there is no program for ${process.platform} yet: use Linux, in a virtual machine, a container or the Subsystem ` +
            "of Windows (docs/install.md)",
    );
    return process.exit(1);
  }
}

const child = spawn(find(), process.argv.slice(2), { stdio: "inherit" });
// A terminal sends Ctrl-C to both. The program stops what it started, which this process has to wait for.
process.on("SIGINT", () => {});
for (const signal of ["SIGTERM", "SIGHUP"]) {
  process.on(signal, () => child.kill(signal));
}
child.on("error", (error) => {
  console.error(`delivery: cannot start the program of \`${name}\`: ${error.message}`);
  process.exit(1);
});
child.on("exit", (code, signal) => {
  process.exit(code ?? 128 + constants.signals[signal]);
});
