"use strict";

const { reporters } = require("mocha");
const JUnit = require("mocha-junit-reporter");

/** Mocha takes one reporter: this one is read by people in the log and by the pipeline as JUnit XML. */
class SpecAndJUnit extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    new JUnit(runner, options);
  }
}

module.exports = SpecAndJUnit;
