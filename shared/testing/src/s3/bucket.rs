//! What tests do with a bucket.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;

/// One object, as far as tests compare them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObject {
    /// The content.
    pub body: Vec<u8>,
    /// `Content-Type`, as it was put.
    pub content_type: Option<String>,
    /// `Cache-Control`, as it was put.
    pub cache_control: Option<String>,
}

/// One bucket as a test puts things in and looks at it.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: Client,
    name: String,
}

impl Bucket {
    /// The bucket of this name; it need not be there yet.
    #[must_use]
    pub fn new(config: &SdkConfig, name: &str) -> Self {
        Self {
            client: Client::new(config),
            name: name.to_owned(),
        }
    }

    /// Makes the bucket.
    pub async fn create(&self) -> &Self {
        self.client
            .create_bucket()
            .bucket(&self.name)
            .send()
            .await
            .expect("a bucket is made");
        self
    }

    /// Puts an object.
    pub async fn put(&self, key: &str, body: impl Into<Vec<u8>>) -> &Self {
        let request = self.client.put_object().bucket(&self.name).key(key);
        request
            .body(ByteStream::from(body.into()))
            .send()
            .await
            .expect("an object is put");
        self
    }

    /// Reads an object; `None` if there is none.
    pub async fn get(&self, key: &str) -> Option<StoredObject> {
        let request = self.client.get_object().bucket(&self.name).key(key);
        let object = match request.send().await {
            Ok(object) => object,
            Err(error) if error.raw_response()?.status().as_u16() == 404 => return None,
            Err(error) => panic!("object `{key}` cannot be read: {error:?}"),
        };
        let content_type = object.content_type.clone();
        let cache_control = object.cache_control.clone();
        let body = object
            .body
            .collect()
            .await
            .expect("an object is read whole")
            .to_vec();
        Some(StoredObject {
            body,
            content_type,
            cache_control,
        })
    }

    /// Removes an object.
    pub async fn delete(&self, key: &str) {
        let request = self.client.delete_object().bucket(&self.name).key(key);
        request.send().await.expect("an object is removed");
    }

    /// Everything in it, by key.
    pub async fn snapshot(&self) -> BTreeMap<String, StoredObject> {
        let mut objects = BTreeMap::new();
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket(&self.name)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            for listed in page.expect("a bucket is listed").contents() {
                let key = listed.key().expect("a listed object has a key");
                let object = self.get(key).await.expect("a listed object can be read");
                objects.insert(key.to_owned(), object);
            }
        }
        objects
    }
}
