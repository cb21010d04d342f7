//! A timer that is finer than a millisecond.
//!
//! The runtime's own rounds up to the next millisecond, which is more than a wired network's whole delay.

use tokio::time::Instant;

#[cfg(target_os = "linux")]
pub(super) use linux::Timer;

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::Timer;

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        io,
        os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        time::Duration,
    };

    use tokio::io::{Interest, unix::AsyncFd};

    use super::Instant;

    /// A kernel timer, made when it is first needed: a link that adds nothing takes no descriptor.
    #[derive(Debug, Default)]
    pub(in super::super) struct Timer {
        fd: Option<AsyncFd<OwnedFd>>,
    }

    impl Timer {
        /// Waits until `due`. May be dropped and called anew at any time.
        pub(in super::super) async fn until(&mut self, due: Instant) {
            if self.wait(due).await.is_err() {
                // No descriptor to be had: the coarser timer is late, but never early.
                tokio::time::sleep_until(due).await;
            }
        }

        async fn wait(&mut self, due: Instant) -> io::Result<()> {
            loop {
                let left = due.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Ok(());
                }
                let fd = match &mut self.fd {
                    Some(fd) => fd,
                    none => none.insert(create()?),
                };
                // Setting it also forgets that it had run out before.
                set(fd.get_ref(), left)?;
                let mut ready = fd.readable().await?;
                // A readiness left over from an earlier wait is cleared here, and the loop waits again.
                let _ = ready.try_io(|fd| expirations(fd.get_ref()));
            }
        }
    }

    #[allow(unsafe_code)]
    fn create() -> io::Result<AsyncFd<OwnedFd>> {
        // SAFETY: takes two numbers and returns a descriptor or −1; no memory is involved.
        let fd =
            unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_NONBLOCK | libc::TFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new, open and nobody else's.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: an `OwnedFd` keeps its descriptor open, and always says the same one, until it is dropped.
        Ok(unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }?)
    }

    #[allow(unsafe_code)]
    fn set(fd: &OwnedFd, left: Duration) -> io::Result<()> {
        let never = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let it_value = libc::timespec {
            tv_sec: left.as_secs().try_into().unwrap_or(libc::time_t::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let time = libc::itimerspec { it_interval: never, it_value };
        // SAFETY: `time` is a valid itimerspec that lives through the call; the old value is not asked for.
        let set = unsafe { libc::timerfd_settime(fd.as_raw_fd(), 0, &raw const time, std::ptr::null_mut()) };
        if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    #[allow(unsafe_code)]
    fn expirations(fd: &OwnedFd) -> io::Result<u64> {
        let mut count = 0_u64;
        // SAFETY: the eight bytes of `count` are writable, and no more are asked for.
        let read = unsafe { libc::read(fd.as_raw_fd(), (&raw mut count).cast(), size_of::<u64>()) };
        if read < 0 { Err(io::Error::last_os_error()) } else { Ok(count) }
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::Instant;

    /// The runtime's timer.
    #[derive(Debug, Default)]
    pub(in super::super) struct Timer;

    impl Timer {
        /// Waits until `due`.
        pub(in super::super) async fn until(&mut self, due: Instant) {
            tokio::time::sleep_until(due).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn it_is_never_early_and_can_be_set_anew() {
        let mut timer = Timer::default();
        for micros in [0, 300, 50, 2_500, 1] {
            let due = Instant::now() + Duration::from_micros(micros);
            timer.until(due).await;
            assert!(Instant::now() >= due);
        }
        let far = Instant::now() + Duration::from_secs(3_600);
        tokio::select! {
            biased;
            () = timer.until(far) => panic!("an hour has not passed"),
            () = tokio::time::sleep(Duration::from_millis(3)) => {}
        }
        let due = Instant::now() + Duration::from_millis(1);
        timer.until(due).await;
        assert!(Instant::now() >= due);
    }
}
