# What there is to do here. The scripts do the work; this is the menu.

# list the recipes
default:
    @just --list

# everything that CI runs
check:
    scripts/test

# write what a repository without delivery.toml renders to
render:
    cargo run --quiet --package delivery -- render --out cloudformation

# run the demonstration: a commit from source to production on this machine
demo:
    scripts/demo

# the fastest failure: format and lints
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# unit and integration tests without whole pipelines
unit:
    cargo test --workspace --locked --exclude pipeline-tests

# licences, advisories and sources of the dependencies (needs cargo-deny)
deny:
    cargo deny check
