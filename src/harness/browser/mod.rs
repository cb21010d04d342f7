//! A real browser as a measured client: headless Chromium, driven over WebDriver.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `driver` | finds, starts and ends Chromium and its driver |
//! | `window` | its windows, each lent to one reader |
//! | `page` | the reader: a page whose own `EventSource` or `WebSocket` reads |
//! | `offset` | the page's clock against ours; pure |
//!
//! The page itself is `static/measured/`. It comes from the server under test, through the reader's relay where
//! there is one, so that what it connects to is its own origin.

mod driver;
mod offset;
pub(super) mod page;
mod window;

pub use driver::{BrowserError, Driver, Programs};
pub use page::{Page, Told};
pub use window::Browser;
