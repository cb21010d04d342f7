//! The threads on which measured readers read.
//!
//! Each is a runtime of its own that lives on one thread. A thread that waits for a thousand sockets is told in
//! one call of all that have something, and reads them one after the other; nobody has to be woken on another
//! core for that, and no two threads take readers from each other. A runtime of several threads does both.
//!
//! They are the same for every transport and for the floor, so that no transport's figures have another's reader in
//! them.

use std::{
    future::Future,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tokio::{
    runtime::{Builder, Handle},
    task::JoinHandle,
};

/// The threads.
#[derive(Debug)]
pub struct Reading {
    threads: Vec<Handle>,
    next: AtomicUsize,
}

impl Reading {
    /// Those of this process, which are started when first asked for and end with it.
    ///
    /// Half as many as there are cores: the server under test is on the same machine, and has as much to do.
    pub fn threads() -> &'static Reading {
        static THREADS: OnceLock<Reading> = OnceLock::new();
        THREADS.get_or_init(|| {
            let cores = thread::available_parallelism().map_or(1, usize::from);
            Reading { threads: (0..(cores / 2).max(1)).map(start).collect(), next: AtomicUsize::new(0) }
        })
    }

    /// Runs a reader on the next of them.
    pub fn spawn<F>(&self, reader: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        self.threads[next % self.threads.len()].spawn(reader)
    }
}

fn start(number: usize) -> Handle {
    let runtime =
        Builder::new_current_thread().enable_all().build().expect("a machine that has room for a thread");
    let handle = runtime.handle().clone();
    thread::Builder::new()
        .name(format!("reading-{number}"))
        .spawn(move || runtime.block_on(std::future::pending::<()>()))
        .expect("a machine that has room for a thread");
    handle
}
