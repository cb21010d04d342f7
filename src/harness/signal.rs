//! Signals to a group of processes that was started here.

#[cfg(unix)]
pub(crate) const TERMINATE: libc::c_int = libc::SIGTERM;
#[cfg(unix)]
pub(crate) const KILL: libc::c_int = libc::SIGKILL;

/// Sends a signal to all processes of a group. The group is that of a child which has not been waited for, or
/// was a moment ago, so that its number is still its own.
#[cfg(unix)]
#[allow(unsafe_code)]
pub(crate) fn send(group: u32, signal: libc::c_int) {
    if let Ok(group @ 2..) = libc::pid_t::try_from(group) {
        // SAFETY: kill takes two numbers; a group that is gone is no harm.
        unsafe { libc::kill(-group, signal) };
    }
}

#[cfg(not(unix))]
pub(crate) const TERMINATE: i32 = 15;
#[cfg(not(unix))]
pub(crate) const KILL: i32 = 9;

/// Elsewhere only the first process ends, by `kill_on_drop`.
#[cfg(not(unix))]
pub(crate) fn send(_: u32, _: i32) {}
