//! What a child can learn about the function that started it.

use delivery_action::process::{ProcessError, harden};

use crate::isolation::{CANARY, Place, block_on, far, is_own_process};

/// Tries everything in `/proc` of the parent that could hold a secret, and shows its own environment.
const PROBE: &str = r#"
for file in environ mem maps auxv task/$PPID/environ; do
  if head -c 4096 "/proc/$PPID/$file" 2>/dev/null; then echo "READ $file"; fi
done
for link in cwd root exe; do
  if readlink "/proc/$PPID/$link"; then echo "READ $link"; fi
done
if ls "/proc/$PPID/fd" 2>/dev/null; then echo "READ fd"; fi
for entry in /proc/[0-9]*; do
  tr '\0' '\n' < "$entry/environ" 2>/dev/null
done
env
echo PROBED
"#;

fn probe(place: &Place) -> String {
    block_on(place.shell(PROBE).quiet().run(far()))
        .unwrap()
        .stdout
}

#[test]
fn a_child_finds_no_secret_of_the_function() {
    if !is_own_process("secrets::a_child_finds_no_secret_of_the_function") {
        return;
    }
    let place = Place::new();
    // The probe is good: before the function hides itself it finds what there is to find.
    let open = probe(&place);
    assert!(
        open.contains("READ environ") && open.contains("READ fd"),
        "{open}"
    );
    assert!(
        open.contains(CANARY),
        "the probe does not see the function's environment"
    );

    harden().unwrap();
    let hidden = probe(&place);
    assert!(hidden.contains("PROBED"), "{hidden}");
    let found: Vec<_> = hidden
        .lines()
        .filter(|line| line.starts_with("READ ") || line.contains(CANARY) || line.contains(":9001"))
        .map(|line| line.replace(CANARY, "(the canary)"))
        .collect();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn a_childs_environment_is_built() {
    if !is_own_process("secrets::a_childs_environment_is_built") {
        return;
    }
    let mut place = Place::new();
    let user = [(
        "TARGET_URL".to_owned(),
        "https://test.example.com".to_owned(),
    )]
    .into();
    place.environment.set_user_variables(&user).unwrap();
    let finished = block_on(place.shell("env").quiet().run(far())).unwrap();
    let directory = place.directory.path().display().to_string();
    let mut variables: Vec<_> = finished
        .stdout
        .lines()
        .filter(|line| !line.starts_with("PATH="))
        .map(|line| line.replace(&directory, "JOB"))
        .collect();
    variables.sort();
    insta::assert_snapshot!(variables.join("\n"), @r"
    CI=true
    HOME=JOB
    LANG=C.UTF-8
    PWD=JOB
    TARGET_URL=https://test.example.com
    TMPDIR=JOB
    ");
}

#[test]
fn files_of_a_hardened_function_are_its_own() {
    if !is_own_process("secrets::files_of_a_hardened_function_are_its_own") {
        return;
    }
    harden().unwrap();
    let place = Place::new();
    block_on(place.shell("touch made && mkdir folder").run(far())).unwrap();
    let modes = block_on(
        place
            .shell("stat -c '%a %n' made folder")
            .quiet()
            .run(far()),
    )
    .unwrap();
    assert_eq!(modes.stdout, "600 made\n700 folder\n");
}

#[test]
fn a_command_shows_no_value_of_a_variable() {
    let mut place = Place::new();
    let user = [("NPM_TOKEN".to_owned(), CANARY.to_owned())].into();
    place.environment.set_user_variables(&user).unwrap();
    let command = place.shell("exit 3");
    assert!(!format!("{command:?}").contains(CANARY));
    let error = block_on(command.run(far())).unwrap_err();
    assert!(
        matches!(error, ProcessError::Exit { code: 3, .. }),
        "{error:?}"
    );
}
