//! Tables whose keys are names of the user's.

use std::ops::Deref;

use crate::form::{Form, Shape};
use crate::reader::{Reader, Value};

/// Something under a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Named<T> {
    /// The name.
    pub name: String,
    /// The line of the name, from 1.
    pub line: usize,
    /// What it names.
    pub value: T,
}

impl<T> Deref for Named<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// What stands under names, in the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Map<T>(Vec<Named<T>>);

impl<T> Map<T> {
    /// What has a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Named<T>> {
        self.0.iter().find(|entry| entry.name == name)
    }

    /// All, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Named<T>> {
        self.0.iter()
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.iter().map(|entry| entry.name.as_str())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn push(&mut self, name: &str, line: usize, value: T) {
        self.0.push(Named {
            name: name.to_owned(),
            line,
            value,
        });
    }
}

impl<T> Default for Map<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'a, T> IntoIterator for &'a Map<T> {
    type Item = &'a Named<T>;
    type IntoIter = std::slice::Iter<'a, Named<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Form + Default> Form for Map<T> {
    fn shape() -> Shape {
        Shape::Map(Box::new(T::shape()))
    }

    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        let mut map = Self::default();
        for entry in reader.table(value, "a table")? {
            let read = reader.under(entry.name, |reader| T::read(entry.value, reader));
            // A name whose value is wrong is known all the same: who refers to it makes no second mistake.
            map.push(entry.name, entry.line, read.unwrap_or_default());
        }
        Some(map)
    }
}
