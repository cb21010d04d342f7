//! The whole way from made-up run folders to what is written.

mod fixture;

use std::fs;

use super::*;

const ALL: [(&str, &str); 3] =
    [("bandwidth", fixture::BANDWIDTH), ("latency", fixture::LATENCY), ("reconnect", fixture::RECONNECT)];

#[test]
fn preview() {
    let dir = PathBuf::from("/tmp/look");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    fixture::write_folder(&dir, &fixture::manifest(&ALL, 70), &fixture::records());
    write(&dir).unwrap();
    println!("{}", terminal_summary(&dir).unwrap());
}
