//! Memory that a crowd has left behind goes back to the system.
//!
//! What ten thousand connections took is free once they have ended, but glibc keeps it for the next ones: the
//! process looks as large as it was at its fullest. Giving it back takes milliseconds, so it is done once,
//! after most of a crowd has left.

/// How many connections are worth it.
const CROWD: usize = 1_000;

/// Remembers how full the server was.
#[derive(Debug, Default)]
pub(super) struct Fullest(usize);

impl Fullest {
    /// Takes note of the connections that there are now.
    pub(super) fn see(&mut self, now: usize) {
        self.0 = self.0.max(now);
    }

    /// Takes note of the connections that there are now; true where most of a crowd has left since this was
    /// true last.
    pub(super) fn has_emptied(&mut self, now: usize) -> bool {
        self.see(now);
        let emptied = self.0 >= CROWD && now <= self.0 / 4;
        if emptied {
            self.0 = now;
        }
        emptied
    }
}

/// Gives free memory back to the system, where its C library has a way to.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)]
pub(super) fn give_back() {
    // SAFETY: malloc_trim touches the allocator's own free memory only, under the allocator's own locks, and
    // may be called at any time from any thread.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn give_back() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_once_after_a_crowd() {
        let mut fullest = Fullest::default();
        assert!([0, 900, 0].iter().all(|now| !fullest.has_emptied(*now)), "a few are no crowd");
        assert!(!fullest.has_emptied(4_000) && !fullest.has_emptied(1_500));
        assert!(fullest.has_emptied(900));
        assert!(!fullest.has_emptied(0), "done already");
        give_back();
    }
}
