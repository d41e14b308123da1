//! What a report says of a test that failed, as far as it is kept.

use quick_xml::events::{BytesRef, BytesStart};

/// Most bytes of it that are kept: the difference of two large documents may have megabytes.
const MAX_TEXT_BYTES: usize = 16 * 1024;

/// What a report says of a failed test.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailedTest {
    /// The assertion's message, where the reporter gives it apart.
    pub message: String,
    /// Everything else: mostly the message again, the stack and the difference.
    pub text: String,
}

impl FailedTest {
    /// Begins with the attributes of a `failure` or an `error`.
    pub(super) fn begin(element: &BytesStart<'_>) -> Self {
        let message = element
            .attributes()
            .with_checks(false)
            .flatten()
            .find(|attribute| attribute.key.local_name().as_ref() == b"message")
            .map(|attribute| {
                let raw = String::from_utf8_lossy(&attribute.value).into_owned();
                quick_xml::escape::unescape(&raw).map_or_else(|_| raw.clone(), Into::into)
            });
        let mut begun = Self::default();
        append(&mut begun.message, &message.unwrap_or_default());
        begun
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        append(&mut self.text, &String::from_utf8_lossy(bytes));
    }

    /// Adds what an entity stands for; those that a document declares are not expanded.
    pub(super) fn push_entity(&mut self, entity: &BytesRef<'_>) {
        if let Ok(Some(character)) = entity.resolve_char_ref() {
            return append(&mut self.text, character.encode_utf8(&mut [0; 4]));
        }
        let name = String::from_utf8_lossy(entity);
        match quick_xml::escape::resolve_predefined_entity(&name) {
            Some(text) => append(&mut self.text, text),
            None => append(&mut self.text, &format!("&{name};")),
        }
    }
}

fn append(text: &mut String, more: &str) {
    let room = MAX_TEXT_BYTES.saturating_sub(text.len());
    text.push_str(&more[..more.floor_char_boundary(room)]);
}
