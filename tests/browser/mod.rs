//! A headless Chromium for the tests of the pages: Debian's, driven over WebDriver.
//!
//! Where it is missing, a test says on standard error that it was not run, and passes, unless
//! `PUSHLAB_REQUIRE_BROWSER=1` demands it.

#![allow(dead_code, reason = "no test uses all of it")]

use std::{collections::HashMap, fs, time::Duration};

use fantoccini::Client;
use pushlab::harness::browser::{BrowserError, Driver, Programs};
use serde_json::{Value, json};

use crate::support::PATIENCE;

/// How often a condition in the page is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// A browser of its own for one test.
pub(crate) struct Browser {
    pub(crate) client: Client,
    driver: Driver,
}

impl Browser {
    /// Starts one, or says that the test is not run.
    pub(crate) async fn start(test: &str) -> Option<Browser> {
        let driver = Driver::start(&programs(test)?, true).await.expect("the browser starts");
        Some(Browser { client: driver.client.clone(), driver })
    }

    /// Loads a page and waits until its scripts are ready.
    pub(crate) async fn open(&self, url: &str) {
        self.client.goto(url).await.expect("a page");
        self.until("document.body.dataset.ready === 'true'").await;
    }

    /// What an expression is in the page.
    pub(crate) async fn value(&self, expression: &str) -> Value {
        let script = format!("return ({expression});");
        self.client.execute(&script, Vec::new()).await.unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// Runs a statement in the page.
    pub(crate) async fn run(&self, statement: &str) {
        self.client
            .execute(statement, Vec::new())
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    /// Waits until an expression is true in the page.
    pub(crate) async fn until(&self, expression: &str) {
        let wait = async {
            while self.value(expression).await != Value::Bool(true) {
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            let page = self.value("document.body.innerText").await;
            panic!("never came true: {expression}\n{}", page.as_str().unwrap_or_default());
        }
    }

    /// What the page has complained about since this was asked last, what its policy refused included.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.client.issue_cmd(Vendor::log()).await.expect("a log");
        let entries = log.as_array().cloned().unwrap_or_default();
        let severe = entries.into_iter().filter(|entry| entry["level"] == "SEVERE");
        severe.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// A command of the DevTools protocol, and its answer.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let call = Vendor::devtools(command, &parameters);
        self.client.issue_cmd(call).await.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// The resident memory of the processes that run its pages, in bytes; `None` where this system does not
    /// tell. The pages' sandbox may keep their own processes from us, so they are found by their ancestry.
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        let mut processes = HashMap::new();
        for entry in fs::read_dir("/proc").ok()?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            // One that has ended meanwhile takes nothing.
            let Ok(status) = fs::read_to_string(entry.path().join("status")) else { continue };
            let field = |name: &str| {
                let value = status.lines().find_map(|line| line.strip_prefix(name))?;
                value.split_whitespace().next()?.parse::<u64>().ok()
            };
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let renders = String::from_utf8_lossy(&command).contains("--type=renderer");
            processes.insert(pid, (field("PPid:")? as u32, field("VmRSS:").unwrap_or(0), renders));
        }
        let is_ours = |pid: u32| {
            let parent = |pid: &u32| processes.get(pid).map(|(parent, ..)| *parent);
            std::iter::successors(Some(pid), parent).any(|pid| Some(pid) == self.driver.group())
        };
        let ours = processes.iter().filter(|(pid, (.., renders))| *renders && is_ours(**pid));
        Some(ours.map(|(_, (_, kib, _))| kib * 1024).sum())
    }

    /// Ends the browser.
    pub(crate) async fn end(self) {
        // `drop` ends what is left, should closing fail.
        self.driver.close().await;
    }
}

/// Where the browser is; says that the test is not run where there is none.
pub(crate) fn programs(test: &str) -> Option<Programs> {
    let missing = match Programs::find() {
        Ok(programs) => return Some(programs),
        Err(BrowserError::Missing(program)) => program,
        Err(error) => panic!("{error}"),
    };
    let message = format!(
        "NOT RUN: {test}: it needs chromium and chromedriver (apt-get install chromium chromium-driver); there is no \
         {missing}"
    );
    assert!(std::env::var_os("PUSHLAB_REQUIRE_BROWSER").is_none_or(|it| it != "1"), "{message}");
    // Not `eprintln!`, which the test harness swallows where a test passes.
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{message}");
    None
}

/// A command that chromedriver has beyond the standard.
#[derive(Debug)]
struct Vendor {
    path: &'static str,
    body: String,
}

impl Vendor {
    /// The console's log.
    fn log() -> Self {
        Vendor { path: "se/log", body: json!({ "type": "browser" }).to_string() }
    }

    fn devtools(command: &str, parameters: &Value) -> Self {
        Vendor { path: "goog/cdp/execute", body: json!({ "cmd": command, "params": parameters }).to_string() }
    }
}

impl fantoccini::wd::WebDriverCompatibleCommand for Vendor {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.clone()))
    }
}
