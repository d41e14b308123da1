//! Chromium without a window, driven by its own protocol (`DevTools`) through a pair of pipes: messages of JSON, each with a
//! zero byte after it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, sleep};

/// What it is called by Debian, others, and Google.
const PROGRAMS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Chromium reads messages from descriptor 3 and writes them to 4.
const WITH_PIPES: &str = r#"exec "$0" "$@" 3<&0 4>&1 0</dev/null 1>/dev/null"#;

/// How often a test looks at the page.
const LOOK: Duration = Duration::from_millis(200);

/// What a page is looked at on.
#[derive(Clone, Copy)]
pub(crate) struct Screen {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) is_dark: bool,
    pub(crate) is_mobile: bool,
}

/// One browser with one page.
pub(crate) struct Chromium {
    _program: Child,
    _profile: TempDir,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    session: Option<String>,
    calls: u64,
}

impl Chromium {
    /// Starts the one of this machine. Continuous integration installs one; elsewhere its tests say that they are skipped.
    pub(crate) async fn start() -> Option<Self> {
        let Some(program) = find() else {
            assert!(
                delivery_action::env::var("CI").is_none(),
                "there is no Chromium, which continuous integration has to install"
            );
            println!(
                "skipped: the console in a browser: there is no Chromium (Debian, Ubuntu: apt install chromium)"
            );
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        let mut started = Command::new("sh")
            .args(["-c", WITH_PIPES])
            .arg(program)
            // Tests run as root in containers; the page is the test's own.
            .args([
                "--headless",
                "--remote-debugging-pipe",
                "--no-sandbox",
                "--disable-gpu",
            ])
            .args([
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--no-first-run",
            ])
            .args(["--disable-extensions", "--disable-background-networking"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut this = Self {
            to: started.stdin.take().unwrap(),
            from: BufReader::new(started.stdout.take().unwrap()),
            _program: started,
            _profile: profile,
            session: None,
            calls: 0,
        };
        let target = this
            .call("Target.createTarget", json!({ "url": "about:blank" }))
            .await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = this.call("Target.attachToTarget", attach).await;
        this.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        this.call("Page.enable", json!({})).await;
        Some(this)
    }

    async fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.calls += 1;
        let mut message = json!({ "id": self.calls, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = serde_json::to_vec(&message).unwrap();
        bytes.push(0);
        self.to.write_all(&bytes).await.unwrap();
        loop {
            let mut answer = Vec::new();
            let read = self.from.read_until(0, &mut answer).await.unwrap();
            assert!(read > 0, "Chromium ended during {method}");
            answer.pop();
            let mut answer: Value = serde_json::from_slice(&answer).unwrap();
            if answer["id"] == self.calls {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].take();
            }
        }
    }

    pub(crate) async fn open(&mut self, address: &str) {
        let opened = self.call("Page.navigate", json!({ "url": address })).await;
        assert!(opened["errorText"].is_null(), "{address}: {opened}");
    }

    /// The value of an expression in the page. Between two pages there is none.
    pub(crate) async fn value(&mut self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "returnByValue": true });
        let mut found = self.call("Runtime.evaluate", parameters).await;
        found["result"]["value"].take()
    }

    /// The text of the page as a person reads it.
    pub(crate) async fn text(&mut self) -> String {
        let text = self.value("document.body.innerText").await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page has loaded and its text is as expected.
    pub(crate) async fn shows(&mut self, part: &str, within: Duration) -> String {
        let began = Instant::now();
        loop {
            let text = self.text().await;
            let loaded = self.value("document.readyState").await == "complete";
            if loaded && text.contains(part) {
                return text;
            }
            assert!(began.elapsed() < within, "no `{part}` in\n{text}");
            sleep(LOOK).await;
        }
    }

    /// Goes to the button or link whose name, as it is read out, begins so, and presses Enter there.
    pub(crate) async fn press(&mut self, name: &str) {
        let focus = format!(
            "(() => {{ const all = [...document.querySelectorAll('a, button, input')];
              const name = (one) => one.getAttribute('aria-label') || one.innerText;
              const found = all.find((one) => name(one).startsWith({}));
              if (found) found.focus();
              return found !== undefined && document.activeElement === found; }})()",
            json!(name)
        );
        let found = self.value(&focus).await;
        assert_eq!(found, true, "no `{name}` in\n{}", self.text().await);
        let key = |kind: &str, text: &str| json!({ "type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": text });
        self.call("Input.dispatchKeyEvent", key("keyDown", "\r"))
            .await;
        self.call("Input.dispatchKeyEvent", key("keyUp", "")).await;
    }

    /// Types into the field of this id.
    pub(crate) async fn types(&mut self, id: &str, text: &str) {
        let focus = format!("document.getElementById({}).focus()", json!(id));
        self.value(&focus).await;
        self.call("Input.insertText", json!({ "text": text })).await;
    }

    /// Looks at the page on another screen.
    pub(crate) async fn screen(&mut self, screen: Screen) {
        let metrics = json!({
            "width": screen.width, "height": screen.height, "deviceScaleFactor": 1, "mobile": screen.is_mobile,
        });
        self.call("Emulation.setDeviceMetricsOverride", metrics)
            .await;
        let scheme = if screen.is_dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call(
            "Emulation.setEmulatedMedia",
            json!({ "features": features }),
        )
        .await;
    }

    /// Takes a picture of what is on the screen.
    pub(crate) async fn picture(&mut self, to: &Path) {
        let how = json!({ "format": "webp", "quality": 70 });
        let taken = self.call("Page.captureScreenshot", how).await;
        let bytes = STANDARD.decode(taken["data"].as_str().unwrap()).unwrap();
        fs::write(to, bytes).unwrap();
    }
}

fn find() -> Option<PathBuf> {
    let path = delivery_action::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    let mut programs = PROGRAMS
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    programs.find(|program| program.is_file())
}
