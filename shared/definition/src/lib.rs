#![doc = include_str!("../README.md")]
//!
//! # From text to answers
//!
//! - [`parse`] reads `delivery.toml` and reports all of its mistakes at once.
//! - [`Definition`] answers what the services are and in which order they are deployed, what the environments are and
//!   in which order a release goes through them, what a service's parameters are in an environment, and what its
//!   stack is called.
//! - [`kind_of`] says from the files of a folder what it is deployed as.
//! - [`json_schema`] and [`reference()`] describe the file; they are made from the declarations that [`parse`] reads by.
//!
//! The format is decided as a whole, and some of it is not applied yet: [`Definition::not_yet_supported`] names the keys
//! that are set without effect, so that a caller refuses them or warns.
//!
//! Nothing here reads a file, a variable or a clock: equal text gives equal answers, in `delivery`, in a function and
//! in a pipeline.

mod check;
mod definition;
mod file;
mod form;
mod kind;
mod lines;
mod map;
mod mistake;
pub mod names;
mod nearest;
mod order;
mod parameters;
mod reader;
mod reference;
mod schema;
mod section;
mod support;
mod value;

pub use definition::{Definition, Environment, Pipeline, Service, Target, UnknownEnvironment};
pub use file::environment::EnvironmentSettings;
pub use file::functions::FunctionSettings;
pub use file::previews::PreviewSettings;
pub use file::service::{BuildSettings, Capability, Kind, ServiceSettings, TestSettings};
pub use file::{Architecture, File};
pub use form::{Located, Number, Scalar};
pub use kind::{Detected, Folder, TEMPLATES, UnknownKind, kind_of};
pub use map::{Map, Named};
pub use mistake::{Mistake, Mistakes};
pub use parameters::{Parameter, Source};
pub use reference::reference;
pub use schema::json_schema;
pub use support::NotYet;
pub use value::alarm::AlarmName;
pub use value::duration::Span;
pub use value::hook::HookFunction;
pub use value::path::{Pattern, RepositoryPath};
pub use value::place::{Account, Region, Role, TimeZone};
pub use value::text::{Part, Reference, Text};
pub use value::ttl::Ttl;

use toml::de::DeTable;

use form::Form;
use reader::Reader;

/// How the parser of TOML calls a key that is there twice. The rest of such a file can be read.
const DUPLICATE_KEY: &str = "duplicate key";

/// Reads `delivery.toml`; `file` is what messages call it.
///
/// # Errors
///
/// All that is wrong, with the lines.
pub fn parse(text: &str, file: &str) -> Result<Definition, Mistakes> {
    parse_bytes(text.as_bytes(), file)
}

/// Reads the bytes of `delivery.toml`; `file` is what messages call it.
///
/// # Errors
///
/// All that is wrong, with the lines.
pub fn parse_bytes(bytes: &[u8], file: &str) -> Result<Definition, Mistakes> {
    let mut reader = Reader::new(bytes);
    let keys = read(bytes, &mut reader);
    if let Some(mistakes) = Mistakes::new(file, reader.mistakes) {
        return Err(mistakes);
    }
    let mut not_yet = reader.not_yet;
    not_yet.sort_by_key(|key| key.line);
    Ok(Definition::new(keys.unwrap_or_default(), not_yet))
}

fn read(bytes: &[u8], reader: &mut Reader) -> Option<File> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let start = error.valid_up_to();
            let what = format!("byte {} of the file is not UTF-8 text", start + 1);
            reader.report(reader.line(&(start..start)), what, "save the file as UTF-8");
            return None;
        }
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        report_syntax(error, text, reader);
    }
    if errors.iter().any(|error| error.message() != DUPLICATE_KEY) {
        return None;
    }
    let span = table.span();
    let value = toml::Spanned::new(span, toml::de::DeValue::Table(table.into_inner()));
    let file = File::read(&value, reader)?;
    let forms: Vec<_> = reader.mistakes.drain(..).collect();
    reader.values_are_missing = !forms.is_empty();
    check::check(&file, reader);
    // What the checks find on a line that could not be read may only follow from that.
    let is_wrong = |line: usize| forms.iter().any(|form| form.line == line);
    reader.mistakes.retain(|found| !is_wrong(found.line));
    reader.report_absent(is_wrong);
    reader.mistakes.extend(forms);
    Some(file)
}

fn report_syntax(error: &toml::de::Error, text: &str, reader: &mut Reader) {
    let span = error.span().unwrap_or(0..0);
    let line = reader.line(&span);
    // One mistake leads to more where the parser goes on.
    if reader.mistakes.iter().any(|mistake| mistake.line == line) {
        return;
    }
    if error.message() == DUPLICATE_KEY {
        let key = text.get(span).unwrap_or_default().trim();
        reader.report(
            line,
            format!("`{key}` is set twice"),
            "remove one of the two",
        );
    } else {
        let what = format!("this is not TOML: {}", error.message());
        reader.report(line, what, "see https://toml.io for how a file is written");
    }
}
