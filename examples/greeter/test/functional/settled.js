"use strict";

// A deployment is visible to every visitor only some time after it is done: DNS, caches and a
// function's running instances take their time.
const PATIENCE_MS = Number(process.env.PATIENCE_SECONDS ?? 60) * 1000;
const PAUSE_MS = 500;
const REQUEST_TIMEOUT_MS = 10_000;

/** A variable that the pipeline (or you, on the command line) must have set. */
function required(name, example) {
  const value = process.env[name];
  if (!value) {
    throw new Error(`set ${name} to what is to be tested, for example ${name}=${example}`);
  }
  return value;
}

/** A URL below a base URL, whether or not that ends with a slash. */
function below(base, path) {
  return new URL(path, base.endsWith("/") ? base : `${base}/`);
}

async function get(url, headers = {}) {
  return fetch(url, { headers, signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
}

/** Fetches the JSON document at `url` until its version is the one that was deployed. */
async function settled(url, version) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const seen = await look(url);
    if (seen.version === version || (!version && seen.version)) {
      return;
    }
    if (Date.now() > deadline) {
      throw new Error(`${url} answered ${seen.told} and not version ${version || "(any)"}`);
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function look(url) {
  try {
    const response = await get(url);
    const text = await response.text();
    const told = `${response.status} ${text.slice(0, 200)}`;
    return { told, version: response.ok ? JSON.parse(text).version : undefined };
  } catch (error) {
    return { told: `${error.cause ?? error}` };
  }
}

module.exports = { PATIENCE_MS, below, get, required, settled };
