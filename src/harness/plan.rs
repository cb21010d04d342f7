//! A definition unrolled: which runs, in which order.
//!
//! Pure, and drawn from a seed: the same definition, profile and seed give the same plan.

use std::time::Duration;

use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::{
    definition::{
        Between, Client, Conditions, Definition, Fault, Layout, Network, Profile, Step as Stepped, TIMETABLE,
        Timed,
    },
    record::Parameters,
    target::Target,
};
use crate::{schedule::Pattern, server::Config};

/// Which form of an experiment runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// A first look.
    Quick,
    /// Figures to be relied on.
    Full,
}

impl Form {
    /// The word on command lines and in files.
    pub const fn slug(self) -> &'static str {
        match self {
            Form::Quick => "quick",
            Form::Full => "full",
        }
    }

    fn of(self, definition: &Definition) -> Profile {
        match self {
            Form::Quick => definition.quick,
            Form::Full => definition.full,
        }
    }
}

/// One set of conditions, with every choice made.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// Readers at the same time.
    pub readers: u32,
    /// Events per second.
    pub rate: f64,
    /// How many events may be under way, where they are published as fast as they are taken and not at a rate.
    pub in_flight: Option<u32>,
    /// Bytes of an event's data.
    pub payload_bytes: u32,
    /// How publishes are spaced.
    pub pattern: Pattern,
    /// What is done in the middle of the run, where it is one thing.
    pub fault: Option<Fault>,
    /// What is done in the course of the run, where a timetable says so.
    pub timetable: Vec<Timed>,
    /// What stands between the clients and the server; `None` for nothing.
    pub network: Option<Network>,
    /// Milliseconds between the server's heartbeats, where the conditions say so.
    pub heartbeat_ms: Option<u64>,
    /// Readers beside those that are cut.
    pub bystanders: u32,
    /// How the rate is raised within the run, if it is.
    pub step: Option<Stepped>,
    /// Seconds left out at the beginning.
    pub warm_up_s: f64,
    /// Seconds measured; of each step where there are steps.
    pub measure_s: f64,
    /// What the random choices are drawn from: the same for all clients, so that they meet the same events.
    pub seed: u64,
}

/// Clients that share a server, a channel and its events: one client where they run one by one.
#[derive(Debug, Clone)]
pub struct Group {
    /// The clients.
    pub clients: Vec<Client>,
    /// The conditions.
    pub condition: Condition,
    /// From 1.
    pub repetition: u32,
    /// Which server.
    pub target: Target,
    /// What the server is called in records, where that has to be said.
    pub target_name: Option<String>,
}

impl Group {
    /// Seconds that it takes where so many steps are taken.
    fn seconds(&self, steps: usize) -> f64 {
        let Condition { readers, warm_up_s, measure_s, step, .. } = self.condition;
        // What is published last in a step is waited for, by a short poll for its interval.
        let interval_ms =
            self.clients.iter().filter_map(|client| client.interval_ms).max().filter(|_| step.is_some());
        let each = measure_s + interval_ms.unwrap_or(0) as f64 / 1e3;
        warm_up_s + each * steps as f64 + (OPENING_PACE * readers).as_secs_f64()
    }
}

/// From one reader's opening to the next one's: thousands that open at once would be a storm of their own.
pub(super) const OPENING_PACE: Duration = Duration::from_micros(200);

/// Groups that run at the same time, each with a server of its own.
pub type Step = Vec<Group>;

/// All steps of an experiment, in order.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What runs.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Unrolls a definition against our own server. `repetitions` overrides the profile's.
    pub fn new(definition: &Definition, form: Form, repetitions: Option<u32>, seed: u64) -> Self {
        Plan::against(&[(Target::BuiltIn, definition.clone())], form, repetitions, seed)
    }

    /// Unrolls a definition against several servers, for each without what it can't do.
    pub fn against(
        targets: &[(Target, Definition)],
        form: Form,
        repetitions: Option<u32>,
        seed: u64,
    ) -> Self {
        let Some((_, definition)) = targets.first() else { return Plan { steps: Vec::new() } };
        let (layout, profile) = (definition.layout, form.of(definition));
        let mut rng = StdRng::seed_from_u64(seed);
        let mut steps = Vec::new();
        for repetition in 1..=repetitions.unwrap_or(profile.repetitions) {
            let of_target = |(target, definition): &(Target, Definition)| {
                let is_said = targets.len() > 1 || target.described().is_some();
                let name = is_said.then(|| target.name());
                groups(target, name.as_deref(), definition, form, repetition, seed ^ u64::from(repetition))
            };
            let mut groups: Vec<Group> = targets.iter().flat_map(of_target).collect();
            // A machine's mood drifts. Each repetition runs everything once, in an order of its own, so that
            // the drift falls on all clients alike.
            groups.shuffle(&mut rng);
            match layout {
                Layout::OneByOne => steps.extend(groups.into_iter().map(|group| vec![group])),
                Layout::Together if (repetition - 1) % profile.at_once != 0 => {
                    // The first of those that run at once made the step.
                    steps.last_mut().into_iter().for_each(|step: &mut Step| step.append(&mut groups));
                }
                Layout::Together => {
                    let at_once = profile.conditions_at_once.map_or(groups.len(), |count| count as usize);
                    steps.extend(groups.chunks(at_once.max(1)).map(<[Group]>::to_vec));
                }
            }
        }
        Plan { steps }
    }

    /// How many runs, and so how many lines of `runs.jsonl`, there will be.
    pub fn runs(&self) -> u64 {
        self.steps.iter().flatten().map(|group| group.clients.len() as u64).sum()
    }

    /// Seconds that it takes: what its runs were told to take, and what opening their readers does. Two numbers where a
    /// rate is raised, since nobody knows how far.
    pub fn seconds(&self) -> (f64, f64) {
        let all = |steps: fn(&Condition) -> usize| -> f64 {
            let of = |group: &Group| group.seconds(steps(&group.condition));
            self.steps.iter().map(|step| step.iter().map(of).fold(0.0, f64::max)).sum()
        };
        (all(|_| 1), all(Condition::steps))
    }
}

/// What runs against one server in one repetition.
fn groups(
    target: &Target,
    target_name: Option<&str>,
    definition: &Definition,
    form: Form,
    repetition: u32,
    seed: u64,
) -> Vec<Group> {
    let profile = form.of(definition);
    let group = |clients: Vec<Client>, condition: &Condition| Group {
        clients,
        condition: condition.clone(),
        repetition,
        target: target.clone(),
        target_name: target_name.map(str::to_owned),
    };
    let mut groups = Vec::new();
    for conditions in definition.conditions.iter().filter(|it| form == Form::Full || !it.full_only) {
        let clients: Vec<Client> = clients_of(definition, conditions).cloned().collect();
        for condition in unroll(conditions, form, profile, seed) {
            match definition.layout {
                Layout::OneByOne => {
                    groups.extend(clients.iter().map(|client| group(vec![client.clone()], &condition)));
                }
                Layout::Together if clients.is_empty() => {}
                Layout::Together => groups.push(group(clients.clone(), &condition)),
            }
        }
    }
    groups
}

/// When, within the measured time, a connection is cut.
const CUT_AT: f64 = 0.25;

impl Condition {
    /// What is done and when, in order.
    pub fn faults(&self) -> Vec<Timed> {
        let one = self.fault.map(|fault| Timed { at_s: CUT_AT * self.measure_s, fault, for_s: None });
        one.into_iter().chain(self.timetable.iter().copied()).collect()
    }

    /// How often the measured time is taken at most: once, or as often as there may be steps.
    fn steps(&self) -> usize {
        self.step.map_or(1, |step| step.rates(self.rate).count())
    }

    /// Whether one of its faults is of this kind.
    pub fn has(&self, kind: impl Fn(Fault) -> bool) -> bool {
        self.faults().into_iter().any(|timed| kind(timed.fault))
    }

    /// Between the server's heartbeats.
    pub fn heartbeat(&self, definition: &Definition) -> Duration {
        let ms = self.heartbeat_ms.or(definition.heartbeat_ms);
        ms.map_or(Config::default().heartbeat, Duration::from_millis)
    }

    /// The fault's word, or that of a timetable.
    fn fault_slug(&self) -> Option<&'static str> {
        let timetable = (!self.timetable.is_empty()).then_some(TIMETABLE);
        self.fault.map(Fault::slug).or(timetable)
    }

    /// What stands between the clients and the server.
    pub fn between(&self) -> Between {
        self.network.as_ref().and_then(Network::between).unwrap_or(Between::Direct)
    }

    /// As a record says it of one client.
    pub fn parameters(&self, client: &Client) -> Parameters {
        Parameters {
            readers: self.readers,
            rate: self.rate,
            payload_bytes: self.payload_bytes,
            pattern: self.pattern.slug().to_owned(),
            interval_ms: client.interval_ms,
            fault: self.fault_slug().map(str::to_owned),
            timetable: self.timetable.clone(),
            bystanders: self.bystanders,
            network: self.network.as_ref().map(|network| network.name().to_owned()),
            heartbeat_ms: self.heartbeat_ms,
            step: self.step,
            in_flight: self.in_flight,
            warm_up_s: self.warm_up_s,
            measure_s: self.measure_s,
            seed: self.seed,
        }
    }

    /// The run's name for one client of one server, unique within its experiment.
    pub fn run_name(&self, client: &Client, target: Option<&str>, repetition: u32) -> String {
        let Condition { readers, rate, payload_bytes, .. } = self;
        let pattern = self.pattern.slug();
        let fault = self.fault_slug().map(|fault| format!("/{fault}")).unwrap_or_default();
        let network = self.network.as_ref().map(|it| format!("/{}", it.name())).unwrap_or_default();
        let heartbeat = self.heartbeat_ms.map(|ms| format!("/heartbeat-{ms}ms")).unwrap_or_default();
        let step = if self.step.is_some() { "+" } else { "" };
        let rate = match self.in_flight {
            Some(events) => format!("{events}-in-flight"),
            None => rate.to_string(),
        };
        let conditions =
            format!("{readers}x{rate}{step}x{payload_bytes}B/{pattern}{network}{fault}{heartbeat}");
        let target = target.map(|target| format!("@{target}")).unwrap_or_default();
        format!("{}{target}/{conditions}/{repetition}", client.name)
    }
}

fn clients_of<'a>(
    definition: &'a Definition,
    conditions: &'a Conditions,
) -> impl Iterator<Item = &'a Client> {
    let chosen = &conditions.clients;
    definition.clients.iter().filter(move |client| chosen.is_empty() || chosen.contains(&client.name))
}

fn unroll(conditions: &Conditions, form: Form, profile: Profile, seed: u64) -> Vec<Condition> {
    let faults: Vec<_> = match conditions.fault.as_slice() {
        [] => vec![None],
        faults => faults.iter().copied().map(Some).collect(),
    };
    let networks: Vec<Option<Network>> = match conditions.network.as_slice() {
        [] => vec![None],
        networks => {
            networks.iter().map(|it| (it.between() != Some(Between::Direct)).then(|| it.clone())).collect()
        }
    };
    let heartbeats: Vec<_> = match conditions.heartbeat_ms.as_slice() {
        [] => vec![None],
        heartbeats => heartbeats.iter().copied().map(Some).collect(),
    };
    let measure_s = match (conditions.measure_s, form) {
        (None, _) => profile.measure_s,
        (Some(seconds), Form::Quick) => seconds.quick,
        (Some(seconds), Form::Full) => seconds.full,
    };
    let timetable = conditions.timetable.as_ref().map(|it| it.draw(measure_s, seed)).unwrap_or_default();
    let mut all = Vec::new();
    let rates: &[f64] = if conditions.in_flight.is_some() { &[0.0] } else { &conditions.rate };
    for &readers in &conditions.readers {
        for &rate in rates {
            for &payload_bytes in &conditions.payload_bytes {
                for &pattern in &conditions.pattern {
                    for &fault in &faults {
                        let warm_up_s = profile.warm_up_s;
                        let pairs = networks
                            .iter()
                            .flat_map(|network| heartbeats.iter().map(move |beat| (network, beat)));
                        all.extend(pairs.map(|(network, &heartbeat_ms)| Condition {
                            readers,
                            rate,
                            in_flight: conditions.in_flight,
                            payload_bytes,
                            pattern,
                            fault,
                            timetable: timetable.clone(),
                            network: network.clone(),
                            heartbeat_ms,
                            bystanders: conditions.bystanders.unwrap_or(0),
                            step: conditions.step,
                            warm_up_s,
                            measure_s,
                            seed,
                        }));
                    }
                }
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_conditions_run_at_once_than_the_profile_says_and_none_is_left_out() {
        let of = |more: &str| {
            let profile = format!("repetitions = 2\nwarm_up_s = 0\nmeasure_s = 1\n{more}");
            let text = format!(
                "question = '?'\nwhy = '?'\nlayout = 'together'\n[[client]]\nname = 'a'\ntransport = 'sse'\n\
                 [[conditions]]\nrate = [1, 2, 3, 4, 5]\n[quick]\n{profile}\n[full]\n{profile}"
            );
            let definition = Definition::parse("x", "x", &text).expect("a definition");
            Plan::new(&definition, Form::Quick, None, 1)
        };
        let steps = |plan: &Plan| plan.steps.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(steps(&of("")), [5, 5]);
        let plan = of("conditions_at_once = 2");
        assert_eq!(steps(&plan), [2, 2, 1, 2, 2, 1]);
        let mut rates: Vec<_> =
            plan.steps.iter().flatten().map(|group| (group.repetition, group.condition.rate)).collect();
        rates.sort_by(|one, other| one.partial_cmp(other).expect("numbers"));
        assert!((of("").seconds().0 - 2.0004).abs() < 1e-9, "two repetitions of a second, and a reader each");
        let expected = (1..=2).flat_map(|repetition| (1..=5).map(move |rate| (repetition, f64::from(rate))));
        assert_eq!(rates, expected.collect::<Vec<_>>());
    }

    #[test]
    fn how_long_a_rate_is_raised_is_told_from_one_step_to_all() {
        let text = "question = '?'\nwhy = '?'\n[[client]]\nname = 'a'\ntransport = 'sse'\n[[client]]\nname = 'b'\n\
                    transport = 'short-poll'\ninterval_ms = 500\n[[conditions]]\nreaders = [1000]\nrate = [10]\n\
                    step = { factor = 2, p99_ms = 100, most = 40 }\n[quick]\nrepetitions = 1\nwarm_up_s = 0\n\
                    measure_s = 1\n[full]\nrepetitions = 1\nwarm_up_s = 0\nmeasure_s = 1";
        let definition = Definition::parse("x", "x", text).expect("a definition");
        let (least, most) = Plan::new(&definition, Form::Quick, None, 1).seconds();
        // A thousand readers open in 0.2 s; three steps of a second, of 1.5 s for the poll.
        assert!((least - (1.2 + 1.7)).abs() < 1e-9 && (most - (3.2 + 4.7)).abs() < 1e-9, "{least} {most}");
    }
}
