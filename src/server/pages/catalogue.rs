//! Every string that a visitor can see, by key, one file per language under `i18n/`.
//!
//! The templates and the pages' scripts read the same catalogue. A test holds that the languages have the
//! same keys, and that each is used.

use std::{collections::BTreeMap, sync::LazyLock};

use axum::{
    extract::Path,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};

use super::language::Language;
use crate::server::refusal::Refusal;

/// The strings of one language.
pub(super) type Catalogue = BTreeMap<String, String>;

static ENGLISH: LazyLock<Catalogue> = LazyLock::new(|| parse(text(Language::English)));
static CHINESE: LazyLock<Catalogue> = LazyLock::new(|| parse(text(Language::Chinese)));

/// The catalogue of a language.
pub(super) fn of(language: Language) -> &'static Catalogue {
    match language {
        Language::English => &ENGLISH,
        Language::Chinese => &CHINESE,
    }
}

const fn text(language: Language) -> &'static str {
    match language {
        Language::English => include_str!("../../../i18n/en.json"),
        Language::Chinese => include_str!("../../../i18n/zh.json"),
    }
}

fn parse(text: &str) -> Catalogue {
    serde_json::from_str(text).expect("a test reads every catalogue")
}

/// `GET /i18n/{language}.json`: a catalogue for the pages' scripts.
pub(super) async fn get(Path(file): Path<String>) -> Result<Response, Refusal> {
    let language = file
        .strip_suffix(".json")
        .and_then(|name| Language::ALL.into_iter().find(|language| language.slug() == name));
    let Some(language) = language else {
        return Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "no such catalogue: use /i18n/en.json or /i18n/zh.json",
        ));
    };
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, text(language)).into_response())
}

#[cfg(test)]
mod tests;
