//! draft
mod meter;
pub use meter::{Meter, Totals};
