//! The machine that measures, as the manifest says it.

use std::process::Command;

use super::manifest::Machine;

/// What this system tells of itself.
pub fn this_machine() -> Machine {
    let read = |path: &str| std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let field = |path: &str, name: &str| {
        let text = read(path)?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let memory_kib = field("/proc/meminfo", "MemTotal")
        .and_then(|text| text.split_ascii_whitespace().next()?.parse::<u64>().ok());
    Machine {
        platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        kernel: read("/proc/sys/kernel/osrelease"),
        cpu: field("/proc/cpuinfo", "model name"),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        memory_mib: memory_kib.map(|kib| kib / 1024),
        congestion_control: read("/proc/sys/net/ipv4/tcp_congestion_control"),
    }
}

/// The working folder's git revision, with `-dirty` where files were changed; `None` outside git.
pub fn git_revision() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).stdin(std::process::Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let revision = git(&["rev-parse", "--short=12", "HEAD"])?;
    // What an experiment writes under `results/` is no change of what is measured.
    let changed = git(&["status", "--porcelain", "--", ".", ":!results"]).is_none_or(|list| !list.is_empty());
    Some(if changed { format!("{revision}-dirty") } else { revision })
}
