//! What the scheduler says: how long a process's threads ran and waited for a core, and how long all cores
//! of the machine were taken.
//!
//! Time on the processor says how much was done; time in the run queue says what it had to wait for, and
//! that is what a latency is wrongly charged with. Linux tells both in nanoseconds, per thread
//! (`/proc/PID/task/TID/schedstat`).

use std::{fs, path::Path, time::Duration};

/// The threads of a process together, since each began. Threads that are gone are not in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scheduled {
    /// On a core.
    pub ran: Duration,
    /// Ready to run, with every core taken.
    pub waited: Duration,
}

impl Scheduled {
    /// Of the process of this id; `None` where this system does not tell.
    pub fn of(pid: u32) -> Option<Self> {
        let mut sum = Scheduled::default();
        for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
            let path = thread.ok()?.path();
            // A thread may end between being listed and being read.
            let Some(one) = read(&path) else { continue };
            sum.ran += one.ran;
            sum.waited += one.waited;
        }
        (sum.ran > Duration::ZERO).then_some(sum)
    }

    /// Of several processes together.
    pub fn of_all(pids: &[u32]) -> Option<Self> {
        let together = |sum: Scheduled, one: Scheduled| Scheduled {
            ran: sum.ran + one.ran,
            waited: sum.waited + one.waited,
        };
        pids.iter().filter_map(|pid| Scheduled::of(*pid)).reduce(together)
    }

    /// From an earlier reading of the same process to this one.
    pub fn since(self, earlier: Scheduled) -> Scheduled {
        Scheduled {
            ran: self.ran.saturating_sub(earlier.ran),
            waited: self.waited.saturating_sub(earlier.waited),
        }
    }

    /// How much of the time that it wanted a core it had to wait for one, from 0 to 1.
    pub fn wait_share(self) -> f64 {
        let wanted = self.ran + self.waited;
        if wanted.is_zero() { 0.0 } else { self.waited.as_secs_f64() / wanted.as_secs_f64() }
    }
}

/// The machine's cores together, since it was started, in ticks of any length.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Machine {
    taken: u64,
    all: u64,
}

impl Machine {
    /// Now; `None` where this system does not tell.
    pub fn now() -> Option<Self> {
        machine(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// Which share of all cores' time was taken by processes since `earlier`, from 0 to 1, and by other
    /// virtual machines; `None` where no time has passed.
    pub fn taken_since(self, earlier: Machine) -> Option<f64> {
        let all = self.all.checked_sub(earlier.all).filter(|all| *all > 0)?;
        Some(self.taken.saturating_sub(earlier.taken) as f64 / all as f64)
    }
}

/// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal. What the kernel
/// does for the network (irq, softirq) is nobody's in particular, and on a loopback mostly our own.
fn machine(stat: &str) -> Option<Machine> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Result<Vec<u64>, _> = line.split_ascii_whitespace().take(8).map(str::parse).collect();
    let ticks = ticks.ok()?;
    let [user, nice, system, _, _, _, _, steal] = ticks.as_slice() else { return None };
    Some(Machine { taken: user + nice + system + steal, all: ticks.iter().sum() })
}

fn read(thread: &Path) -> Option<Scheduled> {
    parse(&fs::read_to_string(thread.join("schedstat")).ok()?)
}

/// `ran waited slices`, times in nanoseconds.
fn parse(text: &str) -> Option<Scheduled> {
    let mut numbers = text.split_ascii_whitespace().map(|word| word.parse().map(Duration::from_nanos));
    Some(Scheduled { ran: numbers.next()?.ok()?, waited: numbers.next()?.ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_schedstat_is_two_times_and_a_count() {
        let read = parse("697696 232566 2\n").expect("numbers");
        assert_eq!((read.ran.as_nanos(), read.waited.as_nanos()), (697_696, 232_566));
        assert!((read.wait_share() - 0.25).abs() < 1e-3);
        assert_eq!(parse("0 0"), Some(Scheduled::default()));
        assert_eq!(parse(""), None);
        assert_eq!(Scheduled::default().wait_share(), 0.0);
    }

    #[test]
    fn the_machines_line_tells_what_is_taken() {
        let before = machine("cpu  100 0 50 800 10 5 5 30 0 0\ncpu0 1 2").expect("numbers");
        let after = machine("cpu  160 0 60 820 10 5 5 40 0 0\n").expect("numbers");
        assert_eq!(after.taken_since(before), Some(0.8));
        assert_eq!(after.taken_since(after), None);
        assert_eq!(machine("intr 1 2 3"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn nobody_runs_as_no_process() {
        assert_eq!(Scheduled::of(u32::MAX), None);
    }
}
