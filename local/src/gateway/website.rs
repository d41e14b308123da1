//! The gap: `MiniStack` 1.5.33 keeps a bucket's website configuration but serves no website.
//!
//! Each site gets a loopback port of its own, since a site's pages link to `/`, and names below
//! `localhost` do not resolve everywhere. `MiniStack` asks for it (`gaps/addresses.py`) when a template
//! makes a bucket that is a website: its address is the bucket's attribute `WebsiteURL`.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::forward::{self, Upstream};
use crate::{access, listen};

/// The index document of a bucket whose configuration names none.
const INDEX: &str = "index.html";

/// What `MiniStack` adds to its answers.
const CORS: [HeaderName; 4] = [
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
];

/// The sites by their buckets.
#[derive(Debug, Default)]
pub(super) struct Websites {
    sites: Mutex<HashMap<String, Site>>,
}

#[derive(Debug)]
struct Site {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Websites {
    /// The address of a bucket's site; its port is taken the first time that it is asked for.
    pub(super) async fn open(&self, bucket: &str, ministack: &Upstream) -> io::Result<SocketAddr> {
        if let Some(site) = self.sites().get(bucket) {
            return Ok(site.address);
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state = (ministack.clone(), Arc::from(bucket));
        let router = Router::new().fallback(answer).with_state(state);
        let task = tokio::spawn(listen::serve(listener, router));
        let mut sites = self.sites();
        if let Some(site) = sites.get(bucket) {
            task.abort(); // another request has opened it in the meantime
            return Ok(site.address);
        }
        sites.insert(bucket.to_owned(), Site { address, task });
        Ok(address)
    }

    /// Stops answering.
    pub(super) fn close(&self) {
        for (_, site) in self.sites().drain() {
            site.task.abort();
        }
    }

    fn sites(&self) -> MutexGuard<'_, HashMap<String, Site>> {
        self.sites.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type SiteState = (Upstream, Arc<str>);

async fn answer(
    State((ministack, bucket)): State<SiteState>,
    request: Request<Body>,
) -> Response<Body> {
    if !access::is_local(request.headers()) {
        return forward::text(StatusCode::FORBIDDEN, "403 Forbidden");
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return forward::text(StatusCode::METHOD_NOT_ALLOWED, "405 Method Not Allowed");
    }
    match fetch(&ministack, &bucket, &request.into_parts().0).await {
        Ok(response) => response,
        Err(error) => forward::bad_gateway(&error),
    }
}

/// What S3's website endpoint answers: the object, the folder's index document, a redirect into the
/// folder, or the error document.
async fn fetch(
    ministack: &Upstream,
    bucket: &str,
    request: &Parts,
) -> Result<Response<Body>, forward::Error> {
    let (index, error_document) = documents(ministack, bucket).await?;
    let path = request.uri.path();
    let key = if path.ends_with('/') {
        format!("{path}{index}")
    } else {
        path.to_owned()
    };
    let response = get(ministack, bucket, &key, request).await?;
    if response.status() != StatusCode::NOT_FOUND {
        return Ok(response);
    }
    if !path.ends_with('/') {
        let folder = get(ministack, bucket, &format!("{path}/{index}"), request).await?;
        if folder.status().is_success() {
            return Ok(redirect(&format!("{path}/")));
        }
    }
    let Some(document) = error_document else {
        return Ok(forward::text(StatusCode::NOT_FOUND, "404 Not Found"));
    };
    let mut response = get(ministack, bucket, &format!("/{document}"), request).await?;
    if !response.status().is_success() {
        return Ok(forward::text(StatusCode::NOT_FOUND, "404 Not Found"));
    }
    *response.status_mut() = StatusCode::NOT_FOUND;
    Ok(response)
}

/// The bucket's index and error documents.
async fn documents(
    ministack: &Upstream,
    bucket: &str,
) -> Result<(String, Option<String>), forward::Error> {
    let path = format!("/{bucket}?website");
    let request = Request::get(&path)
        .body(Body::empty())
        .expect("a bucket's name is a valid path");
    let response = ministack.send(request).await?;
    let body = forward::read(&path, response.into_body()).await?;
    let text = String::from_utf8_lossy(&body);
    Ok((
        element(&text, "Suffix").unwrap_or_else(|| INDEX.to_owned()),
        element(&text, "Key"),
    ))
}

/// The text of the first element of that name. The configuration is what `MiniStack`'s CloudFormation
/// wrote; keys that need escapes in XML are not looked for.
fn element(text: &str, name: &str) -> Option<String> {
    let (_, after) = text.split_once(&format!("<{name}>"))?;
    let (value, _) = after.split_once("</")?;
    Some(value.to_owned())
}

async fn get(
    ministack: &Upstream,
    bucket: &str,
    key: &str,
    request: &Parts,
) -> Result<Response<Body>, forward::Error> {
    let mut asked = Request::builder()
        .method(request.method.clone())
        .uri(Uri::try_from(format!("/{bucket}{key}")).expect("a valid path below a bucket's name"));
    for name in [
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
        header::RANGE,
    ] {
        if let Some(value) = request.headers.get(&name) {
            asked = asked.header(name, value);
        }
    }
    let asked = asked.body(Body::empty()).expect("its parts are valid");
    let mut response = ministack.send(asked).await?;
    // `MiniStack` lets every page read every object; S3 lets none where the bucket has no CORS configuration.
    for name in CORS {
        response.headers_mut().remove(name);
    }
    Ok(response)
}

fn redirect(location: &str) -> Response<Body> {
    let mut response = forward::text(StatusCode::FOUND, "302 Found");
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_are_read_from_the_website_configuration() {
        let xml = "<WebsiteConfiguration><IndexDocument><Suffix>home.html</Suffix></IndexDocument>\
                   <ErrorDocument><Key>oops.html</Key></ErrorDocument></WebsiteConfiguration>";
        assert_eq!(element(xml, "Suffix").as_deref(), Some("home.html"));
        assert_eq!(element(xml, "Key").as_deref(), Some("oops.html"));
        assert_eq!(element(xml, "None"), None);
    }
}
