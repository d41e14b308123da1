//! What a file defines, and what it says where a file is wrong.

mod detection;
mod mistakes;
mod model;
mod properties;
mod published;
