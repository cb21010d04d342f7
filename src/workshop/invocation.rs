//! A command line that starts a student's program.

use std::{fmt, path::PathBuf};

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The program, by path or by a name to be found on `PATH`.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Where it runs; here where `None`.
    pub folder: Option<PathBuf>,
}

impl Invocation {
    /// A program and its arguments, to be run here.
    pub fn new(program: impl Into<String>, arguments: impl IntoIterator<Item = String>) -> Self {
        Invocation { program: program.into(), arguments: arguments.into_iter().collect(), folder: None }
    }

    /// The words of a command line; `None` where there are none.
    pub fn of_words(words: &[String]) -> Option<Self> {
        let (program, arguments) = words.split_first()?;
        Some(Invocation::new(program, arguments.iter().cloned()))
    }

    /// The same with one argument more.
    #[must_use]
    pub fn with(&self, argument: impl Into<String>) -> Self {
        let mut longer = self.clone();
        longer.arguments.push(argument.into());
        longer
    }
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.program)?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {argument}"))
    }
}
