//! One console from the first approval to a rollback. Everything is done with the keyboard, as a person would who has no mouse.

use std::path::Path;
use std::time::Duration;

use pipeline_tests::application::Application;
use pipeline_tests::aws::Aws;
use pipeline_tests::delivery::{Delivery, Running};
use pipeline_tests::home::home;
use pipeline_tests::visitor::Visitor;

use crate::chromium::{Chromium, Screen};
use crate::world::{Console, PATIENCE, greeter, production, variables};

/// What somebody writes who wants the page to do something.
const HOSTILE: &str = "<img src=x onerror=\"document.title='owned'\">";

/// How long the page may take to show what a command has done.
const SOON: Duration = Duration::from_mins(1);

const DESKTOP: Screen = Screen {
    width: 860,
    height: 1000,
    is_dark: false,
    is_mobile: false,
};

const DARK: Screen = Screen {
    is_dark: true,
    ..DESKTOP
};

const TELEPHONE: Screen = Screen {
    width: 390,
    height: 844,
    is_dark: false,
    is_mobile: true,
};

/// What a person has before them.
struct Desk<'a> {
    greeter: &'a Application,
    delivery: &'a Delivery,
    browser: Chromium,
    aws: Aws,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_approves_aborts_and_rolls_back_in_a_browser() {
    let Some(browser) = Chromium::start().await else {
        return;
    };
    let greeter = greeter();
    let home = home();
    let delivery = Delivery::silently(greeter.path(), home.path());
    let _kept = delivery.ends_with_this();
    let first = delivery.start(&["--keep"]).unwrap();
    let variables = variables(&delivery).await;
    let console = Console::start(&greeter, &variables).await;
    let mut desk = Desk {
        greeter: &greeter,
        delivery: &delivery,
        browser,
        aws: Aws::new(variables),
    };

    nobody_is_let_in_without_the_address(&mut desk, &console).await;
    desk.browser.open(&console.url).await;
    desk.approves().await;
    ends(first, 0).await;
    // The first version is the template's placeholder.
    assert_eq!(production(&desk.aws).await, ("2".to_owned(), 1));

    a_rollout_is_finished(&mut desk).await;
    a_rollout_is_aborted(&mut desk).await;
    production_is_rolled_back(&mut desk).await;
    a_failed_run_is_shown_and_can_be_retried(&mut desk).await;
    assert_eq!(console.interrupt().await, Some(0));
}

async fn ends(run: Running, code: i32) {
    let run = run.end().await.unwrap();
    assert_eq!(run.exit_code, code, "{:#?}\n{}", run.result(), run.printed);
}

impl Desk<'_> {
    /// Delivers a change with this message.
    fn delivers(&self, old: &str, new: &str, message: &str) -> Running {
        self.greeter
            .replace("lambda/greetings.js", old, new)
            .unwrap();
        self.greeter.commit(message).unwrap();
        self.delivery.start(&["--keep"]).unwrap()
    }

    /// Chooses a command on the overview, says yes, and returns what it said.
    async fn does(&mut self, label: &str, word: &str, reason: Option<&str>) -> String {
        self.browser.press(label).await;
        self.browser.shows("This is run: delivery ", SOON).await;
        if let Some(reason) = reason {
            self.browser.types("reason", reason).await;
        }
        self.browser.press(word).await;
        let said = self.browser.shows("Exit code", SOON).await;
        self.browser.press("Back to the overview").await;
        self.browser.shows("Commands from this console", SOON).await;
        said
    }

    async fn approves(&mut self) {
        self.browser.shows("Waits for approval", PATIENCE).await;
        let said = self.does("Approve", "Approve", Some("looks good")).await;
        assert!(
            said.contains("Exit code 0") && said.contains("✓ Approved"),
            "{said}"
        );
        assert!(said.contains("'--message=looks good'"), "{said}");
    }

    /// Nothing that others wrote has become a part of the page.
    async fn is_not_owned(&mut self) {
        let elements = self
            .browser
            .value("document.querySelectorAll('main img').length")
            .await;
        assert_eq!(elements, 0);
        let title = self.browser.value("document.title").await;
        assert!(!title.as_str().unwrap().contains("owned"), "{title}");
    }

    /// `DELIVERY_UPDATE_DOCS=1` writes the picture of the documentation.
    async fn is_pictured(&mut self, name: &str, screen: Screen) {
        self.browser.screen(screen).await;
        let fits = "document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(
            self.browser.value(fits).await,
            true,
            "{name} is wider than the screen"
        );
        let picture = tempfile::Builder::new().suffix(".webp").tempfile().unwrap();
        self.browser.picture(picture.path()).await;
        let documented = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images");
        let documented = documented.join(format!("{name}.webp"));
        if delivery_action::env::var("DELIVERY_UPDATE_DOCS").is_some() {
            std::fs::copy(picture.path(), &documented).unwrap();
        }
        let bytes = std::fs::metadata(documented).unwrap().len();
        assert!(bytes < 100_000, "{name}: {bytes} bytes");
        self.browser.screen(DESKTOP).await;
    }
}

async fn nobody_is_let_in_without_the_address(desk: &mut Desk<'_>, console: &Console) {
    let origin = console.origin();
    desk.browser.open(&format!("{origin}/")).await;
    desk.browser.shows("Open the address that", SOON).await;
    desk.browser
        .open(&format!("{origin}/enter?token=guessed"))
        .await;
    desk.browser.shows("Open the address that", SOON).await;
    // A name that was made to point here.
    let visitor = Visitor::default();
    let other = console.url.replace("127.0.0.1", "127.0.0.2");
    assert!(
        visitor.get(&other).await.is_err(),
        "only 127.0.0.1 is listened on"
    );
}

async fn a_rollout_is_finished(desk: &mut Desk<'_>) {
    let run = desk.delivers("LONGEST_NAME = 80;", "LONGEST_NAME = 80; // 2", HOSTILE);
    desk.approves().await;
    let text = desk.browser.shows("step 1 of", PATIENCE).await;
    assert!(text.contains("<img src=x onerror="), "{text}");
    desk.is_not_owned().await;
    assert_eq!(production(&desk.aws).await, ("2".to_owned(), 2));
    let said = desk.does("Finish", "Finish", None).await;
    assert!(said.contains("✓ finished the rollout"), "{said}");
    ends(run, 0).await;
    assert_eq!(production(&desk.aws).await, ("3".to_owned(), 1));
}

async fn a_rollout_is_aborted(desk: &mut Desk<'_>) {
    let run = desk.delivers("= 80; // 2", "= 80; // 3", "Greet a third time");
    desk.approves().await;
    desk.browser.shows("step 1 of", PATIENCE).await;
    desk.is_pictured("console-rollout", DESKTOP).await;
    desk.is_pictured("console-telephone", TELEPHONE).await;
    let said = desk.does("Abort", "Abort", Some("it is slow")).await;
    assert!(said.contains("✗ aborted the rollout"), "{said}");
    assert_eq!(production(&desk.aws).await, ("3".to_owned(), 1));
    ends(run, 3).await;
    let text = desk.browser.shows("Retry all", SOON).await;
    assert!(text.contains("it is slow"), "{text}");
    desk.is_pictured("console-failed", DARK).await;
}

async fn production_is_rolled_back(desk: &mut Desk<'_>) {
    let label = "Roll back: Bring back what prod had before?";
    let said = desk.does(label, "Roll back", Some("not on a Friday")).await;
    assert!(said.contains("Exit code 0"), "{said}");
    assert_eq!(production(&desk.aws).await, ("2".to_owned(), 1));
    let text = desk.browser.shows("Held", SOON).await;
    assert!(text.contains("not on a Friday"), "{text}");
    let said = desk.does("Resume", "Resume", None).await;
    assert!(said.contains("Exit code 0"), "{said}");
}

/// The name of the test that fails is as hostile as the message of the commit.
async fn a_failed_run_is_shown_and_can_be_retried(desk: &mut Desk<'_>) {
    let named = "greets a visitor by name";
    let hostile = HOSTILE.replace('"', "'");
    desk.greeter
        .replace("test/unit/greetings.test.js", named, &hostile)
        .unwrap();
    let run = desk.delivers("?? \"\").trim()", "?? \"\")", "Keep spaces");
    ends(run, 3).await;
    let shown = desk.browser.shows("(JobFailed)", SOON).await;
    assert!(shown.contains("<img src=x onerror="), "{shown}");
    desk.is_not_owned().await;
    let label = "Retry: Retry the failed actions of Commit";
    let said = desk.does(label, "Retry", None).await;
    assert!(
        said.contains("retrying the failed actions of Commit"),
        "{said}"
    );
}
