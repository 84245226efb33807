//! The phone page's files, which are part of the executable.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use std::sync::LazyLock;

/// What the page may load and do: only what comes from here, and WebSockets; nobody may frame it (attacks.md row 16).
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     media-src 'self' blob:; connect-src 'self' ws: wss:; manifest-src 'self'; worker-src 'self'; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'";

include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// One file.
struct Page {
    /// The path of its URL.
    path: &'static str,
    body: &'static [u8],
}

/// The tags of [`PAGES`], in their order.
static TAGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let tag = |page: &Page| {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, page.body);
        let hexadecimal = digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}"));
        format!("\"{}\"", hexadecimal.collect::<String>())
    };
    PAGES.iter().map(tag).collect()
});

/// Answers a request for a file: 200, 304 or 404.
pub(super) fn get(path: &str, headers: &HeaderMap) -> Response<Body> {
    let path = if path == "/" { "/index.html" } else { path };
    let found = PAGES.iter().zip(TAGS.iter()).find(|(page, _)| page.path == path);
    let Some((page, tag)) = found else { return StatusCode::NOT_FOUND.into_response() };
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let unchanged = known.is_some_and(|known| known.split(',').any(|known| known.trim() == tag));
    let mut response = match unchanged {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => Bytes::from_static(page.body).into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, content_type(path)),
        // Always asked for again, so that a new version is seen at once; unchanged it costs a 304.
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if is_for_other_pages(path) {
        // No cookie and no credential goes with these requests, so that anybody's page may read what anybody may read.
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    }
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// Which origins may embed a resource (Fetch standard, section 3.8); a page that isolates itself loads nothing without it.
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Whether pages of other origins may use a file: the widget and the library, which are scripts; not the phone page.
fn is_for_other_pages(path: &str) -> bool {
    path.ends_with(".js")
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("json" | "webmanifest") => "application/json",
        Some("wav") => "audio/wav",
        Some("mp3") => "audio/mpeg",
        _ => "application/octet-stream",
    }
}
