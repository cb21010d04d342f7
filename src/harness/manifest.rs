//! What stands beside the records: where, when and with what they were measured.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `manifest.json` of a run folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The program's version.
    pub pushlab: String,
    /// The command line, as words.
    pub command: Vec<String>,
    /// `quick` or `full`.
    pub profile: String,
    /// What all random choices were drawn from.
    pub seed: u64,
    /// When it started, as RFC 3339 in UTC.
    pub started: String,
    /// When it ended; `None` while it runs or where it was cut short.
    pub finished: Option<String>,
    /// The measured servers: `built-in`, a URL, or the names of others.
    pub target: String,
    /// Text of every other server's file, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub targets: BTreeMap<String, TargetText>,
    /// Text of every definition, by name.
    pub definitions: BTreeMap<String, String>,
    /// Runs planned, by experiment.
    pub planned: BTreeMap<String, u64>,
    /// What could not be measured against this target, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// The git revision of the working folder, with `-dirty` where files were changed; `None` outside git.
    pub git_revision: Option<String>,
    /// The machine.
    pub machine: Machine,
}

/// A server that is not ours, as it was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetText {
    /// How charts call it.
    pub label: String,
    /// Its file.
    pub text: String,
}

/// The machine that measured. `None`: this system does not tell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The operating system and processor architecture.
    pub platform: String,
    /// The kernel's name and version.
    pub kernel: Option<String>,
    /// The processor's name.
    pub cpu: Option<String>,
    /// Processor cores that may be used.
    pub cores: usize,
    /// Memory in MiB.
    pub memory_mib: Option<u64>,
    /// The default TCP congestion control.
    pub congestion_control: Option<String>,
}
