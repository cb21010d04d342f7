//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use pushlab::{feed::ChannelName, workshop::language::Language};
use url::Url;

/// Exercises on getting events to a browser: build it in any language, and have it checked from outside.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Args {
    /// The folder of exercises; else `workshop` here or above
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) word: Word,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Word {
    /// Name the exercises
    List,
    /// Print an exercise's text and what its check expects
    Show {
        /// A number or a name
        #[arg(value_name = "N")]
        exercise: String,
    },
    /// Check a solution: 0 passed, 1 failed, 2 could not tell
    Check(CheckArgs),
    /// Check now, and again at each change of a file
    Watch(CheckArgs),
    /// Print a hint; each time one more
    Hint {
        /// A number or a name
        #[arg(value_name = "N")]
        exercise: String,
    },
    /// Say what is done and what comes next
    Progress {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Hold the exercises themselves to what they say (for their authors)
    Verify(VerifyArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// A number or a name
    #[arg(value_name = "N")]
    pub(crate) exercise: String,
    /// A server that runs already, such as http://127.0.0.1:3000
    #[arg(long, conflicts_with_all = ["lang", "command", "file"])]
    pub(crate) url: Option<Url>,
    /// Check the starter of this language in the exercise's folder, as it stands now
    #[arg(long, value_name = "LANGUAGE", conflicts_with_all = ["command", "file"])]
    pub(crate) lang: Option<Language>,
    /// The file to check, for exercises whose answer is one
    #[arg(long, value_name = "PATH", conflicts_with = "command")]
    pub(crate) file: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Tell a class's board the verdict: the lab's server, by the address that it printed, with ?token= if
    /// there is one; its page /board shows it
    #[arg(long, value_name = "URL", env = "PUSHLAB_BOARD", hide_env_values = true, requires = "room")]
    pub(crate) board: Option<Url>,
    /// Who the board is told that you are: 1 to 64 of a-z, 0-9 and -
    #[arg(long, value_name = "NAME", env = "PUSHLAB_ROOM")]
    pub(crate) room: Option<ChannelName>,
    /// The program to start: a server finds its port in PORT, a client gets a URL as its last argument
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// Only these, by number or name
    #[arg(value_name = "N")]
    pub(crate) only: Vec<String>,
    /// Fail where one of these languages or its packages are not on this machine
    #[arg(long, value_delimiter = ',', value_name = "LANGUAGES")]
    pub(crate) require: Vec<Language>,
    /// How many programs to judge at a time
    #[arg(long, default_value_t = 6, value_name = "N")]
    pub(crate) jobs: usize,
}
