//! The browser's windows, each lent to one reader.

use std::{sync::Arc, time::Duration};

use fantoccini::{Client, wd::WindowHandle};
use parking_lot::Mutex;
use serde_json::Value;

use super::driver::{BrowserError, Driver, Programs};

/// How long a command may take: a page that is not there within this time is not coming.
const OBEYS_WITHIN: Duration = Duration::from_secs(30);

/// A browser for a whole session.
#[derive(Debug)]
pub struct Browser {
    driver: Driver,
    /// A driver has one current window, so that a command to another begins with a change: both have to be
    /// one step.
    current: tokio::sync::Mutex<()>,
    /// Windows that nobody uses. To open one costs more than to load another page into it.
    free: Mutex<Vec<WindowHandle>>,
}

impl Browser {
    /// Starts one with so many windows, so that none has to be opened while others are measured.
    ///
    /// # Errors
    /// Where it does not come up.
    pub async fn start(programs: &Programs, windows: usize) -> Result<Arc<Self>, BrowserError> {
        let driver = Driver::start(programs, false).await?;
        let mut free = vec![obeyed(driver.client.window()).await?];
        while free.len() < windows {
            free.push(obeyed(driver.client.new_window(false)).await?.handle);
        }
        let (current, free) = (tokio::sync::Mutex::default(), Mutex::new(free));
        Ok(Arc::new(Browser { driver, current, free }))
    }

    /// Closes it in an orderly way. What is left of it ends with the last that holds it.
    pub async fn close(&self) {
        self.driver.close().await;
    }

    /// The id of the group of processes that all of its own are in.
    pub fn group(&self) -> Option<u32> {
        self.driver.group()
    }

    /// A window for one reader: one that nobody uses, or a new one. A window and not a tab, since a page in a
    /// tab behind others is slowed down.
    pub(super) async fn window(self: &Arc<Self>) -> Result<Window, BrowserError> {
        let free = self.free.lock().pop();
        let handle = match free {
            Some(handle) => handle,
            None => {
                let _current = self.current.lock().await;
                obeyed(self.driver.client.new_window(false)).await?.handle
            }
        };
        Ok(Window { browser: Arc::clone(self), handle: Some(handle) })
    }
}

/// A window that one reader has; dropping it gives it back. What runs in it goes on until it loads another
/// page.
#[derive(Debug)]
pub(super) struct Window {
    browser: Arc<Browser>,
    handle: Option<WindowHandle>,
}

impl Window {
    /// Makes it the current one. Nobody else gives commands until the visit is over.
    pub(super) async fn visit(&self) -> Result<Visit<'_>, BrowserError> {
        let current = self.browser.current.lock().await;
        let client = &self.browser.driver.client;
        if let Some(handle) = &self.handle {
            obeyed(client.switch_to_window(handle.clone())).await?;
        }
        Ok(Visit { client, _current: current })
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.browser.free.lock().extend(self.handle.take());
    }
}

/// A window while it is the current one.
pub(super) struct Visit<'a> {
    client: &'a Client,
    _current: tokio::sync::MutexGuard<'a, ()>,
}

impl Visit<'_> {
    /// Loads a page and waits until its scripts have run.
    pub(super) async fn load(&self, url: &str) -> Result<(), BrowserError> {
        obeyed(self.client.goto(url)).await
    }

    /// Runs a script that ends at once.
    pub(super) async fn run(&self, script: &str, arguments: Vec<Value>) -> Result<Value, BrowserError> {
        obeyed(self.client.execute(script, arguments)).await
    }

    /// Runs a script that calls its last argument when it is done.
    pub(super) async fn run_async(&self, script: &str) -> Result<Value, BrowserError> {
        obeyed(self.client.execute_async(script, Vec::new())).await
    }
}

async fn obeyed<T>(
    command: impl Future<Output = Result<T, fantoccini::error::CmdError>>,
) -> Result<T, BrowserError> {
    match tokio::time::timeout(OBEYS_WITHIN, command).await {
        Ok(obeyed) => Ok(obeyed?),
        Err(_) => Err(BrowserError::NotUp(format!("no answer within {} s", OBEYS_WITHIN.as_secs()))),
    }
}
