//! deploy-api
