//! What was counted, as a record.

use std::{sync::Arc, time::Duration};

use base64::Engine as _;
use hdrhistogram::{
    Histogram,
    serialization::{Serializer as _, V2DeflateSerializer},
};

use super::{
    contender::{Contender, is_poll},
    ordeal::Cut,
    story::Story,
};
use crate::{
    clock::Timestamp,
    harness::{
        browser::Told,
        check::Account,
        definition::{self, Client, Definition},
        explain::{Came, explain},
        plan::Group,
        publisher::Publish,
        reader::{self, Latencies, Notes, Sighting, Timing},
        record::{
            Bystanders, Bytes, Cost, CutRecovery, Latency, MomentKind, Record, Storm, Upstream, Zombies,
        },
        recovery::{self, Spent},
        storm, zombies,
    },
    link::Totals,
};

/// Everything known of one client's run.
pub(super) struct Measured<'a> {
    pub(super) definition: &'a Definition,
    pub(super) group: &'a Group,
    pub(super) client: &'a Client,
    pub(super) started: Timestamp,
    pub(super) notes: &'a [Arc<Notes>],
    pub(super) latencies: &'a Latencies,
    pub(super) opening: Totals,
    pub(super) steady: Totals,
    pub(super) steady_s: f64,
    pub(super) bytes: Totals,
    pub(super) pages: &'a [Told],
    pub(super) cost: Cost,
    pub(super) story: &'a Story,
    /// What the bystanders received: when each event was meant to be published, and how many microseconds
    /// later it came.
    pub(super) bystanders: &'a [(Timestamp, u64)],
    pub(super) timing: &'a Timing,
}

/// The record of a run that took place.
pub(super) fn record(measured: &Measured<'_>) -> Record {
    let Measured { definition, group, client, notes, story, .. } = *measured;
    let mut account = Account::default();
    let climb = story.climb.as_ref();
    match climb {
        Some(climb) => account = climb.account,
        None => notes.iter().for_each(|reader| account += reader.tally().account(story.last)),
    }
    let latencies = climb.map_or(measured.latencies, |climb| &climb.latencies);
    let payload = notes.iter().map(|reader| reader.payload_bytes()).sum();
    let published = story.published.lock();
    let at_index = group.clients.iter().position(|other| other.name == client.name).unwrap_or_default();
    let sightings: Vec<_> = notes.iter().map(|reader| reader.sightings()).collect();
    let first = sightings.first().map(Vec::as_slice).unwrap_or_default();
    let first_cut = story.cuts.first().map(|cut| cut.at);
    let storm = first_cut.filter(|_| notes.len() > 1).map(|at| {
        let storm = storm::storm(at, story.end, &sightings);
        Storm { bystanders: bystanders(measured, at, storm.back_max_ms), ..storm }
    });
    let zombies = first_cut.and_then(|at| zombies(measured, at, &sightings));
    let recoveries = recoveries(measured, at_index, first, &published);
    let recovery = recoveries.first().map(|first| first.recovery);
    let mended: Vec<_> = story.cuts.iter().map(|cut| (cut.at, cut.mended)).collect();
    let timeline = match mended.as_slice() {
        [] => Vec::new(),
        cuts => recovery::timeline(story.start, cuts, first, &published),
    };
    let mut doubtful = story.doubts.clone();
    if latencies.negative > 0 {
        doubtful.push(format!(
            "{} events came before they were meant to be published: the clocks of the two processes disagree; \
             run it again on one machine with one clock anchor",
            latencies.negative
        ));
    }
    let unreadable: u64 = notes.iter().map(|reader| reader.unreadable()).sum();
    let last = recoveries.last().map(|last| last.recovery);
    let caught_up = last.is_none_or(|recovery| recovery.caught_up_ms.is_some());
    let lost_one = |seen: &[Sighting]| seen.iter().any(|it| it.what == MomentKind::Closed);
    let given_up = story.cuts.is_empty() && sightings.iter().any(|reader| lost_one(reader));
    let faults: Vec<_> = group.condition.faults().into_iter().map(|timed| timed.fault).collect();
    let explanation = (!faults.is_empty()).then(|| {
        let is_back = last.map(|recovery| recovery.back_ms.is_some());
        // Who was given up without a cut was away from a time that nobody noted.
        let one = notes.len() == 1 && !given_up;
        let meanwhile = one.then(|| meanwhile(measured, &recoveries, &published));
        explain(client, &faults, Came { account, is_back, given_up, meanwhile })
    });
    let cut = given_up || !story.cuts.is_empty();
    // First: where notes are missing, so are events that came.
    let err = measured.pages.iter().find_map(Told::failure);
    let err = err
        .or_else(|| {
            // Where the rate is raised until something is lost, a loss is a figure.
            let account = Account { lost: account.lost * u64::from(climb.is_none()), ..account };
            broken_promise(client, &account, unreadable, cut, caught_up)
        })
        .or_else(|| not_one_acknowledged(measured, &published));
    Record {
        expected: account.expected,
        delivered: account.delivered,
        lost: account.lost,
        duplicated: account.duplicated,
        out_of_order: account.out_of_order,
        gaps: account.gaps,
        lost_announced: account.lost_announced,
        bunched: notes.iter().map(|reader| reader.bunched()).sum(),
        // Where events wait for the readers, their latency is the length of that queue.
        latency_us: latency(&latencies.histogram).filter(|_| story.taken.is_empty()),
        closed_loop_us: latency(&latencies.closed_loop),
        saturation: story.taken.get(at_index).copied(),
        upstream: client.upstream.map(|via| upstream(via, measured, &published)),
        bytes: bytes(measured.bytes, payload),
        opening: bytes(measured.opening, 0),
        steady: bytes(measured.steady, payload),
        steady_s: measured.steady_s,
        cost: measured.cost,
        recovery,
        recoveries: if group.condition.timetable.is_empty() { Vec::new() } else { recoveries },
        explanation,
        storm,
        zombies,
        capacity: climb.map(|climb| climb.capacity.clone()),
        memory: story.memory.clone().filter(|_| client.stalled),
        timeline,
        clock_uncertainty_us: measured.pages.iter().filter_map(Told::uncertainty_us).reduce(f64::max),
        doubtful,
        err,
        ..empty(definition, group, client, measured.started)
    }
}

/// What those noticed who were not cut: before, and until the last of the others was back.
fn bystanders(measured: &Measured<'_>, cut: Timestamp, back_max_ms: Option<f64>) -> Option<Bystanders> {
    let Measured { bystanders, story, timing, group, .. } = *measured;
    let until = back_max_ms.map_or(story.end, |ms| cut + Duration::from_secs_f64(ms / 1e3));
    let within = |is: &dyn Fn(Timestamp) -> bool| {
        let mut histogram = reader::histogram();
        for (_, micros) in bystanders.iter().filter(|(intended, _)| is(*intended)) {
            histogram.saturating_record(*micros);
        }
        latency(&histogram)
    };
    (!bystanders.is_empty()).then(|| Bystanders {
        readers: group.condition.bystanders,
        before_us: within(&|intended| timing.is_measured(intended) && intended < cut),
        during_us: within(&|intended| intended >= cut && intended <= until),
    })
}

/// What each cut did to the first reader, until the next one.
fn recoveries(
    measured: &Measured<'_>,
    at_index: usize,
    sightings: &[Sighting],
    published: &[Publish],
) -> Vec<CutRecovery> {
    let cuts = &measured.story.cuts;
    let spent_at = |number: usize| {
        let cut: Option<&Cut> = cuts.get(number);
        cut.map_or_else(
            || Spent::of(measured.bytes),
            |cut| cut.spent.get(at_index).copied().unwrap_or_default(),
        )
    };
    let one = |(number, cut): (usize, &Cut)| {
        let next = cuts.get(number + 1).map(|next| next.at);
        let until = sightings.partition_point(|seen| next.is_none_or(|next| seen.at < next));
        let spent = (spent_at(number), spent_at(number + 1));
        let recovery = recovery::recovery(cut.at, &sightings[..until], published, spent);
        CutRecovery { fault: cut.fault.slug().to_owned(), recovery }
    };
    cuts.iter().enumerate().map(one).collect()
}

/// How many events were published while the first reader was away, with some room at both ends: for what was
/// under way at a cut, and for what a poll had not yet asked for.
fn meanwhile(measured: &Measured<'_>, recoveries: &[CutRecovery], published: &[Publish]) -> u64 {
    const ROOM: Duration = Duration::from_millis(500);
    let room = ROOM + measured.client.interval_ms.map_or(Duration::ZERO, Duration::from_millis);
    let cuts = &measured.story.cuts;
    let away = |number: usize| {
        let back = recoveries.get(number).and_then(|it| it.recovery.back_ms);
        let back = back.map(|ms| cuts[number].at + Duration::from_secs_f64(ms / 1e3));
        let back = back.or(cuts.get(number + 1).map(|next| next.at));
        (cuts[number].at, back.map(|back| back + room))
    };
    let away: Vec<_> = (0..cuts.len()).map(away).collect();
    let is_within = |publish: &&Publish| {
        let gone = |&(from, until): &(Timestamp, Option<Timestamp>)| {
            publish.acknowledged + room >= from && until.is_none_or(|until| publish.intended <= until)
        };
        away.iter().any(gone)
    };
    published.iter().filter(is_within).count() as u64
}

/// What the server counted of this client's dead readers, where its count can be told from other clients'.
fn zombies(measured: &Measured<'_>, cut: Timestamp, sightings: &[Vec<Sighting>]) -> Option<Zombies> {
    let Measured { definition, group, client, story, .. } = *measured;
    if story.counts.is_empty()
        || group.clients.iter().filter(|it| it.transport == client.transport).count() > 1
    {
        return None;
    }
    let heartbeat_ms = group.condition.heartbeat(definition).as_millis() as u64;
    Some(zombies::zombies(cut, heartbeat_ms, client.transport.slug(), &story.counts, sightings))
}

/// The record of a run that came to nothing.
pub(super) fn failed(
    definition: &Definition,
    group: &Group,
    client: &Client,
    started: Timestamp,
    err: String,
) -> Record {
    Record { err: Some(err), ..empty(definition, group, client, started) }
}

/// What a run lost although nothing was cut, or although its client hands its cursor back: an error, and
/// not a figure. A client that never came back, or that starts anew each time, promised nothing.
fn broken_promise(
    client: &Client,
    account: &Account,
    unreadable: u64,
    cut: bool,
    caught_up: bool,
) -> Option<String> {
    let Account { expected, lost, lost_announced, duplicated, out_of_order, .. } = *account;
    if unreadable > 0 {
        return Some(format!("{unreadable} events were not of this run: is somebody else publishing here?"));
    }
    let silently = if cut { lost - lost_announced } else { lost };
    let promises = !cut || (client.policy().resume && caught_up);
    if promises && (silently, duplicated, out_of_order) != (0, 0, 0) {
        return Some(format!(
            "of {expected} events {silently} were lost without a word, {duplicated} came twice and {out_of_order} out of order"
        ));
    }
    None
}

/// A reader that was to publish and never could: what is measured of it is nothing.
fn not_one_acknowledged(measured: &Measured<'_>, published: &[Publish]) -> Option<String> {
    let Measured { client, group, story, .. } = measured;
    let none = group.condition.rate > 0.0 && published.is_empty();
    (client.upstream.is_some() && none).then(|| {
        let why = story.sent.failure.as_deref().unwrap_or("the time was too short for one");
        format!("none of its messages was acknowledged: {why}")
    })
}

/// What the first reader's publishing took.
fn upstream(via: definition::Upstream, measured: &Measured<'_>, published: &[Publish]) -> Upstream {
    let story = measured.story;
    let mut round_trips = reader::histogram();
    for (intended, micros) in &story.sent.round_trips {
        if measured.timing.is_measured(*intended) {
            round_trips.saturating_record(*micros);
        }
    }
    Upstream {
        via: via.slug().to_owned(),
        messages: published.len() as u64,
        application_out: story.sent.bytes_out,
        application_in: story.sent.bytes_in,
        round_trip_us: latency(&round_trips),
    }
}

fn empty(definition: &Definition, group: &Group, client: &Client, started: Timestamp) -> Record {
    Record {
        experiment: definition.name.clone(),
        run: group.condition.run_name(client, group.target_name.as_deref(), group.repetition),
        transport: client.transport.slug().to_owned(),
        client: client.name.clone(),
        target: group.target_name.clone(),
        repetition: group.repetition,
        started_ms: started.as_millis(),
        ..Record::blank(group.condition.parameters(client))
    }
}

fn latency(histogram: &Histogram<u64>) -> Option<Latency> {
    if histogram.is_empty() {
        return None;
    }
    let mut serialized = Vec::new();
    // Writing to memory can't fail, and our histograms are far below the format's size limit.
    V2DeflateSerializer::new().serialize(histogram, &mut serialized).expect("fits in memory");
    Some(Latency {
        count: histogram.len(),
        min: histogram.min(),
        mean: histogram.mean(),
        p50: histogram.value_at_quantile(0.5),
        p90: histogram.value_at_quantile(0.9),
        p99: histogram.value_at_quantile(0.99),
        p999: histogram.value_at_quantile(0.999),
        max: histogram.max(),
        histogram: base64::engine::general_purpose::STANDARD.encode(serialized),
    })
}

fn bytes(totals: Totals, payload: u64) -> Bytes {
    let Totals {
        application_in,
        application_out,
        heads_in,
        heads_out,
        wire_in,
        wire_out,
        segments_in,
        segments_out,
        connections,
        requests,
    } = totals;
    Bytes {
        payload,
        application_in,
        application_out,
        heads_in,
        heads_out,
        wire_in,
        wire_out,
        segments_in,
        segments_out,
        connections,
        requests,
    }
}

/// What opening took: for a stream all that passed before anything was published; a poll goes on polling
/// meanwhile, so that only what had passed at its first answer counts.
pub(super) fn opening(contender: &Contender<'_>, settled: Totals) -> Totals {
    if is_poll(contender.client) {
        let first_answers = contender.readers.iter().filter_map(|reader| reader.notes.opening());
        sum(first_answers)
    } else {
        settled
    }
}

/// All readings together.
pub(super) fn sum(readings: impl Iterator<Item = Totals>) -> Totals {
    let together = |mut all: Totals, one| {
        all += one;
        all
    };
    readings.reduce(together).unwrap_or_default()
}

/// From one reading to a later one of the same meters.
pub(super) fn between(earlier: Totals, later: Totals) -> Totals {
    let since = u64::saturating_sub;
    let known = |later: Option<u64>, earlier: Option<u64>| Some(since(later?, earlier?));
    Totals {
        application_in: since(later.application_in, earlier.application_in),
        application_out: since(later.application_out, earlier.application_out),
        heads_in: since(later.heads_in, earlier.heads_in),
        heads_out: since(later.heads_out, earlier.heads_out),
        wire_in: known(later.wire_in, earlier.wire_in),
        wire_out: known(later.wire_out, earlier.wire_out),
        segments_in: known(later.segments_in, earlier.segments_in),
        segments_out: known(later.segments_out, earlier.segments_out),
        connections: since(later.connections, earlier.connections),
        requests: since(later.requests, earlier.requests),
    }
}
