//! The command line.

use std::path::PathBuf;

use clap::{Args as _, Parser, Subcommand};
use pushlab::{harness::plan::Form, watch::WatchArgs};

use crate::{serve::ServeArgs, verify::Verify};

/// Measures how short polling, long polling, Server-Sent Events and WebSocket deliver events.
///
/// Without a word it runs the three core experiments in their quick form, in about a minute and a half.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) word: Option<Word>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Word {
    /// Name the experiments and their questions
    List,
    /// Read definitions and say what is wrong with them; all of them where none is named
    Check {
        /// Names, or paths of .toml files
        files: Vec<String>,
    },
    /// Run experiments
    Run(RunArgs),
    /// Draw a run's report again, from its records alone
    Report {
        /// The run's folder, such as results/latest
        #[arg(value_name = "DIR", default_value = "results/latest")]
        folder: PathBuf,
    },
    /// Hold figures against something that is not ours
    Verify {
        /// What to verify
        #[command(subcommand)]
        what: Verify,
    },
    /// Say what differs between two runs, figure by figure and claim by claim
    Compare {
        /// The earlier run's folder
        #[arg(value_name = "DIR")]
        earlier: PathBuf,
        /// The later run's folder
        #[arg(value_name = "DIR")]
        later: PathBuf,
    },
    /// Read a channel, or any SSE, WebSocket or polling URL, and print what happens
    Watch(WatchArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Be the server under test (the harness starts it itself)
    #[command(name = pushlab::harness::server_process::SERVE_WORD, hide = true)]
    Serve(ServeArgs),
}

impl Default for Word {
    fn default() -> Self {
        Word::Run(RunArgs::default())
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// Names (see `list`) or paths of .toml files; the three core experiments where none is given
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// How long and how often: quick for a first look, full for figures to rely on
    #[arg(long, value_enum, default_value_t = Form::Quick)]
    pub(crate) profile: Form,
    /// How often each run is repeated, instead of what the profile says
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) repeat: Option<u32>,
    /// Where all random choices come from; the same seed gives the same order and the same schedule
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Measure this server instead of the built-in one: the .toml file that describes it, or the base URL of one that
    /// speaks our endpoints; several by giving it again, ours is built-in
    #[arg(long = "target", value_name = "FILE.toml|URL|built-in")]
    pub(crate) targets: Vec<String>,
    /// Write into this folder instead of results/<time>
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

impl Default for RunArgs {
    /// What `run` without anything means, so that the defaults stand in one place.
    fn default() -> Self {
        use clap::FromArgMatches as _;
        let command = RunArgs::augment_args(clap::Command::new("run"));
        let matches = command.get_matches_from(["run"]);
        RunArgs::from_arg_matches(&matches).expect("every argument has a default or may be left out")
    }
}
