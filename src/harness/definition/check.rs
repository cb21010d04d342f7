//! What a definition's shape can't say: names that must exist, values that must be in a range.

use std::collections::HashSet;

use super::{
    Client, Conditions, Definition, Fault, Layout, Network, Operand, Profile, Publisher, ReconnectKind,
    Selector, Subject, Upstream,
};
use crate::{client::Policy, server::source::MIN_PAYLOAD_BYTES, transport::Transport};

/// The key and what is wrong with its value.
type Problem = (String, String);

/// The most pages at the same time on one server: each takes one of the six connections that a browser opens to it
/// over HTTP/1.1, and one is left for what a page loads.
const MAX_PAGES: u32 = 5;

/// The most readers of one run: each takes a descriptor on both sides of this machine.
pub(super) const MAX_READERS: u32 = 100_000;

pub(super) fn check(definition: &Definition) -> Result<(), Problem> {
    let mut names = HashSet::new();
    for client in &definition.clients {
        let key = |field: &str| format!("client {:?}: {field}", client.name);
        if client.name.is_empty() || !names.insert(client.name.as_str()) {
            return Err((key("name"), "give each client a name of its own".into()));
        }
        check_client(client).map_err(|(field, problem)| (key(field), problem))?;
        check_upstream(definition, client).map_err(|(field, problem)| (key(field), problem))?;
    }
    if definition.conditions.is_empty() || definition.clients.is_empty() {
        return Err(("conditions, client".into(), "at least one of each is needed".into()));
    }
    for (number, conditions) in definition.conditions.iter().enumerate() {
        let key = |field: &str| format!("conditions, number {}: {field}", number + 1);
        check_conditions(definition, conditions).map_err(|(field, problem)| (key(field), problem))?;
    }
    if definition.conditions.iter().filter(|it| it.timetable.is_some()).count() > 1 {
        // Their runs could not be told apart.
        return Err((
            "conditions: timetable".into(),
            "only one conditions table may have a timetable".into(),
        ));
    }
    for (name, profile) in [("quick", definition.quick), ("full", definition.full)] {
        check_profile(definition.layout, profile)
            .map_err(|(field, problem)| (format!("{name}.{field}"), problem))?;
    }
    for published in &definition.published {
        let problem = published.check(|name| definition.client(name).is_some());
        problem.map_err(|problem| (format!("published {:?}", published.row), problem))?;
    }
    let told = definition.published_in.is_some() && definition.setup_differences.is_some();
    if !definition.published.is_empty() && !told {
        let problem = "published figures need both: where they are from, and what was different there";
        return Err(("published_in, setup_differences".into(), problem.into()));
    }
    for claim in &definition.claims {
        if matches!(&claim.right, Operand::Figure(right) if right.client == Selector::EVERY) {
            let problem = "only the left side may be \"*\", every client: name one here";
            return Err((format!("claim {:?}: right.client", claim.id), problem.into()));
        }
        let sides =
            [Some(&claim.left), if let Operand::Figure(right) = &claim.right { Some(right) } else { None }];
        for side in sides.into_iter().flatten() {
            let is_known = |name: &String| name == Selector::EVERY || definition.targets.contains(name);
            if let Some(name) = side.target.as_ref().filter(|name| !is_known(name)) {
                let problem =
                    format!("{name:?} is none of this experiment's targets: add it there, or write \"*\"");
                return Err((format!("claim {:?}: target", claim.id), problem));
            }
            check_selector(definition, side).map_err(|problem| (format!("claim {:?}", claim.id), problem))?;
        }
    }
    Ok(())
}

fn check_client(client: &Client) -> Result<(), (&'static str, String)> {
    let is = |transport| client.transport == Subject::Transport(transport);
    if client.interval_ms.is_some() != is(Transport::ShortPoll) {
        return Err(("interval_ms", "short-poll needs it, and no other transport takes it".into()));
    }
    if client.stalled && !is(Transport::Sse) {
        return Err((
            "stalled",
            "only an sse client can open and then not read: use transport = \"sse\"".into(),
        ));
    }
    if client.queueing && !client.stalled {
        return Err((
            "queueing",
            "the queueing variant is for readers that don't read: add stalled = true".into(),
        ));
    }
    if client.interval_ms == Some(0) {
        return Err(("interval_ms", "must be at least 1".into()));
    }
    if client.wait_s.is_some() && !is(Transport::LongPoll) {
        return Err(("wait_s", "only long-poll takes it".into()));
    }
    if client.wait_s.is_some_and(|wait| wait > 55) {
        return Err(("wait_s", "the server waits at most 55 seconds".into()));
    }
    let waits = matches!(
        client.reconnect,
        ReconnectKind::Fixed | ReconnectKind::Exponential | ReconnectKind::ExponentialJitter
    );
    if (client.base_ms.is_some() || client.cap_ms.is_some()) && !waits {
        return Err(("base_ms, cap_ms", "only a reconnect that is fixed or exponential takes them".into()));
    }
    if (client.browser_retry_ms.is_some() || client.without_retry) && !is(Transport::Sse) {
        return Err(("browser_retry_ms, without_retry", "only sse has a reconnection time".into()));
    }
    let may_be_quiet = is(Transport::Sse) || is(Transport::WebSocket);
    if client.quiet_heartbeats.is_some_and(|count| count == 0 || client.quiet_limit_ms.is_some())
        || (client.quiet_heartbeats.is_some() && !may_be_quiet)
    {
        let problem = "must be at least 1, for sse or websocket, and not beside quiet_limit_ms";
        return Err(("quiet_heartbeats", problem.into()));
    }
    if client.own_process {
        check_own_process(client)?;
    }
    if client.browser {
        check_browser(client)?;
    }
    Ok(())
}

fn check_upstream(definition: &Definition, client: &Client) -> Result<(), (&'static str, String)> {
    let publishes = definition.publisher == Publisher::Reader;
    if publishes && definition.layout != Layout::OneByOne {
        return Err(("upstream", "clients that publish run one by one: leave the layout out".into()));
    }
    let is_websocket = client.transport == Subject::Transport(Transport::WebSocket);
    match client.upstream {
        None if publishes => {
            Err(("upstream", "publisher = \"reader\" needs it: write \"frame\" or \"post\"".into()))
        }
        Some(_) if !publishes => Err((
            "upstream",
            "it takes effect only with publisher = \"reader\": add that, or leave it out".into(),
        )),
        Some(Upstream::Frame) if !is_websocket => {
            Err(("upstream", "only a WebSocket can send frames: write \"post\"".into()))
        }
        Some(_) if client.own_process => {
            Err(("own_process", "a client that publishes runs in this one".into()))
        }
        _ => Ok(()),
    }
}

/// A client in a process of its own is `experiment watch`, which takes no other policy than the default.
fn check_own_process(client: &Client) -> Result<(), (&'static str, String)> {
    let Subject::Transport(_) = client.transport else {
        return Err(("own_process", "the bare TCP floor has no program of its own".into()));
    };
    let plain = client.quiet_heartbeats.is_none() && !client.without_retry;
    if client.policy() != Policy::default() || !plain {
        let problem = "such a client is `experiment watch`: give it no keys of its own, and short-poll \
                       interval_ms = 1000";
        return Err(("own_process", problem.into()));
    }
    Ok(())
}

/// What a page is not, or can't do.
fn check_browser(client: &Client) -> Result<(), (&'static str, String)> {
    let is = |transport| client.transport == Subject::Transport(transport);
    if !is(Transport::Sse) && !is(Transport::WebSocket) {
        return Err(("browser", "a page reads by sse or websocket only".into()));
    }
    if client.stalled || client.own_process || client.upstream.is_some() {
        return Err(("browser", "leave out stalled, own_process and upstream: a page only reads".into()));
    }
    if client.quiet_limit_ms.is_some() || client.quiet_heartbeats.is_some() {
        let problem =
            "a page sees neither comments nor pings, so that it can't tell silence from nothing to say";
        return Err(("quiet_limit_ms, quiet_heartbeats", problem.into()));
    }
    Ok(())
}

fn check_conditions(definition: &Definition, conditions: &Conditions) -> Result<(), (&'static str, String)> {
    for name in &conditions.clients {
        if definition.client(name).is_none() {
            return Err((
                "clients",
                format!("there is no client {name:?}: add a [[client]] or correct the name"),
            ));
        }
    }
    let is_saturated = conditions.in_flight.is_some();
    if is_saturated {
        check_saturated(definition, conditions)?;
    }
    let empty = conditions.readers.is_empty()
        || (conditions.rate.is_empty() && !is_saturated)
        || conditions.payload_bytes.is_empty()
        || conditions.pattern.is_empty();
    if empty {
        return Err(("readers, rate, payload_bytes, pattern", "an empty list leaves nothing to run".into()));
    }
    if conditions.readers.iter().any(|&readers| !(1..=MAX_READERS).contains(&readers)) {
        return Err(("readers", format!("must be from 1 to {MAX_READERS}")));
    }
    if conditions.rate.iter().any(|&rate| !(0.0..=10_000.0).contains(&rate)) {
        return Err(("rate", "must be from 0 (idle) to 10000 events per second".into()));
    }
    if conditions.payload_bytes.iter().any(|&bytes| bytes > 1 << 20) {
        return Err(("payload_bytes", "must be at most 1048576".into()));
    }
    let least = MIN_PAYLOAD_BYTES;
    let too_small = conditions.payload_bytes.iter().any(|&bytes| (bytes as usize) < least);
    if definition.publisher == Publisher::Source && too_small {
        return Err((
            "payload_bytes",
            format!(
                "the built-in source needs at least {least} bytes; use publisher = \"post\" for smaller ones"
            ),
        ));
    }
    let faults = conditions.faults();
    if faults.iter().any(|fault| fault.kills()) && definition.publisher == Publisher::Source {
        return Err(("fault", "a restart ends the built-in source: use publisher = \"post\"".into()));
    }
    for network in &conditions.network {
        network.check().map_err(|problem| ("network", problem))?;
    }
    if faults.iter().any(|fault| fault.kills()) && conditions.network.iter().any(Network::is_lossy) {
        return Err((
            "fault",
            "a restart is not possible where segments are lost: use conditions of its own".into(),
        ));
    }
    if let Some(timetable) = &conditions.timetable {
        if !conditions.fault.is_empty() {
            return Err(("timetable", "takes the place of fault: leave one of them out".into()));
        }
        let shortest = [definition.quick.measure_s, definition.full.measure_s];
        let shortest = conditions.measure_s.map_or(shortest, |seconds| [seconds.quick, seconds.full]);
        timetable.check(shortest[0].min(shortest[1])).map_err(|problem| ("timetable", problem))?;
    }
    if faults.contains(&Fault::MidCharacter) && definition.publisher == Publisher::Source {
        let problem = "the built-in source publishes no character of several bytes: use publisher = \"post\"";
        return Err(("fault", problem.into()));
    }
    check_bystanders(definition, conditions)?;
    check_step(definition, conditions)?;
    if conditions.heartbeat_ms.contains(&0) {
        return Err(("heartbeat_ms", "must be at least 1".into()));
    }
    let stalled = |client: &Client| {
        client.stalled && (conditions.clients.is_empty() || conditions.clients.contains(&client.name))
    };
    if definition.clients.iter().any(stalled) && (definition.layout != Layout::OneByOne || !faults.is_empty())
    {
        return Err((
            "clients",
            "the memory that a stalled client costs can be told only one by one and without a fault".into(),
        ));
    }
    let closed_loop = definition.publisher == Publisher::ClosedLoop;
    if closed_loop && (definition.layout != Layout::OneByOne || faults.iter().any(|it| it.cuts())) {
        // One reader that never comes back would hold up all the others.
        return Err((
            "fault",
            "a closed loop runs one by one, and with no other fault than \"stall\": use publisher = \"post\""
                .into(),
        ));
    }
    let in_browser = definition.clients.iter().filter(|client| {
        client.browser && (conditions.clients.is_empty() || conditions.clients.contains(&client.name))
    });
    let pages = in_browser.count() as u32 * conditions.readers.iter().copied().max().unwrap_or_default();
    if pages > MAX_PAGES {
        return Err((
            "readers",
            format!(
                "at most {MAX_PAGES} pages in a browser, over all its clients: it opens no more than six connections \
                 to one server"
            ),
        ));
    }
    if pages > 0 && closed_loop {
        return Err((
            "clients",
            "what a page saw is known too late for a closed loop: leave browser out".into(),
        ));
    }
    let is_process = |client: &Client| {
        client.own_process && (conditions.clients.is_empty() || conditions.clients.contains(&client.name))
    };
    if faults.iter().any(|it| it.cuts()) && definition.clients.iter().any(is_process) {
        return Err((
            "fault",
            "clients in processes of their own can't be cut: leave own_process out".into(),
        ));
    }
    if let Some(seconds) = conditions.measure_s
        && !(positive(seconds.quick) && positive(seconds.full))
    {
        return Err(("measure_s", "must be more than 0 and at most 3600 seconds".into()));
    }
    Ok(())
}

/// Publishing as fast as events are taken.
fn check_saturated(definition: &Definition, conditions: &Conditions) -> Result<(), (&'static str, String)> {
    let problem = if !conditions.rate.is_empty() {
        "it takes the place of rate: leave one of them out"
    } else if !conditions.in_flight.is_some_and(|events| (1..=10_000).contains(&events)) {
        "must be from 1 to 10000 events"
    } else if definition.publisher != Publisher::Post || definition.layout != Layout::OneByOne {
        "events that are published as fast as they are taken need publisher = \"post\" and runs one by one"
    } else if !conditions.faults().is_empty() || conditions.bystanders.is_some() {
        "nothing is cut while it is measured how much fits: leave fault, timetable and bystanders out"
    } else {
        return Ok(());
    };
    Err(("in_flight", problem.into()))
}

/// Bystanders are to be left alone, and to share nothing with those that are cut but the server.
fn check_bystanders(definition: &Definition, conditions: &Conditions) -> Result<(), (&'static str, String)> {
    let Some(bystanders) = conditions.bystanders else { return Ok(()) };
    let problem = if !(1..=MAX_READERS).contains(&bystanders) {
        format!("must be from 1 to {MAX_READERS}")
    } else if definition.layout != Layout::OneByOne {
        "what bystanders notice can be told only one by one: leave the layout out".to_owned()
    } else if conditions.fault.is_empty() || conditions.fault.iter().any(|fault| fault.kills()) {
        "they need a fault that leaves the server alive, such as \"disconnect\"".to_owned()
    } else {
        return Ok(());
    };
    Err(("bystanders", problem))
}

/// Steps are measured by themselves: nothing else may happen, and the events must say when they were meant.
fn check_step(definition: &Definition, conditions: &Conditions) -> Result<(), (&'static str, String)> {
    let Some(step) = conditions.step else { return Ok(()) };
    for &rate in &conditions.rate {
        step.check(rate)?;
    }
    let takes_part =
        |client: &&Client| conditions.clients.is_empty() || conditions.clients.contains(&client.name);
    let odd =
        |client: &Client| client.stalled || client.own_process || client.browser || client.upstream.is_some();
    let problem = if definition.layout != Layout::OneByOne {
        "steps are measured one by one: leave the layout out"
    } else if !matches!(definition.publisher, Publisher::Source | Publisher::Post) {
        "only the built-in source's rate and the harness's own can be raised: leave the publisher out, or use \"post\""
    } else if !conditions.faults().is_empty() || !conditions.network.is_empty() {
        "steps need a connection that nothing is done to: leave fault, timetable and network out"
    } else if definition.clients.iter().filter(takes_part).any(odd) {
        "steps need clients that only read, in this process: leave stalled, own_process, browser and upstream out"
    } else {
        return Ok(());
    };
    Err(("step", problem.into()))
}

fn check_profile(layout: Layout, profile: Profile) -> Result<(), (&'static str, String)> {
    if profile.at_once == 0 || (profile.at_once > 1 && layout != Layout::Together) {
        let problem = "must be at least 1, and only the layout \"together\" takes more";
        return Err(("at_once", problem.into()));
    }
    if let Some(count) = profile.conditions_at_once
        && (count == 0 || layout != Layout::Together || profile.at_once > 1)
    {
        let problem = "must be at least 1, with the layout \"together\", and without at_once";
        return Err(("conditions_at_once", problem.into()));
    }
    if !(1..=1_000).contains(&profile.repetitions) {
        return Err(("repetitions", "must be from 1 to 1000".into()));
    }
    if !(0.0..=600.0).contains(&profile.warm_up_s) {
        return Err(("warm_up_s", "must be from 0 to 600 seconds".into()));
    }
    if !positive(profile.measure_s) {
        return Err(("measure_s", "must be more than 0 and at most 3600 seconds".into()));
    }
    Ok(())
}

/// A selector that no run can match would be undecided for ever; a typing error is more likely.
fn check_selector(definition: &Definition, selector: &Selector) -> Result<(), String> {
    let is_every = selector.client == Selector::EVERY;
    if !is_every && definition.client(&selector.client).is_none() {
        return Err(format!(
            "there is no client {:?}: add a [[client]], correct the name, or write \"*\" for every client",
            selector.client
        ));
    }
    let matches = |conditions: &Conditions| {
        (is_every || conditions.clients.is_empty() || conditions.clients.contains(&selector.client))
            && selector.readers.is_none_or(|readers| conditions.readers.contains(&readers))
            && selector.rate.is_none_or(|rate| conditions.rate.contains(&rate))
            && selector.payload_bytes.is_none_or(|bytes| conditions.payload_bytes.contains(&bytes))
            && selector.fault.is_none_or(|fault| conditions.fault.contains(&fault))
            && selector.network.as_deref().is_none_or(|name| has_network(conditions, name))
    };
    if definition.conditions.iter().any(matches) {
        Ok(())
    } else {
        Err(format!(
            "no conditions give client {:?} what the claim selects: correct its readers, rate, payload_bytes, fault or network",
            selector.client
        ))
    }
}

fn has_network(conditions: &Conditions, name: &str) -> bool {
    let direct = conditions.network.is_empty() && name == Network::DIRECT;
    direct || conditions.network.iter().any(|network| network.name() == name)
}

fn positive(seconds: f64) -> bool {
    seconds > 0.0 && seconds <= 3_600.0
}
