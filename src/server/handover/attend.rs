//! What is the matter with one stream: cut, full, heard from, behind, or silent for too long.

use std::{mem, task::Context, time::Duration};

use bytes::Bytes;
use tungstenite::protocol::frame::coding::CloseCode;

use super::{
    format::{Format, LAST_CHUNK},
    poll::After,
    stream::Phase,
    talk::{Over, Talk},
    writer::Writer,
};
use crate::server::connection::Kill;

/// Reads from one socket before it is another's turn.
const READS: usize = 4;

/// How long a WebSocket's client has to answer our close frame and close its side.
const FAREWELL: Duration = Duration::from_secs(1);

/// A peer that leaves so many pings without any sign of life is given up at the next.
const MAX_UNANSWERED: u8 = 2;

/// The stream is over: it is to be let go.
pub(super) struct Gone;

impl Writer {
    /// Begins a stream: its opening, and what its client said ahead.
    pub(super) fn open(&mut self, key: u32, opening: Bytes, leftover: &[u8]) {
        let Some(stream) = self.streams.get(key) else { return };
        let listens = stream.format == Format::WebSocket;
        let opened = stream.send(opening, self.now).is_ok();
        if opened && (!listens || self.hear(key, leftover).is_ok()) {
            self.look(key);
        } else {
            self.remove(key);
        }
    }

    /// Sees what is the matter with a stream.
    pub(super) fn look(&mut self, key: u32) {
        let Some(stream) = self.streams.get(key) else { return };
        stream.bell.answer();
        if self.attend(key).is_err() {
            self.remove(key);
        }
    }

    fn attend(&mut self, key: u32) -> Result<(), Gone> {
        self.obey_cut(key)?;
        let now = self.now;
        let stream = self.streams.get(key).ok_or(Gone)?;
        if matches!(stream.phase, Phase::Silent(_)) {
            return Ok(());
        }
        stream.drain(now).map_err(|_| Gone)?;
        if stream.poll.is_some() {
            self.read_ahead(key)?;
        } else {
            self.read(key)?;
        }
        let stream = self.streams.get(key).ok_or(Gone)?;
        if stream.is_drained() {
            match stream.phase {
                Phase::Ending => {
                    stream.wire.finish();
                    return Err(Gone);
                }
                Phase::Finishing(until) => {
                    stream.wire.finish();
                    stream.phase = Phase::Finished(until);
                }
                Phase::Open => self.catch_up(key)?,
                Phase::Answered if stream.is_asked_again() => {
                    if !self.asks_again(key)? {
                        self.give_back(key);
                        return Ok(());
                    }
                }
                Phase::Answered | Phase::Leaving(_) | Phase::Finished(_) | Phase::Silent(_) => {}
            }
        }
        self.put_on_wheel(key);
        Ok(())
    }

    /// A reader that is behind by itself gets its next batch, and then it is another's turn.
    pub(super) fn catch_up(&mut self, key: u32) -> Result<(), Gone> {
        let stream = self.streams.get(key).ok_or(Gone)?;
        let Some(crowd) = stream.member.and_then(|(crowd, _)| self.crowds.get(crowd)) else { return Ok(()) };
        let head = crowd.audience.channel.head();
        if stream.cursor == head {
            return Ok(());
        }
        if !crowd.serve(stream, head, self.now) {
            return Err(Gone);
        }
        if !crowd.is_queued {
            crowd.end();
        }
        if stream.poll.is_some() {
            self.is_answered(key);
            return Ok(());
        }
        if stream.cursor != head && stream.is_drained() {
            stream.bell.ring();
        }
        Ok(())
    }

    /// Ends a stream that is cut.
    fn obey_cut(&mut self, key: u32) -> Result<(), Gone> {
        let stream = self.streams.get(key).ok_or(Gone)?;
        let Some(cut) = stream.wire.cut() else { return Ok(()) };
        match cut.kill_ordered() {
            Some(Kill::Reset) => return Err(Gone),
            Some(Kill::Silence) if !matches!(stream.phase, Phase::Silent(_)) => {
                stream.forget();
                stream.phase = Phase::Silent(self.now + self.habits.silence);
                self.leave_crowd(key);
                self.put_on_wheel(key);
                return Ok(());
            }
            Some(Kill::Silence) => return Ok(()),
            None => {}
        }
        if !matches!(stream.phase, Phase::Open | Phase::Answered) || !cut.is_closed() {
            return Ok(());
        }
        match stream.format {
            Format::Sse => {
                stream.phase = Phase::Ending;
                stream.send(Bytes::from_static(LAST_CHUNK), self.now).map_err(|_| Gone)?;
            }
            // Where the socket is full there is no room for a close frame either.
            Format::WebSocket if stream.is_drained() => {
                let mut goodbye = Vec::new();
                let talk = stream.talk.get_or_insert_with(|| Box::new(Talk::new(self.habits.protocol)));
                talk.leave(CloseCode::Away, "the server ends the stream", &mut goodbye);
                stream.phase = Phase::Leaving(self.now + FAREWELL);
                stream.send(goodbye.into(), self.now).map_err(|_| Gone)?;
            }
            Format::LongPoll => {
                if stream.phase == Phase::Open {
                    let answer = stream.empty_answer(After::Closed);
                    stream.send(answer, self.now).map_err(|_| Gone)?;
                }
                stream.phase = Phase::Ending;
            }
            Format::WebSocket | Format::Floor => return Err(Gone),
        }
        self.leave_crowd(key);
        Ok(())
    }

    /// Reads what a client has sent.
    fn read(&mut self, key: u32) -> Result<(), Gone> {
        let mut scratch = mem::take(&mut self.scratch);
        let read = self.read_into(key, &mut scratch);
        self.scratch = scratch;
        read
    }

    fn read_into(&mut self, key: u32, scratch: &mut [u8]) -> Result<(), Gone> {
        for _ in 0..READS {
            let stream = self.streams.get(key).ok_or(Gone)?;
            let listens =
                stream.format == Format::WebSocket && matches!(stream.phase, Phase::Open | Phase::Leaving(_));
            if listens {
                // What it said before comes first, and what it is to be answered before that.
                if !stream.is_drained() {
                    return Ok(());
                }
                if stream.talk.is_some() {
                    self.hear(key, &[])?;
                    let stream = self.streams.get(key).ok_or(Gone)?;
                    if !stream.is_drained() {
                        return Ok(());
                    }
                    match &stream.talk {
                        Some(talk) if talk.is_publishing() => return Ok(()),
                        Some(talk) if talk.has_unheard() => continue,
                        _ => {}
                    }
                }
            }
            let stream = self.streams.get(key).ok_or(Gone)?;
            match stream.read(scratch).map_err(|_| Gone)? {
                None => return Ok(()),
                Some([]) => return Err(Gone),
                Some(bytes) if listens => self.hear(key, bytes)?,
                // The client of an event stream has nothing to say, and neither has one that has left.
                Some(_) => {}
            }
        }
        if let Some(stream) = self.streams.get(key) {
            stream.bell.ring();
        }
        Ok(())
    }

    /// Lets a WebSocket's talk hear bytes, and writes what it answers.
    fn hear(&mut self, key: u32, bytes: &[u8]) -> Result<(), Gone> {
        let stream = self.streams.get(key).ok_or(Gone)?;
        if bytes.is_empty() && stream.talk.is_none() {
            return Ok(());
        }
        if !bytes.is_empty() {
            stream.unanswered = 0;
        }
        let mut talk = stream.talk.take().unwrap_or_else(|| Box::new(Talk::new(self.habits.protocol)));
        let crowd = stream.member.and_then(|(crowd, _)| self.crowds.get(crowd));
        let (channel, waker) = (crowd.map(|crowd| &crowd.audience.channel), stream.waker());
        let mut answers = Vec::new();
        let context = &mut Context::from_waker(&waker);
        let heard = talk.hear(bytes, channel, stream.may_publish, context, &mut answers);
        if !talk.is_idle() || stream.phase != Phase::Open {
            stream.talk = Some(talk);
        }
        stream.send(answers.into(), self.now).map_err(|_| Gone)?;
        let until = self.now + FAREWELL;
        match heard {
            Ok(()) => return Ok(()),
            Err(Over::Dead) => return Err(Gone),
            Err(Over::Ours) => stream.phase = Phase::Leaving(until),
            Err(Over::Both) => {
                stream.talk = None;
                stream.phase = Phase::Finishing(until);
            }
        }
        self.leave_crowd(key);
        Ok(())
    }

    /// A stream stands at a mark that has come. If something has happened since it was put there, it is to
    /// be looked at later.
    pub(super) fn look_at_mark(&mut self, key: u32) {
        let Some(stream) = self.streams.get(key) else { return };
        let is_due = stream.due(&self.habits).is_some_and(|due| due <= self.now);
        if is_due && self.is_time(key).is_err() {
            self.remove(key);
        } else {
            self.put_on_wheel(key);
        }
    }

    /// What a stream's time has come for.
    fn is_time(&mut self, key: u32) -> Result<(), Gone> {
        let (now, heartbeat) = (self.now, self.habits.heartbeat);
        let stream = self.streams.get(key).ok_or(Gone)?;
        match (stream.phase, stream.format) {
            (Phase::Silent(_), _) => {
                if let Some(cut) = stream.wire.cut() {
                    cut.silence_is_over();
                }
                Err(Gone)
            }
            (Phase::Open, Format::Sse) => {
                let due = stream.wrote_at + heartbeat;
                stream.send(stream.format.heartbeat(), now).map_err(|_| Gone)?;
                // The next follows the time at which this one was due, not the mark at which it was seen.
                stream.wrote_at = if due + heartbeat > now { due } else { now };
                Ok(())
            }
            (Phase::Open, Format::LongPoll) => {
                // What there is comes before the clock: after a stall of our own, it has not been told yet.
                self.catch_up(key)?;
                let stream = self.streams.get(key).ok_or(Gone)?;
                if stream.phase == Phase::Open {
                    let answer = stream.empty_answer(After::Open);
                    stream.send(answer, now).map_err(|_| Gone)?;
                    self.is_answered(key);
                }
                Ok(())
            }
            // A peer that takes nothing for as long as one may be silent; one that is slow but reads is kept.
            (Phase::Open, Format::WebSocket) if !stream.is_drained() => Err(Gone),
            (Phase::Open, Format::WebSocket) => {
                // What was heard comes before the clock: after a stall of our own, answers are waiting.
                self.read(key)?;
                let stream = self.streams.get(key).ok_or(Gone)?;
                if stream.phase != Phase::Open || !stream.is_drained() {
                    return Ok(());
                }
                // Anything heard is a sign of life; a peer that only listens answers our pings. They are
                // counted, not timed, so that a stall of our own is not held against it.
                if stream.unanswered == MAX_UNANSWERED {
                    return Err(Gone);
                }
                stream.unanswered += 1;
                let next = stream.ping_at + heartbeat;
                stream.ping_at = if next > now { next } else { now + heartbeat };
                stream.send(stream.format.heartbeat(), now).map_err(|_| Gone)
            }
            _ => Err(Gone),
        }
    }
}
