//! What all pages share: the language, the room, the links, the headers.

use askama::Template;
use axum::{
    extract::FromRequestParts,
    response::{Html, IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header, request::Parts};

use super::{
    catalogue::{self, Catalogue},
    exercises::{self, Exercise},
    language::{COOKIE, Language},
};
use crate::{
    feed::ChannelName,
    link::conditions::Profile,
    server::{State, connection::OnConnection, networks, refusal::Refusal},
    transport::Transport,
};

/// The room of visitors who name none.
const COMMON_ROOM: &str = "demo";

/// What a page knows about its visitor.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) language: Language,
    strings: &'static Catalogue,
    /// Whether the visitor asked for the language just now, so that it is to be kept.
    chosen: bool,
    /// The channel that everything on the page reads and publishes to.
    pub(super) room: ChannelName,
    /// Where the page was loaded from; the `curl` lines name it.
    pub(super) host: String,
    path: String,
    /// Whether this page can reach the networks' doors.
    pub(super) has_networks: bool,
}

impl FromRequestParts<State> for Page {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Refusal> {
        let Ok(connection) = OnConnection::from_request_parts(parts, state).await;
        let query = parts.uri.query().unwrap_or_default();
        let value = |name: &str| {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs.find(|(key, _)| key == name).map(|(_, value)| value).filter(|value| !value.is_empty())
        };
        let room = value("room").unwrap_or(COMMON_ROOM.into()).parse()?;
        let asked = value("lang").and_then(|tag| Language::of(&tag));
        let language = asked.unwrap_or_else(|| Language::from_headers(&parts.headers));
        let named = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let has_networks = !networks::ports_for(state, connection.0.local, named).is_empty();
        let local = connection.0.local.map_or_else(|| "127.0.0.1:3000".to_owned(), |local| local.to_string());
        Ok(Page {
            language,
            strings: catalogue::of(language),
            chosen: asked.is_some(),
            room,
            host: named.map_or(local, str::to_owned),
            path: parts.uri.path().to_owned(),
            has_networks,
        })
    }
}

impl Page {
    /// A string of the visitor's language.
    pub(super) fn t(&self, key: &str) -> &str {
        self.strings.get(key).map_or("", String::as_str)
    }

    /// The string whose key is put together from three parts.
    pub(super) fn t3(&self, before: &str, part: &str, after: &str) -> &str {
        self.strings.get(&format!("{before}{part}{after}")).map_or("", String::as_str)
    }

    /// A transport's name.
    pub(super) fn name(&self, transport: &Transport) -> &str {
        self.t3("transport.", transport.slug(), ".name")
    }

    /// Where a transport's page is.
    pub(super) fn demo(&self, transport: &Transport) -> String {
        format!("/demo/{}", transport.slug())
    }

    /// Where a subject's tour is.
    pub(super) fn tour(&self, subject: &str) -> String {
        format!("/tour/{subject}")
    }

    /// A path of this server, in the same room.
    pub(super) fn link(&self, path: &str) -> String {
        if self.room.to_string() == COMMON_ROOM {
            path.to_owned()
        } else {
            format!("{path}?room={}", self.room)
        }
    }

    /// This page in another language.
    pub(super) fn in_language(&self, language: &Language) -> String {
        format!("{}?room={}&lang={}", self.path, self.room, language.slug())
    }

    /// Whether a path is the one being shown, which its link says to screen readers.
    pub(super) fn is_at(&self, path: &str) -> bool {
        self.path == path
    }

    /// The exercises that are about what this page shows.
    pub(super) fn exercises(&self) -> Vec<&'static Exercise> {
        let is_about = |exercise: &&Exercise| exercise.about.demos.contains(&self.path);
        exercises::all().iter().filter(is_about).collect()
    }

    /// What the page at a path is called.
    pub(super) fn title_of(&self, path: &str) -> &str {
        match path.trim_start_matches('/').split_once('/') {
            Some(("demo", slug)) => self.t3("transport.", slug, ".name"),
            Some(("tour", subject)) => self.t3("tour.", subject, ".title"),
            _ if path == "/compare" => self.t("compare.title"),
            _ => self.t("results.title"),
        }
    }

    /// Whether the page being shown is this one or one of those that it lists.
    pub(super) fn is_under(&self, path: &str) -> bool {
        self.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Every language.
    pub(super) fn languages(&self) -> [Language; 2] {
        Language::ALL
    }

    /// Every transport.
    pub(super) fn transports(&self) -> [Transport; 4] {
        Transport::ALL
    }

    /// Every named network, from the fastest to the slowest.
    pub(super) fn networks(&self) -> [Profile; 5] {
        Profile::ALL
    }

    /// Renders a template into an answer.
    pub(super) fn show(&self, template: &impl Template) -> Result<Response, Refusal> {
        let html = template.render().map_err(|error| {
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the page could not be written: {error}"))
        })?;
        let mut response = Html(html).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(self.language.tag()));
        headers.insert(header::VARY, HeaderValue::from_static("accept-language, cookie"));
        if self.chosen {
            let cookie =
                format!("{COOKIE}={}; Path=/; Max-Age=31536000; SameSite=Strict", self.language.slug());
            if let Ok(cookie) = HeaderValue::from_str(&cookie) {
                headers.insert(header::SET_COOKIE, cookie);
            }
        }
        Ok(response)
    }
}
