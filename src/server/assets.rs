//! `GET /static/{path}`: the pages' own files, which are part of the program.

use axum::{
    extract::Path,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::refusal::Refusal;

/// Every file under `static/`.
#[derive(RustEmbed)]
#[folder = "static/"]
struct Static;

/// A file, or 304 to whoever has it already.
pub(crate) async fn get(Path(path): Path<String>, headers: HeaderMap) -> Response {
    let Some(file) = Static::get(&path) else {
        let path: String = path.chars().take(120).collect();
        return Refusal::new(StatusCode::NOT_FOUND, format!("there is no file {path:?} under /static/"))
            .into_response();
    };
    let tag = tag(&file);
    // Names carry no version, so a browser asks each time; the answer is short where nothing changed.
    let caching = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::ETAG, HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\""))),
    ];
    if is_known(&headers, &tag) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    let kind = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type(&path))),
        (HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff")),
    ];
    let mut response = (caching, kind, file.data).into_response();
    if path.ends_with(".html") {
        response.headers_mut().extend(alone());
    }
    response
}

/// What asks for a process without strangers, in which a page is given a clock of microseconds: the measured
/// page tells by it when it saw what.
fn alone() -> [(HeaderName, HeaderValue); 2] {
    [
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
        (HeaderName::from_static("cross-origin-embedder-policy"), HeaderValue::from_static("require-corp")),
    ]
}

/// The start of the content's SHA-256.
fn tag(file: &EmbeddedFile) -> String {
    let digest = file.metadata.sha256_hash();
    let digits: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
}

/// Whether `If-None-Match` names this content (RFC 9110, 13.1.2): a list, each perhaps marked as weak.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// What a file's name says that it is. Without sniffing a browser runs no script and shows no style that
/// is not called so.
pub(crate) fn content_type(path: &str) -> &'static str {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension.to_ascii_lowercase().as_str() {
        "css" => "text/css; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "ico" => "image/x-icon",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "ttf" => "font/ttf",
        "wasm" => "application/wasm",
        "webmanifest" => "application/manifest+json",
        "webp" => "image/webp",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        // Licences beside vendored files have no extension.
        "txt" | "md" | "toml" | "jsonl" | "" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_type_that_a_browser_takes_without_sniffing() {
        for path in Static::iter() {
            assert_ne!(content_type(&path), "application/octet-stream", "{path}: name its type here");
        }
        assert_eq!(content_type("js/app.js"), "text/javascript; charset=utf-8");
        assert_eq!(content_type("js/app.exe"), "application/octet-stream");
    }

    #[test]
    fn a_known_tag_is_found_in_a_list() {
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("\"a\", W/\"b\""));
        assert!(is_known(&headers, "\"a\"") && is_known(&headers, "\"b\"") && !is_known(&headers, "\"c\""));
    }
}
