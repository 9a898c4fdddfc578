//! The thread that owns the program: starts it, tries it with a test message, hands it one
//! message at a time, and starts it again after a pause when it dies, lies or is silent.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ccoin_crypto::{Hash, PublicKey, SignError, Signature, Verifier};

use super::helper::{Helper, Output};
use super::line_budget::LineBudget;
use super::waiting::Waiting;
use super::{Event, Request, SignerConfig, test_message};

/// Pauses before the program is started again: none, then these, doubling.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A run that lasts this long begins with no pause again.
const GOOD_RUN: Duration = Duration::from_mins(1);

/// How much longer than a signature the test after a start may take.
const START: Duration = Duration::from_secs(10);

/// How long the program may take to end by itself.
const FAREWELL: Duration = Duration::from_secs(1);

/// A message that the program has, and who waits for the signature: nobody, if it is a test.
struct Asked {
    message: Hash,
    due: Instant,
    since: Instant,
    request: Option<Request>,
}

/// A run of the program.
struct Run {
    helper: Helper,
    began: Instant,
    /// What it has written of the signature that is due.
    output: Vec<u8>,
    asked: Option<Asked>,
}

/// The loop of the thread.
pub(super) struct Supervisor {
    config: SignerConfig,
    public_key: PublicKey,
    verifier: Verifier,
    inbox: SyncSender<Event>,
    tell: Box<dyn Fn(Option<String>) + Send>,
    errors: Arc<Mutex<LineBudget>>,
    waiting: Waiting,
    run: Option<Run>,
    /// Numbers the runs: what an earlier one still writes is not heard.
    runs: u64,
    /// What was told last; the outer `None`: nothing yet.
    told: Option<Option<String>>,
    pause: Duration,
    start_at: Instant,
}

impl Supervisor {
    pub(super) fn new(
        config: SignerConfig,
        public_key: PublicKey,
        inbox: SyncSender<Event>,
        tell: Box<dyn Fn(Option<String>) + Send>,
    ) -> Self {
        Self {
            config,
            public_key,
            verifier: Verifier::new(1),
            inbox,
            tell,
            errors: Arc::new(Mutex::new(LineBudget::new())),
            waiting: Waiting::default(),
            run: None,
            runs: 0,
            told: None,
            pause: Duration::ZERO,
            start_at: Instant::now(),
        }
    }

    /// Runs until it is told to stop.
    pub(super) fn run(mut self, events: &Receiver<Event>) {
        loop {
            self.go_on();
            let wait = self.next_moment().saturating_duration_since(Instant::now());
            match events.recv_timeout(wait) {
                Ok(Event::Request(request)) => self.on_request(request),
                Ok(Event::Output(output)) if output.run == self.runs => {
                    self.on_output(&output.bytes);
                }
                Ok(Event::Output(_)) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if let Some(run) = &mut self.run {
            self.waiting = Waiting::default();
            run.helper.close_input();
            run.asked = None;
            let end = Instant::now() + FAREWELL;
            let closed = |output: &Output| output.run == self.runs && output.bytes.is_empty();
            loop {
                let wait = end.saturating_duration_since(Instant::now());
                match events.recv_timeout(wait) {
                    Ok(Event::Output(output)) if closed(&output) => break,
                    Ok(_) => {}
                    Err(_) => break,
                }
            }
        }
    }

    /// Does what is due: ends a run that is silent, begins one, hands it the next message.
    fn go_on(&mut self) {
        let now = Instant::now();
        let asked = self.run.as_ref().and_then(|run| run.asked.as_ref());
        if let Some(asked) = asked.filter(|asked| now >= asked.due) {
            let ms = asked.since.elapsed().as_millis();
            self.fail(&format!("did not answer within {ms} ms"));
        }
        if self.run.is_none() && now >= self.start_at {
            self.begin(now);
        }
        let idle = |run: &Run| run.asked.is_none();
        while self.run.as_ref().is_some_and(idle) {
            let Some(request) = self.waiting.pop() else {
                return;
            };
            let waited = request.at.elapsed();
            if waited > self.timeout() {
                let text = format!("{} ms behind others", waited.as_millis());
                refuse(request, &text);
            } else {
                self.ask(request.message, Some(request));
            }
        }
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(self.config.timeout_ms)
    }

    fn next_moment(&self) -> Instant {
        match &self.run {
            None => self.start_at,
            Some(Run {
                asked: Some(asked), ..
            }) => asked.due,
            // Nothing is due: any event wakes it.
            Some(_) => Instant::now() + LONGEST_PAUSE,
        }
    }

    /// Starts the program and tries it.
    fn begin(&mut self, now: Instant) {
        self.runs += 1;
        let (inbox, errors) = (self.inbox.clone(), Arc::clone(&self.errors));
        match Helper::start(&self.config.command, self.runs, inbox, errors) {
            Ok(helper) => {
                self.run = Some(Run {
                    helper,
                    began: now,
                    output: Vec::new(),
                    asked: None,
                });
                self.ask(test_message(), None);
            }
            Err(error) => self.fail(&format!("cannot be started: {error}")),
        }
    }

    fn ask(&mut self, message: Hash, request: Option<Request>) {
        let start = if request.is_some() {
            Duration::ZERO
        } else {
            START
        };
        let timeout = self.timeout() + start;
        let Some(run) = &mut self.run else { return };
        let since = Instant::now();
        run.asked = Some(Asked {
            message,
            due: since + timeout,
            since,
            request,
        });
        if let Err(error) = run.helper.ask(&message) {
            self.fail(&format!("takes no message: {error}"));
        }
    }

    fn on_request(&mut self, request: Request) {
        match &self.told {
            Some(Some(fault)) => refuse(request, fault),
            _ => self.waiting.push(request),
        }
    }

    fn on_output(&mut self, bytes: &[u8]) {
        let expected = self.public_key.modulus_len();
        let Some(run) = &mut self.run else { return };
        if bytes.is_empty() {
            return self.fail("ended, or closed its standard output");
        }
        let Some(asked) = &run.asked else {
            let got = bytes.len();
            return self.fail(&format!("wrote {got} bytes that nobody asked for"));
        };
        run.output.extend_from_slice(bytes);
        let got = run.output.len();
        if got < expected {
            return;
        }
        let signature = Signature::new(&run.output).ok();
        let signature = signature.filter(|signature| {
            let verified = self
                .verifier
                .verify(&self.public_key, &asked.message, signature);
            verified.is_ok()
        });
        let Some(signature) = signature else {
            let address = self.public_key.address();
            return self.fail(&if got > expected {
                format!("answered with {got} bytes and more where {expected} are due")
            } else {
                format!("made a signature that is not by the key of {address}")
            });
        };
        run.output.clear();
        let asked = run.asked.take();
        match asked.map(|asked| (asked.request, asked.since.elapsed())) {
            Some((Some(request), _)) => answer(request, Ok(signature)),
            Some((None, took)) => self.on_tried(took),
            None => {}
        }
    }

    /// The test message is signed: it works.
    fn on_tried(&mut self, took: Duration) {
        let ms = took.as_millis();
        tracing::info!(
            "the signer {} works: a signature in {ms} ms",
            self.config.program()
        );
        self.tell(None);
    }

    /// Ends a run that has failed, and refuses all that wait.
    fn fail(&mut self, cause: &str) {
        let run = self.run.take();
        let lasted = run
            .as_ref()
            .is_some_and(|run| run.began.elapsed() >= GOOD_RUN);
        if lasted {
            self.pause = Duration::ZERO;
        }
        let (mut status, mut asked) = (String::new(), None);
        if let Some(mut run) = run {
            status = run.helper.kill();
            asked = run.asked.take();
        }
        let program = self.config.program();
        let fault = format!("{program} {cause}{status}");
        if let Some(request) = asked.and_then(|asked| asked.request) {
            refuse(request, &fault);
        }
        while let Some(request) = self.waiting.pop() {
            refuse(request, &fault);
        }
        self.start_at = Instant::now() + self.pause;
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        self.tell(Some(fault));
    }

    /// Tells a change.
    fn tell(&mut self, fault: Option<String>) {
        if self.told.as_ref() == Some(&fault) {
            return;
        }
        if let Some(fault) = &fault {
            tracing::warn!("the signer does not sign: {fault}; it is started again");
        }
        (self.tell)(fault.clone());
        self.told = Some(fault);
    }
}

fn refuse(request: Request, fault: &str) {
    answer(request, Err(SignError::Unavailable(fault.to_owned())));
}

fn answer(request: Request, answer: Result<Signature, SignError>) {
    // The caller waits for it.
    let _ = request.answer.send(answer);
}
