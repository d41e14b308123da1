//! Children without a shell, with a scrubbed environment.
