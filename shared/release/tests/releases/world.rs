//! A repository, the processes that use it, and what must hold after each call.

use std::collections::BTreeMap;

use delivery_release::environment::{
    Action, Begun, DeploymentId, Ending, Environment, Outcome, Record, Request, State,
};
use delivery_release::manifest::Manifest;
use delivery_release::repository::{Repository, layout};
use delivery_testing::s3::Objects;

use crate::gate::{Gate, Pass};
use crate::generate::{CONTENTS, ENVIRONMENTS, How, Op, Wanted};
use crate::model::Model;
use crate::process::{BUCKET, Now, Process, Slot, Work, deploy, manifest, name, publish};

/// Processes at once.
const MOST_PROCESSES: usize = 3;

/// What all histories begin with: clients, which take longer to make than their calls, and a repository with two releases.
#[derive(Clone)]
pub(crate) struct Beginning {
    slots: Vec<Slot>,
    open: Slot,
    objects: Objects,
}

impl Beginning {
    pub(crate) async fn new() -> Self {
        let objects = Objects::in_memory();
        let gate = Gate::open(&objects);
        gate.client()
            .create_bucket()
            .bucket(BUCKET)
            .send()
            .await
            .unwrap();
        let open = Slot::of(gate);
        for content in 0..2 {
            publish(&open.repository, content, &Now::new())
                .await
                .unwrap();
        }
        Self {
            slots: (0..MOST_PROCESSES)
                .map(|_| Slot::of(Gate::new(&objects)))
                .collect(),
            open,
            objects,
        }
    }
}

pub(crate) struct World {
    clients: Beginning,
    objects: Objects,
    now: Now,
    processes: [Option<Process>; MOST_PROCESSES],
    started: Vec<Work>,
    models: BTreeMap<&'static str, Model>,
    /// What was written once and may not change.
    written: BTreeMap<String, Vec<u8>>,
    recorded: BTreeMap<&'static str, Vec<DeploymentId>>,
    pub(crate) calls: usize,
}

impl World {
    pub(crate) fn new(beginning: &Beginning) -> Self {
        let objects = beginning.objects.copied();
        for slot in beginning.slots.iter().chain([&beginning.open]) {
            slot.gate.reset(&objects);
        }
        Self {
            clients: beginning.clone(),
            objects,
            now: Now::new(),
            processes: Default::default(),
            started: Vec::new(),
            models: ENVIRONMENTS
                .iter()
                .map(|name| (*name, Model::default()))
                .collect(),
            written: BTreeMap::new(),
            recorded: BTreeMap::new(),
            calls: 0,
        }
    }

    pub(crate) async fn apply(&mut self, op: Op) {
        match op {
            Op::Publish(content) => drop(self.start(Work::Publish(content))),
            Op::Start {
                environment,
                wanted,
                start,
                fails,
                calls,
            } => {
                if let Some(slot) = self.deploy(environment, wanted, start, fails) {
                    for _ in 0..calls {
                        self.step_in(slot, Pass::Through).await;
                    }
                }
            }
            Op::Again(index) => {
                if let Some(work) = self.started.iter().rev().nth(index).cloned() {
                    let _slot = self.start(work);
                }
            }
            Op::Unlock(environment) => drop(self.start(Work::Unlock(ENVIRONMENTS[environment]))),
            Op::Run(process, calls) => {
                for _ in 0..calls {
                    self.step(process, Pass::Through).await;
                }
            }
            Op::Call(process, pass) => self.step(process, pass).await,
            Op::Kill(process) => {
                if let Some(process) = &self.processes[process] {
                    process.kill();
                }
            }
            Op::Tick(seconds) => self.now.tick(seconds),
        }
        for process in &mut self.processes {
            process.take_if(|process| process.is_done());
        }
    }

    fn deploy(
        &mut self,
        environment: usize,
        wanted: Wanted,
        start: How,
        fails: bool,
    ) -> Option<usize> {
        let action = match wanted {
            Wanted::Release(content) => deploy(content),
            Wanted::Before => Action::Rollback { release: None },
            Wanted::Nothing => Action::Remove,
            Wanted::Promotion => {
                let other = ENVIRONMENTS[1 - environment];
                let there = self.models[other].state().current.as_ref()?;
                Action::Promote {
                    release: there.release.clone(),
                    from: other.to_owned(),
                }
            }
        };
        let request = Request {
            owner: format!("{start:?} {}", self.started.len()),
            by: "pipeline".to_owned(),
            reason: None,
            until: None,
            action,
        };
        self.start(Work::Deploy {
            environment: ENVIRONMENTS[environment],
            request,
            start,
            fails,
        })
    }

    /// Starts a process, if not too many are running; returns its slot.
    fn start(&mut self, work: Work) -> Option<usize> {
        let free = self.processes.iter().position(Option::is_none)?;
        let slot = self.clients.slots[free].clone();
        slot.gate.reset(&self.objects);
        self.started.push(work.clone());
        self.processes[free] = Some(Process::start(slot, work, &self.now));
        Some(free)
    }

    /// One of the processes that run makes a call.
    async fn step(&mut self, index: usize, pass: Pass) {
        let is_running = |slot: &usize| {
            let process = self.processes[*slot].as_ref();
            process.is_some_and(|process| !process.is_done())
        };
        let running: Vec<usize> = (0..MOST_PROCESSES).filter(is_running).collect();
        if !running.is_empty() {
            self.step_in(running[index % running.len()], pass).await;
        }
    }

    async fn step_in(&mut self, slot: usize, pass: Pass) {
        let Some(process) = self.processes[slot].as_ref().filter(|one| !one.is_done()) else {
            return;
        };
        process.step(pass).await;
        self.calls += 1;
        let put = process.gate.take_put();
        if let Some(key) = put {
            self.check(&key);
        }
    }

    fn read(&self, key: &str) -> Option<Vec<u8>> {
        self.objects.read(BUCKET, key)
    }

    /// Checks what a put may have changed.
    fn check(&mut self, key: &str) {
        let Some(bytes) = self.read(key) else {
            return;
        };
        for environment in ENVIRONMENTS {
            if key == layout::current(environment) {
                self.check_state(environment, &bytes);
                return;
            }
            if let Some(id) = record_in(key, environment) {
                self.check_record(environment, id, &bytes);
            }
        }
        let first = self
            .written
            .entry(key.to_owned())
            .or_insert_with(|| bytes.clone());
        assert_eq!(*first, bytes, "{key} was changed");
    }

    fn check_state(&mut self, environment: &'static str, bytes: &[u8]) {
        let state: State = serde_json::from_slice(bytes).unwrap();
        let now = self.now.get();
        let model = self.models.get_mut(environment).unwrap();
        model.change(&state, now);
        model.check_records(self.recorded.entry(environment).or_default());
        if let Some(current) = &state.current {
            let key = layout::manifest(&current.release);
            let manifest = self.read(&key).expect("what an environment has is there");
            let manifest = Manifest::read(&manifest).unwrap();
            assert_eq!(manifest.id(), current.release);
            for digest in manifest.blobs().keys() {
                assert!(self.read(&layout::blob(digest)).is_some());
            }
        }
    }

    fn check_record(&mut self, environment: &'static str, id: DeploymentId, bytes: &[u8]) {
        let record: Record = serde_json::from_slice(bytes).unwrap();
        assert_eq!(record.deployment.id, id);
        let recorded = self.recorded.entry(environment).or_default();
        if !recorded.contains(&id) {
            recorded.push(id);
            let last = self.models[environment].state().last.as_ref();
            assert_eq!(last, Some(&record), "a record says something else");
        }
    }

    /// Everybody dies; whoever comes next takes over what they left, and what was there before comes back.
    pub(crate) async fn check_that_the_next_takes_over(&mut self) {
        for process in self.processes.iter().flatten() {
            process.kill();
        }
        self.now.tick(3_600);
        let Slot { gate, repository } = self.clients.open.clone();
        let deployments = |name: &&str| self.models[name].state().deployments;
        let environment = ENVIRONMENTS.into_iter().max_by_key(deployments);
        self.take_over(&repository, environment.expect("there are environments"))
            .await;
        if self.started.len().is_multiple_of(8) {
            self.check_that_nothing_is_written_again(&repository, &gate)
                .await;
        }
    }

    async fn take_over(&mut self, repository: &Repository, of: &'static str) {
        let environment = Environment::new(repository, name(of));
        let next = |owner: &str, action| Request {
            owner: owner.to_owned(),
            by: "Anna".to_owned(),
            reason: None,
            until: None,
            action,
        };
        for (owner, action) in [
            ("Once last", deploy(0)),
            ("Once back", Action::Rollback { release: None }),
        ] {
            let had = self.models[of].before().cloned();
            let is_back = matches!(action, Action::Rollback { .. });
            let begun = environment
                .begin(&next(owner, action), self.now.get())
                .await;
            self.check_all(of);
            if is_back && had.is_none() {
                assert!(begun.is_err(), "{begun:?}");
                break;
            }
            let Begun::UnderWay(lease) = begun.unwrap() else {
                panic!("nobody has this owner");
            };
            let ending = Ending {
                outcome: Outcome::Succeeded,
                services: BTreeMap::new(),
            };
            let id = lease.deployment.id;
            environment.end(&id, &ending, self.now.get()).await.unwrap();
            self.check_all(of);
            if is_back {
                let current = environment.state().await.unwrap().current.unwrap();
                assert_eq!(
                    Some(current.release),
                    had,
                    "a rollback brought something else"
                );
            }
        }
        let history = environment.history(usize::MAX).await.unwrap();
        assert_eq!(history.missing, [0; 0]);
        assert_eq!(history.under_way, None);
        let numbers: Vec<_> = history
            .ended
            .iter()
            .map(|one| one.deployment.id.number())
            .collect();
        let state = environment.state().await.unwrap();
        assert_eq!(numbers, (1..=state.deployments).rev().collect::<Vec<_>>());
    }

    /// Several writes at once, of which the last states are looked at: what is between them is looked at in histories.
    fn check_all(&mut self, environment: &'static str) {
        let state = self.read(&layout::current(environment));
        let Some(state) = state else { return };
        let state: State = serde_json::from_slice(&state).unwrap();
        let now = self.now.get();
        self.models
            .get_mut(environment)
            .unwrap()
            .change(&state, now);
    }

    async fn check_that_nothing_is_written_again(&mut self, repository: &Repository, gate: &Gate) {
        let content = CONTENTS - 1;
        publish(repository, content, &self.now).await.unwrap();
        let puts = gate.puts();
        publish(repository, content, &self.now).await.unwrap();
        assert_eq!(gate.puts(), puts, "the same content was written again");
        let id = manifest(content).id();
        let there = repository.manifest(&id).await.unwrap();
        assert_eq!(there, manifest(content));
        repository.check_blobs(&there).await.unwrap();
    }
}

/// The deployment whose record a key is.
fn record_in(key: &str, environment: &str) -> Option<DeploymentId> {
    let folder = format!("environments/{environment}/deployments/");
    key.strip_prefix(&folder)?
        .strip_suffix(".json")?
        .parse()
        .ok()
}
