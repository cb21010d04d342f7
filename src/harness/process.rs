//! What the machine says of a process: CPU time and memory.

use std::time::Duration;

/// A process's use of the machine so far. `None` fields: this system does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// CPU time, of all its threads, in user and kernel mode.
    pub cpu: Option<Duration>,
    /// Resident memory in KiB.
    pub rss_kib: Option<u64>,
}

/// The usage of a process of this machine, by its id.
pub fn usage(pid: u32) -> Usage {
    let folder = std::path::PathBuf::from(format!("/proc/{pid}"));
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).ok();
    Usage {
        cpu: cpu_clock(pid).or_else(|| read("stat").and_then(|text| cpu_ticks(&text)).map(ticks_to_time)),
        rss_kib: read("status").and_then(|text| status_field(&text, "VmRSS:")),
    }
}

/// The processes of a group, and those that descend from its first one: what a server with workers consists of.
pub fn family(first: u32) -> Vec<u32> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return vec![first] };
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let told = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some((pid, parent_of(&stat)?, group_of(&stat)?))
    };
    let all: Vec<(u32, u32, u32)> = pids.filter_map(told).collect();
    let mut family: Vec<u32> =
        all.iter().filter(|(pid, _, group)| *pid == first || *group == first).map(|(pid, ..)| *pid).collect();
    // Who left the group is still somebody's child.
    loop {
        let is_new =
            |&&(pid, parent, _): &&(u32, u32, u32)| family.contains(&parent) && !family.contains(&pid);
        let Some((pid, ..)) = all.iter().find(is_new) else { return family };
        family.push(*pid);
    }
}

/// What several processes use together. Memory that they share is counted once: of each, its proportional
/// share (`Pss`).
pub fn usage_of(pids: &[u32]) -> Usage {
    if let [pid] = pids {
        return usage(*pid);
    }
    let cpu = pids.iter().filter_map(|pid| usage(*pid).cpu).reduce(|sum, one| sum + one);
    let share = |pid: &u32| {
        let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok();
        rollup.and_then(|text| status_field(&text, "Pss:")).or_else(|| usage(*pid).rss_kib)
    };
    Usage { cpu, rss_kib: pids.iter().filter_map(share).reduce(|sum, one| sum + one) }
}

/// The usage of this process.
pub fn own_usage() -> Usage {
    usage(std::process::id())
}

/// How many descriptors a process has open. `None`: there is no such process, or this system does not tell.
pub fn descriptors(pid: u32) -> Option<u64> {
    Some(std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64)
}

/// Gives this process's free memory back to the system, where its C library has a way to. What has been freed is else
/// kept and taken again, so that memory that is newly used does not show.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)]
pub fn give_free_memory_back() {
    // SAFETY: malloc_trim touches only what the allocator itself holds, under its own locks.
    unsafe { libc::malloc_trim(0) };
}

/// Other C libraries have no way to.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_free_memory_back() {}

/// How often the threads of a process have given up the processor to wait for something: its wake-ups.
/// `None`: there is no such process, or this system does not tell.
pub fn wakeups(pid: u32) -> Option<u64> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let statuses = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("status")).ok());
    let switches: Vec<u64> =
        statuses.filter_map(|text| status_field(&text, "voluntary_ctxt_switches:")).collect();
    (!switches.is_empty()).then(|| switches.iter().sum())
}

/// The CPU time of all processes of a group together, as far as they still run; `None` where this system does
/// not tell.
pub fn group_cpu(group: u32) -> Option<Duration> {
    let processes = std::fs::read_dir("/proc").ok()?;
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let of = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        (group_of(&stat)? == group).then(|| usage(pid).cpu)?
    };
    Some(pids.filter_map(of).sum())
}

/// Field 4 of `/proc/PID/stat`.
fn parent_of(stat: &str) -> Option<u32> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Field 5 of `/proc/PID/stat`.
fn group_of(stat: &str) -> Option<u32> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(2)?.parse().ok()
}

/// A process's CPU clock, which counts finely where the ticks of `/proc` are a hundredth of a second.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn cpu_clock(pid: u32) -> Option<Duration> {
    let pid = libc::pid_t::try_from(pid).ok()?;
    let (mut clock, mut time) = (0, libc::timespec { tv_sec: 0, tv_nsec: 0 });
    // SAFETY: both pointers are to valid, writable values of the types that the calls fill; a process that
    // is not there makes them fail.
    let read = unsafe {
        libc::clock_getcpuclockid(pid, &raw mut clock) == 0 && libc::clock_gettime(clock, &raw mut time) == 0
    };
    read.then(|| Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0)))
}

#[cfg(not(target_os = "linux"))]
fn cpu_clock(_: u32) -> Option<Duration> {
    None
}

/// Fields 14 and 15 of `/proc/PID/stat`; the second field, the name, may hold spaces and brackets.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let kernel: u64 = fields.next()?.parse().ok()?;
    Some(user + kernel)
}

fn status_field(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name))?.split_ascii_whitespace().next()?.parse().ok()
}

fn ticks_to_time(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / ticks_per_second())
}

#[cfg(unix)]
#[allow(unsafe_code)]
fn ticks_per_second() -> f64 {
    // SAFETY: sysconf takes a number and returns one; no memory is involved.
    (unsafe { libc::sysconf(libc::_SC_CLK_TCK) }) as f64
}

#[cfg(not(unix))]
fn ticks_per_second() -> f64 {
    100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_read_whatever_the_process_is_called() {
        assert_eq!(group_of("12 (a) b (c) S 3 44 5 0 -1"), Some(44));
        assert_eq!(group_of("12 (a"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_group_has_used_what_its_processes_have() {
        let stat = std::fs::read_to_string("/proc/self/stat").expect("this process");
        let group = group_of(&stat).expect("a group");
        assert!(group_cpu(group) > Some(Duration::ZERO));
        assert_eq!(group_cpu(u32::MAX), Some(Duration::ZERO), "nobody is in it");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_family_is_a_process_with_its_children_and_their_memory_is_counted_once() {
        let mut child = std::process::Command::new("sleep").arg("30").spawn().expect("sleep is there");
        let family = family(std::process::id());
        assert!(family.contains(&std::process::id()) && family.contains(&child.id()), "{family:?}");
        let (mine, all) = (own_usage(), usage_of(&family));
        assert!(all.cpu >= mine.cpu && all.rss_kib.is_some_and(|kib| kib > 100));
        child.kill().expect("it is ours");
        child.wait().expect("it has ended");
        assert_eq!(parent_of("12 (a) b (c) S 3 44 5 0 -1"), Some(3));
    }

    #[test]
    fn a_stat_line_is_read_behind_any_name() {
        let line = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 12 30 0 0 20 0 4 0 100 1000 200";
        assert_eq!(cpu_ticks(line), Some(42));
        assert_eq!(status_field("Name:\tx\nVmRSS:\t  1234 kB\n", "VmRSS:"), Some(1234));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_uses_memory() {
        assert!(own_usage().rss_kib.is_some_and(|kib| kib > 100));
        assert_eq!(usage(u32::MAX), Usage::default(), "no such process");
        assert_eq!(wakeups(u32::MAX), None, "no such process");
        assert_eq!(descriptors(u32::MAX), None, "no such process");
        let open = std::fs::File::open("/proc/self/stat").expect("this process");
        assert!(descriptors(std::process::id()) > Some(3), "{open:?} and the standard ones");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn work_shows_on_the_clock() {
        let cpu = own_usage().cpu;
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_millis(5) {
            std::hint::spin_loop();
        }
        assert!(own_usage().cpu > cpu, "finer than a tick");
    }

    /// Of another process: here threads of other tests end, and take their counts with them.
    #[cfg(target_os = "linux")]
    #[test]
    fn waiting_shows_as_wake_ups() {
        use std::io::{Read as _, Write as _};

        let piped = std::process::Stdio::piped;
        let mut cat = std::process::Command::new("cat").stdin(piped()).stdout(piped()).spawn().expect("cat");
        let (mut input, mut output) = (cat.stdin.take().expect("piped"), cat.stdout.take().expect("piped"));
        let mut echo = |word: u8| {
            input.write_all(&[word]).expect("it reads");
            output.read_exact(&mut [0]).expect("it writes");
        };
        echo(1);
        let woken = wakeups(cat.id());
        // Now and then the next byte is there before it looks, and it need not wait.
        assert!(
            woken.is_some()
                && (0..10_000).any(|_| {
                    echo(2);
                    wakeups(cat.id()) > woken
                })
        );
        drop(input);
        cat.wait().expect("it ends");
    }
}
