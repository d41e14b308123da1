//! A first service, for a folder that has nothing to deploy: a function with an address, and its tests.

use std::path::Path;

use delivery_definition::Kind;
use delivery_definition::names::ONLY_SERVICE;

use super::build::Build;
use super::find::FoundService;

/// Its files, by their paths in the folder.
pub(super) const FILES: [(&str, &str); 6] = [
    ("template.yaml", include_str!("starter/template.yaml")),
    ("src/app.mjs", include_str!("starter/src/app.mjs")),
    ("package.json", include_str!("starter/package.json")),
    (
        "test/unit.test.mjs",
        include_str!("starter/test/unit.test.mjs"),
    ),
    (
        "test/functional.test.mjs",
        include_str!("starter/test/functional.test.mjs"),
    ),
    (".gitignore", include_str!("starter/gitignore")),
];

/// Beginnings of names of files that a folder may have in which there is nothing yet.
const BESIDES: [&str; 3] = [".", "README", "LICENSE"];

/// Whether a folder has nothing that a person would deploy.
pub(super) fn is_for(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.all(|name| BESIDES.iter().any(|one| name.starts_with(one)))
}

/// What it is in `delivery.toml`.
pub(super) fn service() -> FoundService {
    let mut service = FoundService::new(Kind::Stack);
    ONLY_SERVICE.clone_into(&mut service.name);
    ".".clone_into(&mut service.directory);
    service.build = Build::Task("test".to_owned());
    service.test = Some("test-functional".to_owned());
    service.outputs = vec!["Url".to_owned()];
    service
}
