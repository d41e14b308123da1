//! Chromium without a window.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// What it is called by Debian, others, and Google.
const PROGRAMS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// How long a page may take in the browser's own time: more than its script waits for.
const VIRTUAL_TIME_MS: u32 = 1_000;

pub(super) struct Browser {
    program: PathBuf,
}

/// What a page is looked at on.
#[derive(Clone, Copy)]
pub(super) struct Screen {
    width: u32,
    height: u32,
    dark: bool,
}

impl Screen {
    pub(super) const DESKTOP: Self = Self {
        width: 860,
        height: 1000,
        dark: false,
    };
    pub(super) const DARK: Self = Self {
        dark: true,
        ..Self::DESKTOP
    };
    pub(super) const TELEPHONE: Self = Self {
        width: 390,
        height: 844,
        dark: false,
    };
}

impl Browser {
    /// The one of this machine. Continuous integration installs one; elsewhere its tests say that they are skipped.
    pub(super) fn find() -> Option<Self> {
        let path = delivery_action::env::var_os("PATH").unwrap_or_default();
        let folders: Vec<_> = std::env::split_paths(&path).collect();
        let mut programs = PROGRAMS
            .iter()
            .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
        let found = programs.find(|program| program.is_file());
        if found.is_none() {
            assert!(
                delivery_action::env::var("CI").is_none(),
                "there is no Chromium, which continuous integration has to install"
            );
            println!(
                "skipped: the page in a browser: there is no Chromium (Debian, Ubuntu: apt install chromium)"
            );
        }
        found.map(|program| Self { program })
    }

    /// The page's elements after its script has run.
    pub(super) fn dom(&self, page: &Path) -> String {
        self.dom_on(page, Screen::DESKTOP)
    }

    pub(super) fn dom_on(&self, page: &Path, screen: Screen) -> String {
        self.run(page, screen, &["--dump-dom".into()])
    }

    pub(super) fn screenshot(&self, page: &Path, screen: Screen, to: &Path) {
        let mut option = OsString::from("--screenshot=");
        option.push(to);
        self.run(page, screen, &[option]);
        assert!(to.is_file(), "no screenshot of {}", page.display());
    }

    fn run(&self, page: &Path, screen: Screen, options: &[OsString]) -> String {
        let profile = TempDir::new().unwrap();
        let mut command = Command::new(&self.program);
        command
            .arg("--headless")
            // Tests run as root in containers; the page is the test's own.
            .args([
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
            ])
            .args([
                "--no-first-run",
                "--disable-extensions",
                "--disable-background-networking",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("--window-size={},{}", screen.width, screen.height))
            .arg(format!("--virtual-time-budget={VIRTUAL_TIME_MS}"))
            .arg("--enable-logging=stderr");
        if screen.dark {
            command.arg("--blink-settings=preferredColorScheme=0");
        }
        let output = command
            .args(options)
            .arg(format!("file://{}", page.display()))
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{printed}");
        String::from_utf8(output.stdout).unwrap()
    }
}
