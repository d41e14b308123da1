//! deploy-app
