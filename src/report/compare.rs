//! stub
use crate::report::folder::ReportError;
use std::path::Path;
/// stub
/// # Errors
/// stub
pub fn compare(_earlier: &Path, _later: &Path) -> Result<String, ReportError> {
    Ok(String::new())
}
