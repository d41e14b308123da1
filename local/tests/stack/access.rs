//! Access to the ports of a local AWS: only with one of its keys, except to what is public on AWS, too.

use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::machine;
use crate::world::{World, document};

/// Another user of this machine.
const NOBODY: u32 = 65534;

/// What a web page of another origin, and a program without a key, can send. Each line of the answer is the request,
/// the status and who may read it.
const STRANGER: &str = r#"
import http.client, sys
EVIL = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-amz-target"}
SIGNED = lambda service, key="test": {
    "Authorization": f"AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/{service}/aws4_request, "
    "SignedHeaders=host, Signature=0"}
CODEPIPELINE = {"X-Amz-Target": "CodePipeline_20150709.ListPipelines", "Content-Type": "application/x-amz-json-1.1"}
FUNCTIONS = "/2015-03-31/functions"
NEXT = "/2018-06-01/runtime/invocation/next"
REQUESTS = [
    ("preflight", "OPTIONS", FUNCTIONS, {**EVIL, **PREFLIGHT}),
    ("page", "POST", FUNCTIONS, EVIL),
    ("page", "GET", "/", EVIL),
    ("page", "POST", "/", {**EVIL, **CODEPIPELINE}),
    ("image", "GET", "/", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}),
    ("rebound", "GET", "/", {"Host": "evil.example"}),
    ("program", "GET", FUNCTIONS, {}),
    ("program", "GET", FUNCTIONS, SIGNED("lambda")),
    ("program", "GET", FUNCTIONS, SIGNED("lambda", "000000000000")),
    ("program", "PUT", "/bucket", SIGNED("s3")),
    ("program", "POST", "/", CODEPIPELINE),
    ("program", "POST", "/", {**CODEPIPELINE, **SIGNED("codepipeline")}),
    ("program", "POST", "/_ministack/reset", {}),
    ("program", "PUT", "/_delivery/sites/bucket", {}),
    ("program", "GET", NEXT, {}),
]
for port in sys.argv[1:]:
    for who, method, path, headers in REQUESTS:
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=5)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            print(port, who, method, path, answer.status, answer.headers.get("Access-Control-Allow-Origin", "-"))
        except Exception as error:
            print(port, who, method, path, type(error).__name__, "-")
"#;

/// Answers of these ports to unauthorized requests that are not refusals.
fn answers(ports: &[SocketAddr], user: Option<u32>) -> Vec<String> {
    let mut command = Command::new("python3");
    command.args(["-c", STRANGER]).current_dir("/");
    command.args(ports.iter().map(|address| address.port().to_string()));
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines.len(),
        ports.len() * 15,
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let refused = |line: &&str| {
        let fields: Vec<&str> = line.split(' ').collect();
        fields[4].starts_with('4') && fields[5] == "-"
    };
    lines
        .into_iter()
        .filter(|line| !refused(line))
        .map(ToOwned::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_get_nothing_but_what_is_public() {
    let world = World::start().await;
    let launch = world.launch().await;
    let (api, function) = (&launch.outputs["Api"], &launch.outputs["Function"]);
    world.publish_and_move(function, "test").await;
    world.put_rest_api(api, &document("/hello")).await;
    world.create_deployment(api, "test", function).await;
    let action = world.action_function("e2e").await;
    world.invoke(&action).await; // its Runtime API listens now

    // MiniStack and the Runtime API by what their processes listen on; the gateway and the sites are this process, in
    // which other tests have theirs.
    let tree = machine::tree(world.aws.ministack().process_id().unwrap());
    let mut ports = machine::listeners(&tree);
    assert!(
        ports.contains(&world.aws.ministack().address()),
        "{ports:?}"
    );
    assert!(ports.len() >= 2, "{ports:?}");
    let outputs = ["TestSiteUrl", "ProdSiteUrl"].map(|output| launch.outputs[output].as_str());
    for url in [world.aws.endpoint(), outputs[0], outputs[1]] {
        ports.push(url.trim_start_matches("http://").parse().unwrap());
    }
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let mine = answers(&ports, None);
    assert_eq!(mine, Vec::<String>::new());
    if is_root {
        assert_eq!(answers(&ports, Some(NOBODY)), Vec::<String>::new());
    } else {
        println!("skipped: another user: this one is not root");
    }
    assert!(
        world.invoke(&action).await.contains("AWS_ENDPOINT_URL"),
        "no one else received its event"
    );

    // What is public on AWS; and who may read it is the application's to say.
    let url = format!("{}/hello?x=1", launch.outputs["TestApiUrl"]);
    let (status, fields, _) = world.ask("GET", &url, &[]).await;
    assert_eq!(
        (status, fields.get("access-control-allow-origin")),
        (200, None)
    );
    let foreign = [("origin", "https://evil.example")];
    assert_eq!(world.ask("GET", &url, &foreign).await.0, 403);
    let site = &launch.outputs["TestSiteUrl"];
    let bucket = &launch.outputs["TestSite"];
    world
        .put_object(bucket, "index.html", "text/html", "home")
        .await;
    let (status, fields, _) = world.ask("GET", site, &[]).await;
    assert_eq!(
        (status, fields.get("access-control-allow-origin")),
        (200, None)
    );
    assert_eq!(world.ask("GET", site, &foreign).await.0, 403);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_signed_beforehand_and_what_was_handed_out_opens_the_gateway() {
    let world = World::start().await;
    let (endpoint, key) = (world.aws.endpoint().to_owned(), world.aws.access_key_id());
    let buckets = |key: &str| {
        format!("{endpoint}/?X-Amz-Credential={key}%2F20260101%2Fus-east-1%2Fs3%2Faws4_request")
    };
    assert_eq!(world.ask("GET", &buckets(&key), &[]).await.0, 200);
    let (status, _, body) = world.ask("GET", &buckets("AKIAOTHER"), &[]).await;
    assert!(
        status == 403 && body.contains("<Code>InvalidAccessKeyId</Code>"),
        "{status} {body}"
    );

    let trust = r#"{"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "000000000000"}}]}"#;
    let create = [
        ("Action", "CreateRole"),
        ("RoleName", "any"),
        ("AssumeRolePolicyDocument", trust),
        ("Version", "2010-05-08"),
    ];
    world.form("iam", &create).await;
    let assume = [
        ("Action", "AssumeRole"),
        ("RoleArn", "arn:aws:iam::000000000000:role/any"),
        ("RoleSessionName", "session"),
        ("Version", "2011-06-15"),
    ];
    let assumed = world.form("sts", &assume).await;
    let (_, session) = assumed.split_once("<AccessKeyId>").unwrap();
    let session = session.split('<').next().unwrap();
    assert!(session.starts_with("ASIA") && session != key, "{session}");
    assert_eq!(world.ask("GET", &buckets(session), &[]).await.0, 200);

    // What others may not read.
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(world.aws.ministack().folder()), 0o700);
    assert_eq!(mode(world.aws.ministack().log()), 0o600);
    assert!(!world.aws.ministack().folder().join("secret").exists());
    world.stop().await;
}
