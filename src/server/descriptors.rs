//! How many connections the process may have: each takes a file descriptor, and without a free one not
//! even a refusal can be accepted.

use super::listen::REFUSED_AT_A_TIME;

/// Descriptors kept free of connections: standard streams, listeners, the poller, and the connections that
/// are being refused.
const RESERVE: usize = REFUSED_AT_A_TIME + 64;

/// Raises the soft limit of open files to the hard one, and says how many connections fit below it with a
/// reserve; at least one.
///
/// The soft limit is 1,024 on many systems for the sake of programs that use `select`, which this one does
/// not.
pub fn max_connections() -> usize {
    open_files().saturating_sub(RESERVE).max(1)
}

#[cfg(unix)]
#[allow(unsafe_code)]
fn open_files() -> usize {
    // What every Unix allows at least; used where the limit can't be read.
    const FALLBACK: usize = 256;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid, writable rlimit for the length of the call.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return FALLBACK;
    }
    let soft = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` is a valid rlimit; a soft limit up to the hard one is anybody's to set. macOS says
    // that it has no hard limit and refuses to set it so; then the soft one stays.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 {
        limit.rlim_cur = soft;
    }
    usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX).min(MOST)
}

/// Windows has no such limit on sockets.
#[cfg(not(unix))]
fn open_files() -> usize {
    MOST
}

/// Where the system has no limit, memory is one: a connection takes some ten KiB.
const MOST: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_a_reserve() {
        let connections = max_connections();
        assert!(connections >= 1);
        assert!(connections + RESERVE <= open_files().max(RESERVE + 1));
    }
}
