//! `GET /results/runs` and `GET /results/{stamp}/{file}`.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use axum::{
    extract::{Path as FromPath, State as FromState},
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

use crate::{
    encoding,
    server::{
        State, assets,
        refusal::{Refusal, json_response},
    },
};

/// The newest runs that are listed.
const MAX_RUNS: usize = 200;

/// Folders that are looked into for them.
const MAX_FOLDERS: usize = 10_000;

/// Bytes of a manifest, which holds the definitions' texts.
const MAX_MANIFEST_BYTES: u64 = 4 << 20;

/// Bytes of a file that is handed out.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// What a run's folder holds.
const EXTENSIONS: [&str; 8] = ["html", "md", "json", "jsonl", "csv", "svg", "png", "toml"];

/// A report is one file with its style and pictures inside. It needs no script, and whatever text a run
/// has carried into it gets none; nor is it of this origin to whatever it loads.
const REPORT_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox";

/// A run, as its manifest tells.
#[derive(Debug, Serialize)]
struct Run {
    /// The name of its folder.
    stamp: String,
    #[serde(flatten)]
    manifest: Manifest,
    /// The address of its report, `null` where there is none yet.
    report: Option<String>,
}

/// What of a manifest is listed.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    started: String,
    /// `null` while it runs, or where it was cut short.
    finished: Option<String>,
    profile: String,
    target: String,
    /// Runs planned, by experiment.
    planned: BTreeMap<String, u64>,
    git_revision: Option<String>,
}

/// The runs, newest first.
pub(crate) async fn list(FromState(state): FromState<State>) -> Result<Response, Refusal> {
    let folder = state.runs().folder().to_owned();
    let runs = blocking(move || runs(&folder)).await?;
    Ok(json_response(StatusCode::OK, encoding::json(&runs)))
}

fn runs(folder: &Path) -> Vec<Run> {
    // Where nothing was ever run there is no folder, which is no error.
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    // A link, as `latest` is, would list its run again.
    let folders = entries.take(MAX_FOLDERS).flatten().filter(|it| it.file_type().is_ok_and(|it| it.is_dir()));
    let mut runs: Vec<Run> = folders
        .filter_map(|entry| {
            let stamp = entry.file_name().into_string().ok().filter(|name| is_plain(name))?;
            let manifest = serde_json::from_slice(&manifest(&entry.path())?).ok()?;
            let is_drawn = entry.path().join("report.html").is_file();
            let report = is_drawn.then(|| format!("/results/{stamp}/report.html"));
            Some(Run { stamp, manifest, report })
        })
        .collect();
    runs.sort_by(|a, b| b.manifest.started.cmp(&a.manifest.started));
    runs.truncate(MAX_RUNS);
    runs
}

/// The text of a run's manifest.
pub(super) fn manifest(run: &Path) -> Option<Vec<u8>> {
    read(&run.join("manifest.json"), MAX_MANIFEST_BYTES).ok().flatten()
}

/// A file of a run.
pub(crate) async fn file(
    FromState(state): FromState<State>,
    FromPath((stamp, path)): FromPath<(String, String)>,
) -> Result<Response, Refusal> {
    let shown: String = format!("{stamp}/{path}").chars().take(120).collect();
    let missing = || {
        let message =
            format!("there is no file {shown:?} among the results: GET /results/runs lists the runs");
        Refusal::new(StatusCode::NOT_FOUND, message)
    };
    let parts: Vec<&str> = std::iter::once(stamp.as_str()).chain(path.split('/')).collect();
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension).to_owned();
    if !parts.iter().all(|part| is_plain(part)) || !EXTENSIONS.contains(&extension.as_str()) {
        return Err(missing());
    }
    let folder = state.runs().folder().to_owned();
    let below: PathBuf = parts.iter().collect();
    let read = blocking(move || {
        // A link may lead to another run, as `latest` does, but not out of the results.
        let root = folder.canonicalize().ok()?;
        let path = root.join(below).canonicalize().ok().filter(|path| path.starts_with(&root))?;
        read(&path, MAX_FILE_BYTES).ok()
    });
    let bytes = read.await?.ok_or_else(missing)?.ok_or_else(|| {
        let message = format!("{shown:?} is too large to be shown: open it from the folder of the results");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    })?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(assets::content_type(&path))),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(REPORT_POLICY)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff")),
    ];
    Ok((headers, bytes).into_response())
}

/// A file's bytes; `None` where there are more than `most`.
fn read(path: &Path, most: u64) -> std::io::Result<Option<Vec<u8>>> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::ErrorKind::NotFound.into());
    }
    let mut bytes = Vec::new();
    // The length may grow between asking for it and reading.
    file.take(most + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

/// A name that leads to nowhere but itself.
fn is_plain(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.is_empty() && name.len() <= 128 && !name.starts_with('.') && name.bytes().all(is_plain)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Refusal::busy("the server is ending: try again later"))
}
