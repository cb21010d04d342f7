//! Builds in what the pages show: makes a new file under `static/` a reason to build again, where the library
//! embeds them all, and lists the workshop's texts.

use std::{env, fmt::Write as _, fs, path::Path};

fn main() {
    println!("cargo:rerun-if-changed=static");
    exercises();
}

/// Writes a list of every exercise's name, text and `exercise.toml`. Its programs are left out: a server is no
/// place for solutions.
fn exercises() {
    // Not the whole folder, which `workshop check` itself writes to; a new exercise has its check listed here.
    println!("cargo:rerun-if-changed=src/workshop/checks/mod.rs");
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let folder = Path::new(&root).join("workshop");
    let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|it| it.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.starts_with(|first: char| first.is_ascii_digit()));
    names.sort();
    let mut list = String::from("[\n");
    for name in names {
        let files = ["README.md", "exercise.toml"].map(|file| folder.join(&name).join(file));
        let [text, about] = files.map(|file| {
            println!("cargo:rerun-if-changed={}", file.display());
            format!("include_str!({:?})", file.display().to_string())
        });
        writeln!(list, "({name:?}, {text}, {about}),").expect("memory");
    }
    list.push(']');
    let out = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("exercises.rs"), list).expect("cargo's folder can be written");
}
