"use strict";

const { execFileSync } = require("node:child_process");
const fs = require("node:fs/promises");
const path = require("node:path");

const { ESLint } = require("eslint");
const gulp = require("gulp");
const Mocha = require("mocha");

const REPORTS = "reports";
const DIST = "dist";
const TEST_TIMEOUT_MS = 15_000;

async function lint() {
  const eslint = new ESLint();
  const results = await eslint.lintFiles(["."]);
  const formatter = await eslint.loadFormatter("stylish");
  const text = await formatter.format(results);
  if (text) {
    console.log(text);
  }
  const problems = results.reduce((sum, { errorCount }) => sum + errorCount, 0);
  if (problems > 0) {
    throw new Error(`eslint found ${problems} problem${problems === 1 ? "" : "s"}`);
  }
}
lint.description = "Checks the sources with eslint";

/** Runs the tests in `folder`; they are read by people in the log and by machines as JUnit XML. */
async function mocha(folder) {
  const runner = new Mocha({
    timeout: TEST_TIMEOUT_MS,
    reporter: path.resolve("test/support/reporter.js"),
    reporterOptions: {
      mochaFile: path.join(REPORTS, `${path.basename(folder)}.xml`),
      testsuitesTitle: `greeter ${path.basename(folder)} tests`,
    },
  });
  const files = await fs.readdir(folder);
  for (const file of files.filter((name) => name.endsWith(".test.js")).sort()) {
    runner.addFile(path.join(folder, file));
  }
  const failures = await new Promise((resolve) => runner.run(resolve));
  if (failures > 0) {
    throw new Error(`${failures} test${failures === 1 ? "" : "s"} failed`);
  }
}

async function test() {
  await mocha("test/unit");
}
test.description = "Runs the unit tests";

async function testFunctional() {
  await mocha("test/functional");
}
testFunctional.displayName = "test-functional";
testFunctional.description = "Tests a running stage: TARGET_URL (API), SITE_URL, VERSION";

async function clean() {
  await fs.rm(DIST, { recursive: true, force: true });
}
clean.description = "Removes what was packaged";

/** The commit that is packaged: the pipeline tells it, a working copy asks Git. */
function version() {
  if (process.env.GIT_COMMIT) {
    return process.env.GIT_COMMIT;
  }
  try {
    return execFileSync("git", ["rev-parse", "HEAD"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return "development";
  }
}

async function packageLambda() {
  const target = path.join(DIST, "lambda");
  await fs.cp("lambda", target, { recursive: true });
  await fs.writeFile(path.join(target, "version.json"), `${JSON.stringify({ version: version() })}\n`);

  // What the handler needs and no more: every package of the lock file that is not for development.
  const { packages } = JSON.parse(await fs.readFile("package-lock.json", "utf8"));
  for (const [folder, { dev }] of Object.entries(packages)) {
    if (folder && !dev) {
      await fs.cp(folder, path.join(target, folder), { recursive: true });
    }
  }
}
packageLambda.displayName = "package-lambda";

async function packageApi() {
  const document = JSON.parse(await fs.readFile("openapi.json", "utf8"));
  await fs.mkdir(DIST, { recursive: true });
  await fs.writeFile(path.join(DIST, "openapi.json"), `${JSON.stringify(document, null, 2)}\n`);
}
packageApi.displayName = "package-api";

function packageSite() {
  // Without `encoding: false` gulp 5 would read images and fonts as UTF-8 text.
  return gulp.src("site/**", { encoding: false }).pipe(gulp.dest(path.join(DIST, "site")));
}
packageSite.displayName = "package-site";

const build = gulp.series(clean, gulp.parallel(packageLambda, packageApi, packageSite));

exports.clean = clean;
exports.lint = lint;
exports.test = test;
exports["test-functional"] = testFunctional;
exports.package = gulp.series(gulp.parallel(lint, test), build);
exports.package.description = "Checks, tests and packages: dist/lambda, dist/openapi.json, dist/site";
exports.default = exports.package;
