//! npm-install
