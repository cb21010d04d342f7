//! Makes a new file under `static/` a reason to build again; the library embeds them all.

fn main() {
    println!("cargo:rerun-if-changed=static");
}
