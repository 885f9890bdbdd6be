//! The fake of the Actions cache, by its own HTTP and by the client that it imitates the other end of.

mod official;
mod service;

use bytes::Bytes;
use ghswarm_lab::FakeActionsCache;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// A version, as clients make them: 64 hexadecimal digits.
const VERSION: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// An answer.
#[derive(Debug)]
struct Reply {
    status: u16,
    headers: http::HeaderMap,
    body: Vec<u8>,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }
}

async fn ask(
    cache: &FakeActionsCache,
    (method, target): (&str, &str),
    fields: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    let stream = TcpStream::connect(cache.addr()).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .header("host", cache.addr().to_string());
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request
        .body(Full::new(Bytes::copy_from_slice(body)))
        .unwrap();
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    Reply {
        status: head.status.as_u16(),
        headers: head.headers,
        body: body.collect().await.unwrap().to_bytes().to_vec(),
    }
}

/// One call of the service.
async fn call(cache: &FakeActionsCache, token: &str, method: &str, body: &Value) -> Reply {
    let target = format!("/twirp/github.actions.results.api.v1.CacheService/{method}");
    let bearer = format!("Bearer {token}");
    let fields = [
        ("authorization", &*bearer),
        ("content-type", "application/json"),
    ];
    let body = body.to_string();
    ask(cache, ("POST", &target), &fields, body.as_bytes()).await
}

/// What follows the host of a signed URL.
fn target(url: &str) -> &str {
    let rest = url.strip_prefix("http://").unwrap();
    &rest[rest.find('/').unwrap()..]
}

/// Keeps `bytes` under `key`; the answer to the reservation if that was refused.
async fn save(cache: &FakeActionsCache, token: &str, key: &str, bytes: &[u8]) -> Reply {
    let entry = json!({"key": key, "version": VERSION});
    let reserved = call(cache, token, "CreateCacheEntry", &entry).await;
    if reserved.status != 200 || reserved.json()["ok"] != true {
        return reserved;
    }
    let url = reserved.json()["signed_upload_url"].clone();
    let put = ("PUT", target(url.as_str().unwrap()));
    let kind = [("x-ms-blob-type", "BlockBlob")];
    assert_eq!(ask(cache, put, &kind, bytes).await.status, 201);
    let entry = json!({"key": key, "version": VERSION, "size_bytes": bytes.len().to_string()});
    call(cache, token, "FinalizeCacheEntryUpload", &entry).await
}

async fn look_up(cache: &FakeActionsCache, token: &str, start: &str) -> Reply {
    let wanted = json!({"key": start, "restore_keys": [start], "version": VERSION});
    call(cache, token, "GetCacheEntryDownloadURL", &wanted).await
}
