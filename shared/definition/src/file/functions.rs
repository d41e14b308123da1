//! `[functions]`: actions of the user's own.

use crate::form::Scalar;
use crate::map::Map;
use crate::section::{Key, section};

section! {
    /// A Lambda function of your own that is an action of the pipeline. A text is its `path`.
    pub struct FunctionSettings, short = path {
        /// The folder of a cargo project, a program, or a package (`*.zip`). Relative to `delivery.toml`; may be
        /// outside of the repository.
        path: Option<String> = Key::new("path").required().example("\"../notify-chat\"");
        /// The CloudFormation template that makes the function.
        template: Option<String> = Key::new("template")
            .default("`template.yaml` in the folder, or next to the program")
            .example("\"notify-chat.yaml\"");
        /// Parameters of that template, for `delivery run` only.
        parameters: Map<Scalar> = Key::new("parameters").default("none").example("{ Retries = 3 }");
    }
}
