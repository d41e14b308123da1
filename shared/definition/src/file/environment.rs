//! `[environments]`: where services are deployed to.

use delivery_rollout::{Strategy, duration_in_words, short_duration};

use crate::form::Located;
use crate::map::Map;
use crate::section::{Key, section};
use crate::value::alarm::AlarmName;
use crate::value::duration::Span;
use crate::value::hook::HookFunction;
use crate::value::place::{Account, Region, Role, TimeZone};
use crate::value::text::Text;
use crate::value::ttl::Ttl;

section! {
    /// An environment. `dev`, `qa` and `pr` are families: their settings are those of each `dev-NAME`, `qa-ID` and
    /// `pr-NUMBER`. Other names are one word of at most 16 letters and digits.
    pub struct EnvironmentSettings {
        /// The environment that a release must go through first.
        after: Option<Located<String>> = Key::new("after").default("none").example("\"int\"");
        /// Whether a person approves each commit before the pipeline delivers it. A promotion or a rollback is approved by whoever may start the pipeline `STACK-apply-NAME`.
        approval: Option<bool> = Key::new("approval").default("`false`").example("true");
        /// Whether releases come here only by `delivery promote`: the pipeline ends before it. Not with `approval`.
        manual: Option<bool> = Key::new("manual").default("`false`").example("true");
        /// Whether `delivery` asks before it changes it, and its stacks cannot be deleted.
        protected: Option<bool> = Key::new("protected").default("`false`").example("true");
        /// Parameters for each service that declares them; `${env}` is the environment's name.
        parameters: Map<Located<Text>> = Key::new("parameters")
            .default("none")
            .example("{ LogLevel = \"warn\" }");
        /// Parameters by service; references as in a service's `parameters`. They override all others.
        services: Map<Map<Located<Text>>> = Key::new("services")
            .default("none")
            .example("{ restapi = { Memory = 512 } }");
        /// Resources that hold data and may be replaced or removed here: `SERVICE.LOGICAL-NAME`.
        allow: Vec<Located<String>> = Key::new("allow").default("none").example("[\"database.OldTable\"]");
        /// How traffic moves to a new version of each app: `canary:10@5m` gives it 10 % for 5 minutes, then all;
        /// `linear:10@1m` 10 % more each minute; `steps:1@10m,50@1h` as listed. While both versions have traffic, their
        /// errors are compared; when something is wrong, the old version gets all traffic back.
        rollout: Option<Located<Strategy>> = Key::new("rollout")
            .default("`all-at-once`")
            .example("\"canary:10@5m\"");
        /// How long a new version is watched once it has all traffic. With a `rollout` in steps or `alarms` only: without
        /// them nothing is watched.
        bake: Option<Located<Span>> = Key::new("bake").default("none").example("\"10m\"");
        /// CloudWatch alarms: one that rings while a new version is watched puts the old one back, one that rings before
        /// keeps the rollout from beginning. At most 10; with a `rollout` in steps or `bake` only.
        alarms: Option<Located<Vec<AlarmName>>> = Key::new("alarms")
            .default("none")
            .example("[\"checkout-errors\"]");
        /// A function that says whether a new version may get traffic: its name, in the pipeline's account and region. It must
        /// exist before.
        pre_traffic: Option<Located<HookFunction>> = Key::new("pre-traffic")
            .default("none")
            .example("\"check-release\"");
        /// A function that says whether a new version may keep all traffic. It must exist before.
        post_traffic: Option<Located<HookFunction>> = Key::new("post-traffic")
            .default("none")
            .example("\"check-production:live\"");
        /// When a member of `dev` or `qa` is removed by itself: so long after its last deployment (`4h`), or at a time of day
        /// (`20:00`). With it, `dev` has a pipeline that applies releases to its members.
        ttl: Option<Ttl> = Key::new("ttl")
            .default("`24h` for `qa`; `dev` stays")
            .example("\"20:00\"");
        /// The time zone of a `ttl` that is a time of day.
        timezone: Option<TimeZone> = Key::new("timezone")
            .default("`UTC`")
            .example("\"Europe/Berlin\"");
        /// How long a member of `qa` stays after a failure.
        keep_on_failure: Option<Span> = Key::new("keep-on-failure")
            .default("it is removed at once")
            .example("\"2h\"");
        /// Services that are not deployed here; those of another environment are used.
        share: Map<Located<String>> = Key::new("share")
            .default("none")
            .example("{ database = \"int\" }");
        /// The AWS account, if it is another than the pipeline's.
        account: Option<Account> = Key::new("account")
            .default("the pipeline's")
            .example("\"222222222222\"")
            .not_yet();
        /// The AWS region, if it is another than the pipeline's.
        region: Option<Region> = Key::new("region")
            .default("the pipeline's")
            .example("\"eu-central-1\"")
            .not_yet();
        /// The role that deploys there.
        role: Option<Role> = Key::new("role")
            .default("`APPLICATION-deploy`")
            .example("\"workshop-deploy\"")
            .not_yet();
        /// The branch that it is deployed from when that moves.
        branch: Option<String> = Key::new("branch")
            .default("the pipeline's branch, in the order of `after`")
            .example("\"prod\"")
            .not_yet();
    }
}

impl EnvironmentSettings {
    /// Whether a person approves each commit that the pipeline delivers.
    #[must_use]
    pub fn is_approved_by_hand(&self) -> bool {
        self.approval.unwrap_or(false)
    }

    /// Whether no pipeline that delivers commits has a stage for it.
    #[must_use]
    pub fn is_manual(&self) -> bool {
        self.manual.unwrap_or(false)
    }

    /// Whether `delivery` asks before it changes it, and its stacks cannot be deleted.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        self.protected.unwrap_or(false)
    }

    /// The keys of a rollout that are set, with their lines.
    #[must_use]
    pub fn rollout_keys(&self) -> Vec<(&'static str, usize)> {
        fn line<T>(key: Option<&Located<T>>) -> Option<usize> {
            key.map(|key| key.line)
        }
        let keys = [
            ("rollout", line(self.rollout.as_ref())),
            ("bake", line(self.bake.as_ref())),
            ("alarms", line(self.alarms.as_ref())),
            ("pre-traffic", line(self.pre_traffic.as_ref())),
            ("post-traffic", line(self.post_traffic.as_ref())),
        ];
        let set = keys.into_iter();
        set.filter_map(|(key, line)| line.map(|line| (key, line)))
            .collect()
    }

    /// Whether traffic moves in steps.
    #[must_use]
    pub fn moves_in_steps(&self) -> bool {
        let strategy = self.rollout.as_ref();
        strategy.is_some_and(|strategy| !strategy.value.steps.is_empty())
    }

    /// The names of the alarms.
    pub fn alarm_names(&self) -> impl Iterator<Item = &str> {
        let alarms = self.alarms.iter().flat_map(|alarms| &alarms.value);
        alarms.map(|alarm| alarm.0.as_str())
    }

    /// Whether a new version is watched: by alarms, or in steps by its errors.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.moves_in_steps() || self.alarm_names().next().is_some()
    }

    /// The parameters of deploy-app that say how traffic moves. What is not set is left to deploy-app.
    #[must_use]
    pub fn rollout_parameters(&self) -> Vec<(&'static str, String)> {
        let strategy = self.rollout.as_ref().filter(|_| self.moves_in_steps());
        let alarms: Vec<_> = self.alarm_names().collect();
        let alarms = (!alarms.is_empty()).then(|| alarms.join(","));
        let hook = |hook: &Option<Located<HookFunction>>| {
            let hook = hook.as_ref();
            hook.map(|hook| hook.value.0.clone())
        };
        let keys = [
            ("strategy", strategy.map(|one| one.value.to_string())),
            (
                "bake",
                self.bake.as_ref().map(|one| short_duration(one.value.0)),
            ),
            ("alarms", alarms),
            ("pre-traffic", hook(&self.pre_traffic)),
            ("post-traffic", hook(&self.post_traffic)),
        ];
        let set = keys.into_iter();
        set.filter_map(|(key, value)| value.map(|value| (key, value)))
            .collect()
    }

    /// How traffic moves to a new version, for people; `None` where nothing is set.
    #[must_use]
    pub fn rollout_in_words(&self) -> Option<String> {
        if self.rollout_keys().is_empty() {
            return None;
        }
        let strategy = self.rollout.as_ref().map(|strategy| &strategy.value);
        let mut words = vec![strategy.cloned().unwrap_or_default().in_words()];
        if let Some(bake) = &self.bake {
            words.push(format!("bake {}", duration_in_words(bake.value.0)));
        }
        let alarms: Vec<_> = self.alarm_names().collect();
        if !alarms.is_empty() {
            words.push(format!("alarms {}", alarms.join(", ")));
        }
        if let Some(hook) = &self.pre_traffic {
            words.push(format!("{} before traffic", hook.value.0));
        }
        if let Some(hook) = &self.post_traffic {
            words.push(format!("{} after traffic", hook.value.0));
        }
        Some(words.join("; "))
    }
}
