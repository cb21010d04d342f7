//! Whether what a target needs is there.

use std::path::{Path, PathBuf};

use super::Described;

impl Described {
    /// Why it can't be measured here, with what to install; `None` where everything is there.
    pub fn not_installed(&self) -> Option<String> {
        let install = self.description.install.as_ref()?;
        let programs = install.programs.iter().filter(|program| find_program(program).is_none());
        let files = install.files.iter().filter(|file| !self.folder.join(file).exists());
        let missing: Vec<&str> = programs.chain(files).map(String::as_str).collect();
        (!missing.is_empty()).then(|| {
            format!(
                "{}: {} not found: install by `{}`, or leave this target out",
                self.description.name,
                missing.join(" and "),
                install.by
            )
        })
    }
}

/// Where a program is: by its path, or in one of the folders of `PATH` and those of the system's own programs,
/// which are not in every user's.
pub(super) fn find_program(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| path.is_file());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    path.is_file()
}
