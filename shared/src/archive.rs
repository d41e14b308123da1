//! Zip archives: strict extraction and deterministic creation.
