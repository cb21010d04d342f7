//! draft
pub mod definition;
pub mod manifest;
pub mod record;
