//! The services of a definition, packaged: entries of a manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use delivery_action::blocking;
use delivery_archive::Creation;
use delivery_definition::{Kind, Mistake, Mistakes, Service as DefinedService};
use delivery_release::manifest::{
    App, AppArtifacts, Artifact, File, Service, Site, SiteArtifacts, Stack,
};
use delivery_release::repository::{Blob, Publisher};
use delivery_stack::deployment::DeploymentError;
use delivery_stack::names;
use delivery_stack::package::{self, Blobs, FileKind, Files as _, LEFT_OUT, Package};
use delivery_stack::service::{folder_of, template_of};
use delivery_stack::template::Template;

use crate::error::ReleaseActionError;
use crate::inputs::{Defined, Inputs, files_error};
use crate::params::PublishParams;

/// What of a service an artifact is.
const FUNCTION: &str = "function";
const API: &str = "api";
const SITE: &str = "site";

/// Packages services.
#[derive(Debug)]
pub(crate) struct Packing<'a> {
    pub(crate) params: &'a PublishParams,
    pub(crate) inputs: &'a Inputs<'a>,
    pub(crate) defined: &'a Defined,
    pub(crate) blobs: &'a Blobs,
    pub(crate) publisher: &'a mut Publisher,
}

impl Packing<'_> {
    /// Packages the services that the action is asked for.
    pub(crate) async fn pack(&mut self) -> Result<BTreeMap<String, Service>, ReleaseActionError> {
        self.check_keys()?;
        let mut packed = BTreeMap::new();
        for name in self.names() {
            let services = self.defined.definition.services();
            let service = services.get(&name).ok_or_else(|| self.unknown(&name))?;
            packed.insert(name, self.service(service).await?);
        }
        Ok(packed)
    }

    /// The services of this action.
    fn names(&self) -> Vec<String> {
        if let Some(names) = &self.params.services {
            return names.clone();
        }
        let names = self.defined.definition.services().names();
        names.map(str::to_owned).collect()
    }

    fn unknown(&self, service: &str) -> ReleaseActionError {
        let Defined {
            definition, path, ..
        } = self.defined;
        DeploymentError::no_service(definition, path, service).into()
    }

    /// Refuses keys that nothing would be made of: what they name would be missing in the release.
    fn check_keys(&self) -> Result<(), ReleaseActionError> {
        let names = self.names();
        for key in self.params.artifacts.keys() {
            let (service, what) = key.split_once('.').unwrap_or((key, ""));
            if !names.iter().any(|name| name == service) {
                return Err(ReleaseActionError::NotPackaged {
                    key: key.clone(),
                    packages: names,
                });
            }
            if !["", FUNCTION, API, SITE].contains(&what) {
                return Err(ReleaseActionError::UnknownPart { key: key.clone() });
            }
        }
        Ok(())
    }

    /// The artifact that is this of a service.
    fn artifact(&self, service: &DefinedService, what: &str) -> Option<(String, String)> {
        let key = format!("{}.{what}", service.name);
        let name = self.params.artifacts.get(&key)?;
        Some((key, name.clone()))
    }

    async fn service(&mut self, service: &DefinedService) -> Result<Service, ReleaseActionError> {
        let needs = self.defined.definition.needs(service).into_iter();
        let after: BTreeSet<String> = needs.map(str::to_owned).collect();
        let kind = service.kind.as_ref().map(|kind| kind.value);
        let is_site = service.site.is_some() || kind == Some(Kind::Site);
        let parts = [FUNCTION, API, SITE].map(|what| self.artifact(service, what));
        if is_site {
            let site = self.site(service).await?;
            let artifacts = SiteArtifacts { site };
            return Ok(Service::Site(Site { artifacts, after }));
        }
        if kind == Some(Kind::App) || parts.iter().any(Option::is_some) {
            let artifacts = self.app(service, parts).await?;
            return Ok(Service::App(App { artifacts, after }));
        }
        let stack = self.stack(service, after).await;
        stack.map(Service::CloudFormation)
    }

    async fn app(
        &mut self,
        service: &DefinedService,
        parts: [Option<(String, String)>; 3],
    ) -> Result<AppArtifacts, ReleaseActionError> {
        if parts.iter().all(Option::is_none) {
            return Err(ReleaseActionError::NoArtifacts {
                service: service.name.clone(),
            });
        }
        let [function, api, site] = parts;
        Ok(AppArtifacts {
            function: self.whole(function).await?,
            api: self.whole(api).await?,
            site: self.whole(site).await?,
        })
    }

    /// An artifact as it is.
    async fn whole(
        &mut self,
        part: Option<(String, String)>,
    ) -> Result<Option<Artifact>, ReleaseActionError> {
        let Some((key, name)) = part else {
            return Ok(None);
        };
        let path = self.inputs.whole(&key, &name).await?;
        Ok(Some(artifact(self.publisher.put_file(&path).await?, None)))
    }

    async fn site(&mut self, service: &DefinedService) -> Result<Artifact, ReleaseActionError> {
        let whole = self.artifact(service, SITE);
        if let Some(site) = self.whole(whole).await? {
            return Ok(site);
        }
        let name = &service.name;
        let files = self.inputs.files(name, self.params.artifacts.get(name))?;
        let folder = folder_of(service, self.defined.folder());
        let path = package::resolve(&folder, service.site_folder()).unwrap_or_default();
        if files.kind(&path) != Some(FileKind::Folder) {
            return Err(ReleaseActionError::NoSite {
                service: name.clone(),
                folder: path,
            });
        }
        let files = files.fetch(&path).await.map_err(files_error)?;
        let zip = self.inputs.new_file(&format!("site-{name}.zip"));
        let to = zip.clone();
        let made = blocking(move || archive(&files, &to)).await;
        let made = made.map_err(|source| ReleaseActionError::Archive {
            service: name.clone(),
            folder: path.clone(),
            source,
        })?;
        if made.entries == 0 {
            return Err(ReleaseActionError::NoSite {
                service: name.clone(),
                folder: path,
            });
        }
        Ok(artifact(self.publisher.put_file(&zip).await?, None))
    }

    async fn stack(
        &mut self,
        service: &DefinedService,
        after: BTreeSet<String>,
    ) -> Result<Stack, ReleaseActionError> {
        let name = &service.name;
        let files = self.inputs.files(name, self.params.artifacts.get(name))?;
        let path = match template_of(service, self.defined.folder(), files).await {
            Err(DeploymentError::NotAStack { service, kind }) if kind == Kind::App.to_string() => {
                return Err(ReleaseActionError::NoArtifacts { service });
            }
            found => found?,
        };
        let template = package::read(files, &path).await?;
        self.check_names(service, &template)?;
        let boundary = self.params.boundary.as_deref();
        let Package { text, artifacts } = package::package(
            files,
            self.blobs,
            self.publisher,
            &path,
            &template,
            boundary,
        )
        .await?;
        let Blob { sha256, size } = self.publisher.put_bytes(text.as_bytes()).await?;
        let artifacts = artifacts.into_iter();
        Ok(Stack {
            template: File { sha256, size, path },
            transform: template.transforms(),
            artifacts: artifacts
                .map(|one| (one.name, artifact(one.blob, one.property)))
                .collect(),
            after,
        })
    }
}

impl Packing<'_> {
    /// Names that are too long with the longest name of an environment, and what a removed environment would leave behind, in
    /// the words of `delivery validate`: found here, they stop the commit, and no deployment that has begun.
    fn check_names(
        &self,
        service: &DefinedService,
        template: &Template,
    ) -> Result<(), ReleaseActionError> {
        let Defined {
            definition,
            application,
            path,
            ..
        } = self.defined;
        let longest = definition.longest_environment(service);
        let target = longest.and_then(|name| definition.environment(&name).ok());
        let target = target.filter(|target| target.deploys(service));
        let mut wrong = Vec::new();
        if let Some(target) = target {
            wrong.extend(names::wrong_names(template, &target, service, application));
        }
        if let Some(family) = definition.removed_family(service) {
            wrong.extend(names::left_behind(template, family));
        }
        let wrong = wrong.iter();
        let mistakes = wrong.map(|one| Mistake::new(service.line, &one.what, &one.next));
        match Mistakes::new(path, mistakes.collect()) {
            None => Ok(()),
            Some(mistakes) => Err(DeploymentError::Definition(mistakes).into()),
        }
    }
}

fn artifact(blob: Blob, property: Option<String>) -> Artifact {
    Artifact {
        sha256: blob.sha256,
        size: blob.size,
        property,
    }
}

fn archive(
    folder: &Path,
    to: &Path,
) -> Result<delivery_archive::Created, delivery_archive::ArchiveError> {
    Creation::of(folder).without(&LEFT_OUT).write_file(to)
}
