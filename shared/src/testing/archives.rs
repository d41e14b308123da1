//! Archives for tests, hostile ones among them.
