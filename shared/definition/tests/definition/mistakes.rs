//! Each mistake that a file can have, with the whole message.

use delivery_definition::{parse, parse_bytes};

/// What is said of a file, whose lines begin with `application`.
fn message(rest: &str) -> String {
    message_of(&format!("application = \"workshop\"\n{rest}"))
}

fn message_of(text: &str) -> String {
    parse(text, "delivery.toml")
        .expect_err("the file is wrong")
        .to_string()
}

macro_rules! snapshot {
    ($message:expr) => {
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!($message);
        });
    };
}

#[test]
fn unknown_keys() {
    snapshot!(message(
        "aplication = 1\nregoin = \"eu-west-1\"\n\
         [services.restapi]\ndirectory = \"api\"\nparamters = {}\nbuild = { tusk = \"x\" }\npath = \"api\"\n\
         [environments.prd]\naproval = true\nsomething = 1\n[previews]\nbase = [\"main\"]\nforks = true\n"
    ));
}

#[test]
fn environments_that_only_a_person_delivers_to() {
    snapshot!(message(
        "[services]\ndatabase = \"database\"\n\
         [environments]\nqa = { manual = true }\nint = {}\npp = { after = \"int\", manual = true, approval = true }\n\
         prd = { after = \"pp\" }\n"
    ));
    snapshot!(message_of(
        "application = \"shop\"\n[environments]\nint = {}\nprd = { after = \"int\", manual = true }\n"
    ));
}

#[test]
fn packages_are_not_chosen_by_the_file() {
    snapshot!(message_of("packages = \"evil-packages\"\n"));
}

#[test]
fn wrong_types() {
    snapshot!(message(
        "stack-name = 5\nparameters = { List = [\"a\"] }\n\
         [services]\ndatabase = 5\nrestapi = { directory = [\"api\"], parameters = { Size = 99999999999999999999 } }\n\
         website = { directory = \"site\", site = true, test = \"test\", also = [\"x\", 5], kind = \"lambda\" }\n\
         [environments]\ndev = { ttl = 20:00 }\nint = { approval = \"yes\", account = 222222222222 }\nprd = \"int\"\n\
         [previews]\nbase = \"main\"\nlimit = 1000\n"
    ));
}

#[test]
fn values_without_the_right_form() {
    snapshot!(message(
        "[services]\nrestapi = { directory = \"api\", parameters = { A = \"${B}\", C = \"${a.b\" } }\n\
         [environments.dev]\nttl = \"8 pm\"\nkeep-on-failure = \"2 hours\"\ntimezone = \"Berlin time\"\n\
         [environments.prd]\nrollout = \"canary:10\"\naccount = \"1234\"\nregion = \"Frankfurt\"\nrole = \"a b\"\n\
         [environments.int]\nrollout = \"linear:200@5m\"\nttl = \"0h\"\n"
    ));
}

#[test]
fn required_keys() {
    snapshot!(message_of(
        "[services.restapi]\nkind = \"app\"\n[functions.chat]\ntemplate = \"t.yaml\"\n[previews]\n"
    ));
}

#[test]
fn stacks_need_the_name_of_the_application() {
    snapshot!(message_of(
        "region = \"eu-west-1\"\n[environments]\nint = {}\n[services]\napi = \"api\"\n"
    ));
}

#[test]
fn an_application_that_cannot_be_a_name() {
    snapshot!(message_of("application = \"My Workshop\"\n"));
}

#[test]
fn an_application_with_a_name_that_is_too_long() {
    snapshot!(message_of(
        "application = \"the-workshop-of-the-whole-team\"\n"
    ));
}

#[test]
fn a_circle_of_references() {
    snapshot!(message(
        "[services]\na = { directory = \"a\", parameters = { X = \"${b.Y}\" } }\n\
         b = { directory = \"b\", config = { X = \"${c.Y}\" } }\n\
         c = { directory = \"c\" }\n\
         d = { directory = \"d\", needs = [\"a\"] }\n\
         [environments.prd]\nservices.c = { X = \"${a.Y}\" }\n"
    ));
}

#[test]
fn references_to_services_that_do_not_exist() {
    snapshot!(message(
        "[services]\ndatabase = \"database\"\n\
         restapi = { directory = \"api\", parameters = { Table = \"${databse.Table}\" }, needs = [\"queue\", \"restapi\"] }\n\
         website = { directory = \"site\", config = { url = \"${website.Url}\" } }\n\
         [services.tasks]\ndirectory = \"tasks\"\ntest = { task = \"test\", environment = { URL = \"${rest.Url}\" } }\n\
         [environments.prd]\nparameters = { Table = \"${database.Table}\" }\nservices.resapi = { Memory = 512 }\n"
    ));
}

#[test]
fn a_service_that_was_removed_is_one_mistake() {
    snapshot!(message(
        "[services]\nrestapi = { directory = \"api\", parameters = { Table = \"${database.Table}\" } }\n\
         website = { directory = \"site\", config = { table = \"${database.Table}\" }, needs = [\"database\"] }\n\
         tasks = { directory = \"tasks\", needs = [\"database\"] }\n\
         [environments]\nint = {}\ndev = { share = { database = \"int\" } }\n"
    ));
    // More than a person reads.
    let tasks: Vec<_> = (0..9)
        .map(|number| format!("t{number} = {{ directory = \"t{number}\", needs = [\"gone\"] }}\n"))
        .collect();
    let tasks = tasks.concat();
    let told = message(&format!("[services]\n{tasks}"));
    assert_eq!(told.matches("`gone`").count(), 1, "{told}");
    assert!(told.contains("(also on 8 other lines)"), "{told}");
}

#[test]
fn a_misspelt_key_is_not_missing_too() {
    snapshot!(message(
        "[services.restapi]\ndirectroy = \"api\"\n[services.tasks]\nneeds = []\n[functions.chat]\npth = \"chat\"\n"
    ));
}

#[test]
fn folders() {
    snapshot!(message(
        "[services]\na = \"services/api\"\nb = \"./services//api/\"\nc = \"../elsewhere\"\nd = \"/etc\"\ne = \"\"\n\
         f = { directory = \"f\", template = \"../template.yaml\", also = [\"../x/**\"] }\n"
    ));
}

#[test]
fn kinds_that_contradict_each_other() {
    snapshot!(message(
        "[services]\na = { directory = \"a\", site = \"build\", template = \"t.yaml\" }\n\
         b = { directory = \"b\", site = \"build\", kind = \"stack\" }\n\
         c = { directory = \"c\", kind = \"site\" }\n"
    ));
}

#[test]
fn builds() {
    let many = vec!["\"x\""; 51].join(", ");
    snapshot!(message(&format!(
        "[services]\na = {{ directory = \"a\", build = {{}} }}\n\
         b = {{ directory = \"b\", build = {{ task = \"x\", commands = [\"x\"] }} }}\n\
         c = {{ directory = \"c\", build = {{ task = \"x\", image = \"i\" }} }}\n\
         d = {{ directory = \"d\", build = {{ commands = [{many}] }} }}\n\
         e = {{ directory = \"e\", build = {{ commands = [\"a\\nb\", \" \"], timeout = \"2h\" }} }}\n\
         f = {{ directory = \"f\", build = {{ commands = [\"a\"], environment = {{ URL = \"${{a.Url}}\" }} }} }}\n"
    )));
}

#[test]
fn names_that_cannot_be() {
    snapshot!(message(
        "[services]\nRestApi = \"a\"\n\"b c\" = \"b\"\n\
         [environments]\nINT = {}\ndev-anna = {}\neu-int = {}\nthe-environment-of-the-whole-team = {}\n"
    ));
}

#[test]
fn names_of_stacks_that_are_too_long() {
    let long = "a-service-with-quite-a-long-name-".repeat(3);
    snapshot!(message(&format!(
        "[services]\n{long}x = \"a\"\n[environments]\ndev = {{}}\n"
    )));
}

#[test]
fn nothing_in_services_and_environments() {
    snapshot!(message("[services]\n[environments]\n[pipelines]\n"));
}

#[test]
fn the_order_of_environments() {
    snapshot!(message(
        "[environments]\ndev = { after = \"int\" }\nint = { after = \"intt\" }\na = { after = \"b\" }\n\
         b = { after = \"a\" }\nprd = { after = \"dev\" }\nown = { after = \"own\" }\n"
    ));
}

#[test]
fn what_environments_say_of_services() {
    snapshot!(message(
        "[services]\ndatabase = \"database\"\n[environments]\nint = { share = { database = \"pp\" } }\n\
         pp = { share = { database = \"prd\", queue = \"prd\" } }\nqa = { share = { database = \"qa\" } }\nown = { share = { database = \"own\" } }\n\
         prd = { allow = [\"Table\", \"databse.Table\"] }\n\
         [environments.loud]\nbake = \"5m\"\nalarms = [\"1\", \"2\", \"3\", \"4\", \"5\", \"6\", \"7\", \"8\", \"9\", \"10\", \"11\"]\n"
    ));
}

#[test]
fn an_environment_that_shares_all_services() {
    snapshot!(message(
        "[services]\napi = \"api\"\nweb = \"web\"\n[environments]\nint = {}\n\
         stg = { share = { api = \"int\" } }\nold = { share = { api = \"int\", web = \"int\" } }\n"
    ));
}

#[test]
fn rollouts_that_say_nothing_or_too_much() {
    snapshot!(message(
        "[environments.a]\nbake = \"10m\"\n[environments.b]\nbake = \"10m\"\nrollout = \"all-at-once\"\nalarms = []\n\
         [environments.c]\nalarms = [\"errors\"]\n[environments.d]\nrollout = \"linear:1@5m\"\nbake = \"1h\"\n\
         [environments.e]\nalarms = [\"errors\"]\nbake = \"2d\"\n\
         [environments.dev]\nrollout = \"canary:10@5m\"\npre-traffic = \"check\"\n"
    ));
}

#[test]
fn values_of_rollouts_without_the_right_form() {
    snapshot!(message(
        "[environments.prd]\nrollout = \"canary:10/5m\"\nbake = \"10 min\"\nalarms = [\"a\", \"b, c\"]\n\
         pre-traffic = \"arn:aws:lambda:eu-west-1:111111111111:function:check\"\npost-traffic = [\"check\"]\nbaked = \"1m\"\n\
         [environments.int]\nrollout = { canary = 10 }\nbake = \"10m\"\nalarms = \"errors\"\npre_traffic = \"check\"\n"
    ));
}

#[test]
fn pipelines_that_need_each_other() {
    snapshot!(message(
        "[services]\ntable = \"table\"\napi = { directory = \"api\", parameters = { Table = \"${table.Name}\" } }\n\
         alarms = { directory = \"alarms\", needs = [\"api\"] }\n\
         [pipelines]\ninfra = [\"table\", \"alarms\"]\napp = [\"api\"]\n"
    ));
}

#[test]
fn pipelines() {
    let long = "l".repeat(60);
    snapshot!(message(&format!(
        "[services]\na = \"a\"\nb = \"b\"\nc = \"c\"\n[pipelines]\none = [\"a\", \"b\"]\ntwo = [\"a\", \"x\"]\n{long} = []\n"
    )));
}

#[test]
fn one_wrong_value_makes_one_mistake() {
    let text = "application = \"workshop\"\n[services]\ndatabase = 5\nqueue = \"queue\"\n\
        restapi = { directory = \"api\", parameters = { Table = \"${database.Table}\" } }\n\
        [environments.prd.share]\ndatabase = 5\n[pipelines]\none = 5\n";
    let mistakes = parse(text, "delivery.toml").unwrap_err();
    let lines: Vec<_> = mistakes.iter().map(|mistake| mistake.line).collect();
    assert_eq!(lines, [3, 7, 9], "{mistakes}");
}

#[test]
fn one_line_that_is_not_toml_makes_one_mistake() {
    let mistakes = parse("region = a b c = [d\n", "delivery.toml").unwrap_err();
    assert_eq!(mistakes.iter().count(), 1, "{mistakes}");
}

/// Whether a file is right whose service is built so.
fn can_be_built(build: &str) -> bool {
    let text = format!(
        "application = \"a\"\n[services.api]\ndirectory = \"api\"\nbuild = {{ {build} }}\n"
    );
    parse(&text, "delivery.toml").is_ok()
}

/// So many texts, each another.
fn texts(count: usize) -> String {
    let texts: Vec<_> = (0..count).map(|number| format!("\"V{number}\"")).collect();
    texts.join(", ")
}

#[test]
fn builds_have_the_limits_of_the_commands_action() {
    let command = |characters: usize| format!("commands = [\"{}\"]", "x".repeat(characters));
    assert!(can_be_built(&command(1000)));
    assert!(!can_be_built(&command(1001)));
    let commands = |count: usize| format!("commands = [{}]", texts(count));
    assert!(can_be_built(&commands(50)));
    assert!(!can_be_built(&commands(51)));
    let files = |count: usize| format!("commands = [\"x\"], files = [{}]", texts(count));
    assert!(can_be_built(&files(10)));
    assert!(!can_be_built(&files(11)));
    let variables = |count: usize| format!("commands = [\"x\"], variables = [{}]", texts(count));
    assert!(can_be_built(&variables(15)));
    assert!(!can_be_built(&variables(16)));
    let environment = |count: usize| {
        let values = texts(count)
            .replace("\", ", "\" = 1, ")
            .trim_matches(',')
            .to_owned();
        format!("commands = [\"x\"], environment = {{ {values} = 1 }}")
    };
    assert!(can_be_built(&environment(10)));
    assert!(!can_be_built(&environment(11)));
    for (timeout, right) in [("299s", false), ("5m", true), ("55m", true), ("56m", false)] {
        assert_eq!(
            can_be_built(&format!("commands = [\"x\"], timeout = \"{timeout}\"")),
            right,
            "{timeout}"
        );
    }
}

#[test]
fn numbers_have_limits() {
    let limit = |limit: &str| {
        parse(
            &format!("application = \"a\"\n[previews]\nbase = [\"main\"]\nlimit = {limit}\n"),
            "delivery.toml",
        )
        .is_ok()
    };
    assert_eq!(
        ["0", "1", "100", "101"].map(limit),
        [false, true, true, false]
    );
    let parameter =
        |value: &str| parse(&format!("[parameters]\nX = {value}\n"), "delivery.toml").is_ok();
    assert_eq!(
        ["1.5", "0x1f", "nan", "inf", "9223372036854775808"].map(parameter),
        [true, true, false, false, false]
    );
}

#[test]
fn keys_that_are_set_twice() {
    snapshot!(message(
        "region = \"a\"\nregion = \"b\"\n[services]\na = \"a\"\na = \"b\"\nb = 5\n"
    ));
}

#[test]
fn text_that_is_not_toml() {
    snapshot!(message("region = eu-west-1\n[services\nprofile = \"team\n"));
}

#[test]
fn bytes_that_are_not_text() {
    let bytes = b"application = \"workshop\"\nregion = \"\xff\"\n";
    snapshot!(
        parse_bytes(bytes, "delivery.toml")
            .expect_err("the file is wrong")
            .to_string()
    );
}

#[test]
fn lines_are_counted_with_a_byte_order_mark_and_windows_line_ends() {
    let text = "\u{feff}application = \"workshop\"\r\n\r\nregoin = \"x\"\r\n";
    snapshot!(message_of(text));
}

#[test]
fn what_a_file_says_cannot_command_a_terminal() {
    let long = "x".repeat(10_000);
    let message = message_of(&format!(
        "\"\\u001b[31m\\nred\" = 1\nstack-name = 1\n\"{long}\" = 2\n"
    ));
    let lines: Vec<_> = message.lines().collect();
    assert_eq!(lines.len(), 6, "{message}");
    assert_eq!(lines[0], "delivery.toml:1: unknown key `\\u{1b}[31m\\nred`");
    assert!(lines[4].len() < 2100);
}

#[test]
fn mistakes_are_there_one_by_one() {
    let mistakes = parse("regoin = 1\nprofil = 2\n", "delivery.toml").unwrap_err();
    assert_eq!(mistakes.file(), "delivery.toml");
    let lines: Vec<_> = mistakes.iter().map(|mistake| mistake.line).collect();
    assert_eq!(lines, [1, 2]);
    let next: Vec<_> = mistakes.into_iter().map(|mistake| mistake.next).collect();
    assert_eq!(next, ["did you mean `region`?", "did you mean `profile`?"]);
}
