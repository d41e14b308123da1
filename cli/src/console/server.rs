//! The addresses of the console.
//!
//! What can be got changes nothing. A command is run by `POST /run/KEY` alone, with the key of an offer: if what it is about
//! has changed since the page was shown, there is no such offer any more.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::command::{self, Commands};
use super::guard::{FORM_FIELD, Guard, Refused};
use super::look::{Look, Looks};
use super::offer::{Offer, offers};
use super::page;
use super::view::{EndedView, Overview, Question};

/// The most bytes of a form: a token and a reason.
const MOST_BYTES: usize = 8 * 1024;

/// The headers of every answer.
///
/// `same-origin`: with `no-referrer` browsers say `Origin: null` of the console's own forms (Fetch standard, "append a request
/// `Origin` header"), and these could not be told from those of others.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// What the addresses answer from.
pub(super) struct Server {
    guard: Guard,
    looks: Looks,
    commands: Arc<Commands>,
}

type Shared = State<Arc<Server>>;

impl Server {
    pub(super) fn new(guard: Guard, looks: Looks, commands: Arc<Commands>) -> Self {
        Self {
            guard,
            looks,
            commands,
        }
    }

    pub(super) fn router(self) -> Router {
        let server = Arc::new(self);
        let guarded = Router::new()
            .route("/", get(overview))
            .route("/offer/{key}", get(question))
            .route("/run/{key}", post(run))
            .route("/result/{number}", get(result))
            .fallback(async || not_found())
            .layer(middleware::from_fn_with_state(Arc::clone(&server), check));
        Router::new()
            .route("/enter", get(enter))
            .merge(guarded)
            .layer(DefaultBodyLimit::max(MOST_BYTES))
            .layer(middleware::map_response(with_headers))
            .with_state(server)
    }
}

async fn with_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let policy = HeaderValue::from_str(&page::policy()).expect("a policy is ASCII");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

async fn check(State(server): Shared, request: Request, next: Next) -> Response {
    match server.guard.check(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refused) => refuse(refused),
    }
}

/// Lets a browser in: it keeps the token as a cookie. The page leads on by itself, since a browser does not send a strict
/// cookie when another program or page has led to the console by a redirect.
async fn enter(State(server): Shared, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    if let Err(refused) = server.guard.check_host(&headers) {
        return refuse(refused);
    }
    let query = query.unwrap_or_default();
    let token = field(query.as_bytes(), "token").unwrap_or_default();
    if !server.guard.knows(&token) {
        return refuse(Refused::Token);
    }
    let cookie = [(header::SET_COOKIE, server.guard.set_cookie())];
    (cookie, html(StatusCode::OK, Ok(page::way_to("/")))).into_response()
}

async fn overview(State(server): Shared) -> Response {
    let known = server.looks.recent().await;
    let ended = server.commands.ended().await;
    let seconds = server.looks.fresh_for().as_secs();
    let page = if let Some(overview) = Overview::of(&known, &ended) {
        page::overview(&overview.title(), &overview, seconds)
    } else {
        let problem = known.problem.unwrap_or_default();
        page::notice("Nothing could be read", &problem, Some(seconds))
    };
    html(StatusCode::OK, page)
}

async fn question(State(server): Shared, Path(key): Path<String>) -> Response {
    let known = server.looks.recent().await;
    let Some(offer) = known.look.and_then(|look| find(&look, &key)) else {
        return gone();
    };
    let preview = match &offer.preview {
        Some(arguments) => Some(server.commands.show(arguments).await),
        None => None,
    };
    let question = Question::of(&offer, preview);
    html(
        StatusCode::OK,
        page::question(&offer.question, &question, &server.guard.form_value()),
    )
}

async fn run(State(server): Shared, Path(key): Path<String>, form: Bytes) -> Response {
    if let Err(refused) = server.guard.check_form(field(&form, FORM_FIELD).as_deref()) {
        return refuse(refused);
    }
    let Some(turn) = server.commands.turn() else {
        let text =
            "One command runs at a time. Nothing was done; try again when the other one has ended.";
        return html(
            StatusCode::CONFLICT,
            page::notice("Another command is running", text, None),
        );
    };
    let look = match server.looks.fresh().await {
        Ok(look) => look,
        Err(error) => {
            let text = format!(
                "Nothing was done: what it is about could not be read.\n{}",
                error.message()
            );
            return html(
                StatusCode::BAD_GATEWAY,
                page::notice("Not run", &text, None),
            );
        }
    };
    let Some(offer) = find(&look, &key) else {
        return gone();
    };
    let reason = field(&form, "reason").filter(|_| offer.takes_reason);
    let reason = reason.as_deref().and_then(command::reason);
    let arguments = command::with_option(offer.arguments, reason);
    let ended = server.commands.run(turn, arguments).await;
    server.looks.forget().await;
    // Loading the page again must not run the command again.
    let to = format!("/result/{}", ended.number);
    (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
}

async fn result(State(server): Shared, Path(number): Path<usize>) -> Response {
    let ended = server.commands.ended().await;
    let Some(ended) = ended.iter().find(|one| one.number == number) else {
        return not_found();
    };
    html(
        StatusCode::OK,
        page::result(&ended.line, &EndedView::of(ended)),
    )
}

fn find(look: &Look, key: &str) -> Option<Offer> {
    offers(look).into_iter().find(|offer| offer.key == key)
}

/// A field of a query or a form.
fn field(text: &[u8], name: &str) -> Option<String> {
    let mut fields = form_urlencoded::parse(text);
    fields.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
}

fn gone() -> Response {
    let text = "What this is about has changed since the page was shown, or somebody else has done it. Nothing was done.";
    html(
        StatusCode::CONFLICT,
        page::notice("Not offered any more", text, None),
    )
}

fn not_found() -> Response {
    html(
        StatusCode::NOT_FOUND,
        page::notice("There is no such page", "", None),
    )
}

fn refuse(refused: Refused) -> Response {
    let page = page::notice("Refused", refused.message(), None);
    html(refused.status(), page)
}

fn html(status: StatusCode, page: Result<String, minijinja::Error>) -> Response {
    match page {
        Ok(page) => {
            let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
            (status, kind, Body::from(page)).into_response()
        }
        Err(error) => {
            let text = format!("the page cannot be made: {error}");
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::args::Cli;

    struct Served {
        port: u16,
        entrance: String,
        cookie: String,
        form: String,
    }

    async fn served() -> Served {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let guard = Guard::new(port);
        let cookie = guard.set_cookie();
        let served = Served {
            port,
            entrance: guard.entrance(),
            cookie: cookie.split(';').next().unwrap().to_owned(),
            form: guard.form_value(),
        };
        let global = Cli::parse_from(["delivery", "status"]).global;
        let commands = Arc::new(Commands::new(&global));
        let router = Server::new(guard, Looks::new(&global), commands).router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        served
    }

    impl Served {
        /// The whole answer to a request with the headers of the console's own page.
        async fn answer(&self, method: &str, path: &str, body: &str) -> String {
            let cookie = format!("Cookie: {}\r\n", self.cookie);
            self.answer_to(method, path, &cookie, body).await
        }

        async fn answer_to(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
            let host = format!("127.0.0.1:{}", self.port);
            let request = format!(
                "{method} {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nConnection: close\r\n\
                 Content-Length: {}\r\n{headers}\r\n{body}",
                body.len()
            );
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        }
    }

    fn status(answer: &str) -> &str {
        answer.split(' ').nth(1).unwrap_or_default()
    }

    #[tokio::test]
    async fn a_command_is_only_run_by_a_form_of_the_console() {
        let served = served().await;
        let get = served.answer("GET", "/run/0", "").await;
        assert_eq!(status(&get), "405", "{get}");
        for body in ["", "form=", "form=guessed", "reason=x"] {
            let refused = served.answer("POST", "/run/0", body).await;
            assert_eq!(status(&refused), "403", "{body}: {refused}");
            assert!(refused.contains("Nothing was done"), "{refused}");
        }
        let form = format!("form={}", served.form);
        let without_cookie = served.answer_to("POST", "/run/0", "", &form).await;
        assert_eq!(status(&without_cookie), "403", "{without_cookie}");
        let long = format!("{form}&reason={}", "x".repeat(MOST_BYTES));
        let refused = served.answer("POST", "/run/0", &long).await;
        assert_eq!(status(&refused), "413", "{refused}");
    }

    #[tokio::test]
    async fn the_address_lets_a_browser_in_and_others_do_not() {
        let served = served().await;
        for path in [
            "/enter",
            "/enter?token=",
            "/enter?token=guessed",
            "/",
            "/result/1",
            "/other",
        ] {
            let refused = served.answer_to("GET", path, "", "").await;
            assert_eq!(status(&refused), "403", "{path}: {refused}");
            assert!(!refused.to_lowercase().contains("set-cookie"), "{refused}");
        }
        let path = &served.entrance[served.entrance.find("/enter").unwrap()..];
        let entered = served.answer_to("GET", path, "", "").await;
        assert_eq!(status(&entered), "200", "{entered}");
        assert!(
            entered.contains(&served.cookie) && entered.contains("SameSite=Strict"),
            "{entered}"
        );
        let known = served.answer("GET", "/result/1", "").await;
        assert_eq!(status(&known), "404", "{known}");
    }

    #[tokio::test]
    async fn every_answer_says_what_a_browser_may_do_with_it() {
        let served = served().await;
        let answers = [
            served.answer("GET", "/result/1", "").await,
            served.answer_to("GET", "/", "", "").await,
            served.answer("GET", "/run/0", "").await,
        ];
        for answer in answers {
            let answer = answer.to_lowercase();
            for part in [
                "default-src 'none'",
                "frame-ancestors 'none'",
                "no-store",
                "nosniff",
                "referrer-policy: same-origin",
            ] {
                assert!(answer.contains(part), "{part}: {answer}");
            }
        }
    }
}
