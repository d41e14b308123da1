//! Runs the state machine: stamps events with time and ids, and carries out what it asks for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::source::Source;

use super::change::StateChange;
use super::clock::Clock;
use super::commands::CommandsRequest;
use super::credentials::Credentials;
use super::execution::ErrorDetails;
use super::identity::{ActionExecutionId, Stamp};
use super::message::{ApprovalNotice, Effect, Event, JobRequest, Refusal, Reply, SourceRequest};
use super::ports::{BusEvent, MAX_BUS_EVENTS, PortError, Ports};
use super::read;
use super::state::State;

/// How long a job's credentials are good for (semantics: role chaining suggests at most an hour).
const CREDENTIALS_LIFETIME: Duration = Duration::from_hours(1);

/// The running machine.
#[derive(Debug)]
pub(crate) struct Driver {
    state: Mutex<State>,
    pub(crate) clock: Clock,
    pub(crate) credentials: Credentials,
    pub(crate) region: String,
    pub(crate) account_id: String,
    pub(crate) ports: Ports,
    pub(crate) sources: RwLock<BTreeMap<String, Source>>,
    subscribers: Mutex<Vec<mpsc::UnboundedSender<StateChange>>>,
    events: mpsc::UnboundedSender<BusEvent>,
    /// How to end the commands that run, by their action's execution.
    commands: Mutex<BTreeMap<ActionExecutionId, CancellationToken>>,
    tasks: TaskTracker,
    pub(crate) end: CancellationToken,
}

impl Driver {
    pub(crate) fn start(
        state: State,
        clock: Clock,
        credentials: Credentials,
        ports: Ports,
        sources: BTreeMap<String, Source>,
    ) -> Arc<Self> {
        let (events, received) = mpsc::unbounded_channel();
        let driver = Arc::new(Self {
            region: state.region.clone(),
            account_id: state.account_id.clone(),
            state: Mutex::new(state),
            clock,
            credentials,
            ports,
            sources: RwLock::new(sources),
            subscribers: Mutex::default(),
            events,
            commands: Mutex::default(),
            tasks: TaskTracker::new(),
            end: CancellationToken::new(),
        });
        let bus = Arc::clone(&driver);
        driver.spawn(async move { bus.put_events(received).await });
        driver
    }

    /// The state, for reading.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an event in, and starts what follows from it.
    pub(crate) fn apply(self: &Arc<Self>, event: Event) -> Result<Reply, Refusal> {
        let seed = Uuid::new_v4().as_u128();
        let mut state = self.state();
        let applied = state.apply(
            Stamp {
                now: self.clock.now(),
                seed,
            },
            event,
        )?;
        // Under the lock, so that changes are announced in the order in which they happened.
        for effect in applied.effects {
            self.carry_out(&state, effect);
        }
        Ok(applied.reply)
    }

    /// Applies an event that nothing waits for; the state may have moved on, so a refusal is only logged.
    fn report(self: &Arc<Self>, event: Event) {
        if let Err(refusal) = self.apply(event) {
            tracing::debug!(%refusal, "event refused");
        }
    }

    pub(crate) fn subscribe(&self) -> mpsc::UnboundedReceiver<StateChange> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(sender);
        receiver
    }

    /// Ends everything that the driver started, and waits for it.
    pub(crate) async fn shutdown(&self) {
        self.end.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// Runs a task until it ends or the engine does.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let end = self.end.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = end.cancelled() => {}
                () = task => {}
            }
        });
    }

    fn carry_out(self: &Arc<Self>, state: &State, effect: Effect) {
        let driver = Arc::clone(self);
        match effect {
            Effect::FetchSource(request) => self.spawn(async move { driver.fetch(request).await }),
            Effect::Invoke(request) => self.spawn(async move { driver.invoke(request).await }),
            Effect::RunCommands(request) => self.run_commands(*request),
            Effect::EndCommands { action } => {
                if let Some(end) = self.running_commands().get(&action) {
                    end.cancel();
                }
            }
            Effect::Wake { at, timer } => self.spawn(async move {
                driver.clock.sleep_until(at).await;
                driver.report(Event::Timer(timer));
            }),
            Effect::Announce(change) => {
                let resource = state.pipeline_arn(&change.pipeline);
                self.announce(*change, resource);
            }
            Effect::Notify(notice) => self.spawn(async move { driver.notify(*notice).await }),
        }
    }

    fn announce(&self, change: StateChange, resource: String) {
        let mut subscribers = self
            .subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        subscribers.retain(|subscriber| subscriber.send(change.clone()).is_ok());
        let for_the_bus = change.detail_type().is_some();
        let event = BusEvent { change, resource };
        if for_the_bus && self.events.send(event).is_err() {
            tracing::debug!("the event bus is closed: the engine is ending");
        }
    }

    /// Puts changes on the bus in the order in which they happened, as many at a time as there are.
    async fn put_events(&self, mut events: mpsc::UnboundedReceiver<BusEvent>) {
        let mut batch = Vec::with_capacity(MAX_BUS_EVENTS);
        while events.recv_many(&mut batch, MAX_BUS_EVENTS).await > 0 {
            if let Err(error) = self.ports.events.put(&batch).await {
                tracing::warn!(%error, events = batch.len(), "cannot put state changes on the event bus");
            }
            batch.clear();
        }
    }

    async fn notify(self: Arc<Self>, notice: ApprovalNotice) {
        let message = notice.message.to_string();
        let published = self
            .ports
            .notifications
            .publish(&notice.topic, &notice.subject, message);
        if let Err(error) = published.await {
            self.report(Event::NotificationRefused {
                action: notice.action,
                error: ErrorDetails::from(error),
            });
        }
    }

    async fn invoke(self: Arc<Self>, request: JobRequest) {
        let function = request
            .configuration
            .get("FunctionName")
            .cloned()
            .unwrap_or_default();
        let expiration = self
            .clock
            .now()
            .checked_add(CREDENTIALS_LIFETIME)
            .unwrap_or(Timestamp::MAX);
        let event = read::event(&request, &self.account_id, &self.credentials, expiration);
        let job = request.job;
        match self
            .ports
            .functions
            .invoke(&function, event.to_string().into_bytes())
            .await
        {
            Ok(()) => {}
            Err(error) => {
                self.report(Event::InvocationRefused {
                    job,
                    error: ErrorDetails::from(error),
                });
            }
        }
    }

    /// Runs commands in a task that is not dropped when the engine ends: the engine waits until their processes
    /// are gone.
    fn run_commands(self: &Arc<Self>, request: CommandsRequest) {
        let end = self.end.child_token();
        let action = request.action.clone();
        self.running_commands().insert(action.clone(), end.clone());
        let driver = Arc::clone(self);
        self.tasks.spawn(async move {
            let result = driver.ports.commands.run(&request, end).await;
            driver.running_commands().remove(&action);
            let result = result.map_err(ErrorDetails::from);
            driver.report(Event::CommandsFinished { action, result });
        });
    }

    fn running_commands(&self) -> MutexGuard<'_, BTreeMap<ActionExecutionId, CancellationToken>> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(self: Arc<Self>, request: SourceRequest) {
        let sources = self
            .sources
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let result = super::fetch::fetch(&request, &sources, &*self.ports.artifacts).await;
        self.report(Event::SourceFinished {
            action: request.action,
            result,
        });
    }
}

impl From<PortError> for ErrorDetails {
    fn from(error: PortError) -> Self {
        Self {
            code: error.code,
            message: error.message,
        }
    }
}
