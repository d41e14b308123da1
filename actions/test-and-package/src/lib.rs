//! test-and-package
