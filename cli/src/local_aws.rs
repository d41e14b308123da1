//! The local AWS that `delivery run` and `delivery local` work with.
//!
//! It is MiniStack and this project's CodePipeline engine ([`services`]). They run in the process of the run
//! and end with it, or with `--keep` and `local start` in a [`background`] process that outlives it. An
//! [`environment::Environment`] is either, as a command sees it; [`crate::state_folder`] has the files and the
//! lock by which commands find a background process.

pub(crate) mod background;
mod commands;
pub(crate) mod endpoints;
pub(crate) mod environment;
pub(crate) mod launch;
pub(crate) mod services;

pub(crate) use commands::{env, start, stop};

use crate::state_folder::StateFolder;

/// Why the first start takes long; `None` where it does not.
pub(crate) fn installation(home: &StateFolder) -> Option<String> {
    (!local::ministack::is_installed(home.path())).then(|| {
        let home = home.path().display();
        format!("installing it in `{home}` first, which takes half a minute once")
    })
}
