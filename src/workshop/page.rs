//! A student's page, opened in a real browser: headless Chromium, driven over WebDriver.

use std::time::Duration;

use fantoccini::{error::CmdError, wd::WebDriverCompatibleCommand};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};
use url::{ParseError, Url};

use super::{http::Trouble, judge::Stop};
use crate::harness::browser::{BrowserError, Driver, Programs};

/// A browser takes a core for a while: so many at a time.
static BROWSERS: Semaphore = Semaphore::const_new(2);

/// A page that does not answer a question within this time runs a script that does not end, or the machine has
/// no time for it.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// How often a condition in the page is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// What is said of an answer at most.
const SHOWN: usize = 300;

/// A browser with one window. Dropping it ends the browser.
#[derive(Debug)]
pub(super) struct Page {
    driver: Driver,
    /// The first complaint of the console, which forgets what it has told.
    complaint: Mutex<String>,
    _place: SemaphorePermit<'static>,
}

/// Whether a page can be opened on this machine; else what to install.
pub(super) fn browser() -> Result<Programs, String> {
    Programs::find().map_err(|error| match error {
        BrowserError::Missing(program) => format!(
            "this check opens the page in a browser, and there is no {program} on the PATH: install Chromium and \
             its driver (Debian: apt-get install chromium chromium-driver)"
        ),
        other => other.to_string(),
    })
}

impl Page {
    /// Starts a browser.
    pub(super) async fn start() -> Result<Self, Stop> {
        let programs = browser().map_err(Stop::CouldNotTell)?;
        let not_up = |error: String| Stop::CouldNotTell(format!("no browser: {error}"));
        let place = BROWSERS.acquire().await.map_err(|error| not_up(error.to_string()))?;
        let driver = Driver::start(&programs, true).await.map_err(|error| not_up(error.to_string()))?;
        Ok(Page { driver, complaint: Mutex::default(), _place: place })
    }

    /// Loads a page, and waits until its scripts have run.
    pub(super) async fn open(&self, url: &str) -> Result<(), Trouble> {
        answered(self.driver.client.goto(url)).await
    }

    /// What an expression is in the page.
    pub(super) async fn value(&self, expression: &str) -> Result<Value, Trouble> {
        let script = format!("return ({expression});");
        answered(self.driver.client.execute(&script, Vec::new())).await
    }

    /// Waits until an expression has this value; what it was last.
    pub(super) async fn until(
        &self,
        expression: &str,
        wanted: &Value,
        within: Duration,
    ) -> Result<Value, Trouble> {
        let deadline = Instant::now() + within;
        loop {
            let value = self.value(expression).await?;
            if value == *wanted || Instant::now() > deadline {
                return Ok(value);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What the page's console says of errors in its scripts, the first of them; empty where there is none.
    pub(super) async fn complaint(&self) -> String {
        let log = answered(self.driver.client.issue_cmd(ConsoleLog)).await.unwrap_or_default();
        let messages = log.as_array().into_iter().flatten();
        let severe = messages.filter(|it| it["level"] == "SEVERE" && it["source"] == "javascript");
        let texts = severe.filter_map(|it| it["message"].as_str());
        let first: String = texts.map(|text| text.chars().take(SHOWN).collect()).next().unwrap_or_default();
        let mut complaint = self.complaint.lock();
        if complaint.is_empty() {
            *complaint = first;
        }
        complaint.clone()
    }

    /// Closes it in an orderly way.
    pub(super) async fn close(self) {
        self.driver.close().await;
    }
}

async fn answered<T>(command: impl Future<Output = Result<T, CmdError>>) -> Result<T, Trouble> {
    match timeout(ANSWERS_WITHIN, command).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            let what: String = error.to_string().chars().take(SHOWN).collect();
            Err(Trouble::new(format!("the browser said: {what}")))
        }
        Err(_) => {
            let what = format!("the page answered nothing for {} s", ANSWERS_WITHIN.as_secs());
            Err(Trouble::new(what).next(
                "Look for a loop in the page's script that does not end. Where there is none, the machine is \
                 very busy: check again.",
            ))
        }
    }
}

/// The console's log, which chromedriver has beyond the standard.
#[derive(Debug)]
struct ConsoleLog;

impl WebDriverCompatibleCommand for ConsoleLog {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({ "type": "browser" }).to_string()))
    }
}
