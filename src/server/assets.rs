//! `GET /static/…`: the pages' scripts and styles, from within the program.

use axum::{
    extract::Path,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};

use super::refusal::Refusal;

#[derive(rust_embed::RustEmbed)]
#[folder = "static/"]
struct Files;

/// Answers with a file.
pub(crate) async fn get(Path(path): Path<String>) -> Result<Response, Refusal> {
    let Some(file) = Files::get(&path) else {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "no such file"));
    };
    let kind = match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    };
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, file.data).into_response())
}
