//! CloudFront's invalidations: one caller reference makes one invalidation.
//!
//! Source: CloudFront API Reference, `CreateInvalidation` and `InvalidationBatch`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::{Answer, ApiRequest};

/// Most paths that may be under way for a distribution (Developer Guide, "Quotas on invalidations").
const MAX_PATHS: usize = 3_000;

/// The account's distributions.
#[derive(Clone, Debug, Default)]
pub struct CloudFront {
    /// Invalidations by distribution and caller reference.
    distributions: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

impl CloudFront {
    /// Makes a distribution.
    pub fn create(&mut self, id: &str) {
        self.distributions.insert(id.to_owned(), BTreeMap::new());
    }

    /// What was invalidated: the paths of each invalidation, by caller reference.
    ///
    /// # Panics
    ///
    /// If there is no such distribution.
    #[must_use]
    pub fn invalidations(&self, id: &str) -> &BTreeMap<String, Vec<String>> {
        &self.distributions[id]
    }

    /// Answers one request.
    #[must_use]
    pub fn route(&mut self, request: &ApiRequest) -> Answer {
        let (status, body) = match request.operation.name.as_str() {
            "CreateInvalidation" => self.create_invalidation(request.segment(2), &request.bytes),
            _ => error(
                403,
                "AccessDenied",
                "this operation is not part of this world",
            ),
        };
        let headers = vec![("content-type", "text/xml".to_owned())];
        Answer {
            status,
            headers,
            body: body.into_bytes(),
        }
    }

    fn create_invalidation(&mut self, id: &str, body: &[u8]) -> (u16, String) {
        let Some(invalidations) = self.distributions.get_mut(id) else {
            return error(
                404,
                "NoSuchDistribution",
                "The specified distribution does not exist.",
            );
        };
        let Some(batch) = Batch::read(body) else {
            return error(
                400,
                "MalformedXML",
                "The XML you provided was not well-formed",
            );
        };
        if batch.quantity != batch.paths.len() {
            return error(
                400,
                "InconsistentQuantities",
                "Quantity and the items do not agree",
            );
        }
        if batch.paths.len() > MAX_PATHS {
            return error(
                413,
                "BatchTooLarge",
                "Your request contains too many invalidation paths",
            );
        }
        if batch.paths.is_empty() || batch.paths.iter().any(|path| !path.starts_with('/')) {
            return error(
                400,
                "InvalidArgument",
                "Your request contains one or more invalid invalidation paths.",
            );
        }
        let known = invalidations
            .entry(batch.reference.clone())
            .or_insert_with(|| batch.paths.clone());
        if *known != batch.paths {
            let message =
                "Your request contains a caller reference that was used for another batch";
            return error(400, "InvalidationBatchAlreadyExists", message);
        }
        (201, batch.described())
    }
}

#[derive(Debug, Default)]
struct Batch {
    reference: String,
    quantity: usize,
    paths: Vec<String>,
}

impl Batch {
    fn read(body: &[u8]) -> Option<Self> {
        let mut reader = Reader::from_reader(body);
        let mut batch = Self::default();
        let mut text = String::new();
        loop {
            match reader.read_event().ok()? {
                Event::Start(_) => text.clear(),
                Event::Text(found) => text.push_str(&found.decode().ok()?),
                Event::End(end) => match end.name().as_ref() {
                    b"CallerReference" => batch.reference = std::mem::take(&mut text),
                    b"Quantity" => batch.quantity = text.parse().ok()?,
                    b"Path" => batch.paths.push(std::mem::take(&mut text)),
                    _ => {}
                },
                Event::Eof => break,
                _ => {}
            }
        }
        (!batch.reference.is_empty()).then_some(batch)
    }

    fn described(&self) -> String {
        let mut items = String::new();
        for path in &self.paths {
            let _infallible = write!(items, "<Path>{path}</Path>");
        }
        format!(
            "<?xml version=\"1.0\"?><Invalidation xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\">\
             <Id>I-{reference}</Id><Status>InProgress</Status>\
             <CreateTime>2026-11-21T00:00:00.000Z</CreateTime><InvalidationBatch><Paths>\
             <Quantity>{quantity}</Quantity><Items>{items}</Items></Paths>\
             <CallerReference>{reference}</CallerReference></InvalidationBatch></Invalidation>",
            reference = self.reference,
            quantity = self.paths.len(),
        )
    }
}

fn error(status: u16, code: &str, message: &str) -> (u16, String) {
    let body = format!(
        "<?xml version=\"1.0\"?><ErrorResponse xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\">\
         <Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>world</RequestId></ErrorResponse>"
    );
    (status, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(reference: &str, path: &str) -> String {
        format!(
            "<InvalidationBatch><Paths><Quantity>1</Quantity><Items><Path>{path}</Path></Items></Paths>\
             <CallerReference>{reference}</CallerReference></InvalidationBatch>"
        )
    }

    #[test]
    fn one_reference_makes_one_invalidation() {
        let mut distributions = CloudFront::default();
        distributions.create("E1");
        for _ in 0..2 {
            assert_eq!(
                distributions
                    .create_invalidation("E1", batch("r", "/a").as_bytes())
                    .0,
                201
            );
        }
        assert_eq!(distributions.invalidations("E1").len(), 1);
        let (status, body) = distributions.create_invalidation("E1", batch("r", "/b").as_bytes());
        assert_eq!(status, 400);
        assert!(body.contains("InvalidationBatchAlreadyExists"));
    }

    #[test]
    fn an_unknown_distribution_is_refused() {
        let (status, body) = CloudFront::default().create_invalidation("E1", b"");
        assert_eq!(status, 404);
        assert!(body.contains("NoSuchDistribution"));
    }
}
