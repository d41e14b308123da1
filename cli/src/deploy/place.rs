//! Where a deployment puts its packages, and whose rights CloudFormation works with.

use delivery_action::aws::CallError;
use delivery_stack::description::{describe, is_absent};

use crate::cloud::Cloud;
use crate::error::CliError;
use crate::settings::Settings;
use crate::stack::publish;
use crate::stack::publish::bucket::Bucket;

/// The nested stack of a delivery stack with the functions, and what deploy-stack needs.
const ACTIONS: &str = "Actions";

/// What a deployment needs besides credentials.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The account, 12 digits.
    pub(super) account: String,
    /// The bucket for packages.
    pub(super) bucket: String,
    /// Whether it was made just now.
    pub(super) is_new: bool,
    /// The role that CloudFormation works with; the caller's rights where there is none.
    pub(super) role: Option<String>,
    /// The permissions boundary of the roles that templates make.
    pub(super) boundary: Option<String>,
}

impl Place {
    /// Those of the pipeline, where one is launched for this application: so nobody needs more rights than it has, and what
    /// works here works there. Else the bucket that `publish` uses, and the caller's rights.
    pub(super) async fn find(settings: &Settings, cloud: &Cloud) -> Result<Self, CliError> {
        let account = publish::account(cloud).await?;
        if let Some(found) = of_pipeline(settings, cloud, &account).await? {
            return Ok(found);
        }
        let bucket = Bucket::of(settings.file_bucket(), &account, cloud.region());
        let s3 = cloud.s3();
        let is_new = !bucket.exists(&s3).await?;
        if is_new {
            bucket.make(&s3).await?;
        } else if bucket.is_unfinished(&s3).await? {
            bucket.secure(&s3).await?;
        }
        Ok(Self {
            account,
            bucket: bucket.name,
            is_new,
            role: None,
            boundary: None,
        })
    }
}

async fn of_pipeline(
    settings: &Settings,
    cloud: &Cloud,
    account: &str,
) -> Result<Option<Place>, CliError> {
    let client = cloud.cloudformation();
    let stack = &settings.stack_name;
    let resource = client.describe_stack_resource().stack_name(stack);
    let found = match resource.logical_resource_id(ACTIONS).send().await {
        Ok(found) => found.stack_resource_detail,
        Err(error) => {
            let error = CallError::new("cloudformation:DescribeStackResource", stack, &error);
            // There is no stack of this name, or it is another one.
            if is_absent(&error) || error.is_code("ValidationError") {
                return Ok(None);
            }
            return Err(error.into());
        }
    };
    let Some(actions) = found.and_then(|found| found.physical_resource_id) else {
        return Ok(None);
    };
    let Some(actions) = describe(&client, &actions).await? else {
        return Ok(None);
    };
    let output = |name: &str| actions.outputs.get(name).cloned();
    let Some(bucket) = output("Packages") else {
        return Ok(None);
    };
    Ok(Some(Place {
        account: account.to_owned(),
        bucket,
        is_new: false,
        role: output("CloudFormationRole"),
        boundary: output("Boundary"),
    }))
}
