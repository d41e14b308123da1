//! A registry of npm with the packages of a release.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::staged::{VERSION, run};

/// Where it listens, and which tarballs were fetched.
pub(crate) struct Registry {
    pub(crate) url: String,
    fetched: Arc<Mutex<Vec<String>>>,
}

impl Registry {
    /// Serves every package in a folder.
    pub(crate) async fn of(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut answers = BTreeMap::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.extension().is_none_or(|end| end != "tgz") {
                continue;
            }
            let mut command = Command::new("tar");
            command.arg("-xzOf").arg(&path).arg("package/package.json");
            let mut manifest: Value = serde_json::from_str(&run(&mut command)).unwrap();
            let name = manifest["name"].as_str().unwrap().to_owned();
            manifest["dist"] = json!({"tarball": format!("{url}/tarballs/{file}")});
            let latest = json!({"latest": VERSION});
            let packument =
                json!({"name": name, "dist-tags": latest, "versions": {VERSION: manifest}});
            answers.insert(format!("/{name}"), packument.to_string().into_bytes());
            answers.insert(format!("/tarballs/{file}"), fs::read(&path).unwrap());
        }
        let fetched = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&fetched);
        let answer = move |request: Request| async move {
            let path = request.uri().path().replace("%2f", "/");
            if let Some(file) = path.strip_prefix("/tarballs/") {
                seen.lock().unwrap().push(file.to_owned());
            }
            found(answers.get(&path))
        };
        tokio::spawn(async move {
            axum::serve(listener, Router::new().fallback(answer))
                .await
                .unwrap();
        });
        Self { url, fetched }
    }

    /// The files that npm took.
    pub(crate) fn fetched(&self) -> Vec<String> {
        let mut fetched = self.fetched.lock().unwrap().clone();
        fetched.sort();
        fetched.dedup();
        fetched
    }
}

fn found(answer: Option<&Vec<u8>>) -> Response {
    answer.map_or_else(
        || StatusCode::NOT_FOUND.into_response(),
        |bytes| bytes.clone().into_response(),
    )
}
