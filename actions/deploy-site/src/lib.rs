//! deploy-site
