//! `[environments]`: where services are deployed to.

use delivery_rollout::Strategy;

use crate::form::Located;
use crate::map::Map;
use crate::section::{Key, section};
use crate::value::duration::Span;
use crate::value::place::{Account, Region, Role, TimeZone};
use crate::value::text::Text;
use crate::value::ttl::Ttl;

section! {
    /// An environment. `dev`, `qa` and `pr` are families: their settings are those of each `dev-NAME`, `qa-ID` and
    /// `pr-NUMBER`. Other names are one word of at most 16 letters and digits.
    pub struct EnvironmentSettings {
        /// The environment that a release must go through first.
        after: Option<Located<String>> = Key::new("after").default("none").example("\"int\"");
        /// Whether a person approves each deployment.
        approval: Option<bool> = Key::new("approval").default("`false`").example("true");
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
        /// How traffic moves to a new version: `canary:10@5m` gives it 10 % for 5 minutes, then all; `linear:10@1m`
        /// 10 % more each minute; `steps:1@10m,50@1h` as listed.
        rollout: Option<Strategy> = Key::new("rollout")
            .default("`all-at-once`")
            .example("\"canary:10@5m\"")
            .not_yet();
        /// CloudWatch alarms that end a deployment and put back what was there: at most 10.
        alarms: Option<Located<Vec<String>>> = Key::new("alarms")
            .default("none")
            .example("[\"checkout-errors\"]")
            .not_yet();
        /// When it is removed by itself: so long after its last deployment (`4h`), or at a time of day (`20:00`).
        ttl: Option<Ttl> = Key::new("ttl").default("it stays").example("\"20:00\"").not_yet();
        /// The time zone of a `ttl` that is a time of day.
        timezone: Option<TimeZone> = Key::new("timezone")
            .default("`UTC`")
            .example("\"Europe/Berlin\"")
            .not_yet();
        /// How long a member of `qa` stays after a failure.
        keep_on_failure: Option<Span> = Key::new("keep-on-failure")
            .default("it is removed at once")
            .example("\"2h\"")
            .not_yet();
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
    /// Whether a person approves each deployment.
    #[must_use]
    pub fn is_approved_by_hand(&self) -> bool {
        self.approval.unwrap_or(false)
    }

    /// Whether `delivery` asks before it changes it, and its stacks cannot be deleted.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        self.protected.unwrap_or(false)
    }
}
