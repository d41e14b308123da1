//! One shell and everything that comes from it.
//!
//! Problem: commands start daemons, which leave the process group and lose their parent. This process cannot adopt
//! them: it runs other children, and could not tell whose they are. So a supervisor of their own does, a child
//! subreaper, which ends all of them when the shell ends, when this process asks, and when this process is gone.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::log::Line;

const SUPERVISOR: &str = concat!(
    include_str!("../../processes.py"),
    include_str!("supervise.py")
);

/// How long the supervisor may take to end everything: the 5 s and 10 s of `processes.py`, and as long again on a
/// loaded machine.
const END_LIMIT: Duration = Duration::from_secs(30);

/// How long reading the output of an ended shell may take; no process can write to it any more.
const OUTPUT_GRACE: Duration = Duration::from_secs(2);

/// Longest line of the log; a longer one is cut into several. CloudWatch Logs takes events of 1 MB, which nobody
/// reads.
const MAX_LINE_BYTES: usize = 8 * 1024;

/// Bytes per read.
const CHUNK_BYTES: usize = 16 * 1024;

/// A shell to be started.
pub(super) struct Shell<'a> {
    pub(super) python: PathBuf,
    pub(super) program: PathBuf,
    pub(super) arguments: &'a [&'a str],
    pub(super) script: PathBuf,
    pub(super) directory: &'a Path,
    /// The variables of the shell.
    pub(super) environment: &'a BTreeMap<String, String>,
    /// Where the supervisor itself finds programs.
    pub(super) path: &'a OsStr,
}

/// How a shell ended.
pub(super) enum Ending {
    /// By itself.
    Exited(ExitStatus),
    /// Because nobody waits for its result any more.
    Ended,
    /// Its supervisor did not end.
    Stuck,
}

impl Shell<'_> {
    /// Runs the script to its end or until `end`; returns when nothing of it runs any more.
    pub(super) async fn run(
        &self,
        lines: mpsc::Sender<Line>,
        end: CancellationToken,
    ) -> io::Result<Ending> {
        // Not killed on drop: the supervisor would leave the processes alone. It ends with its input.
        let mut supervisor = Command::new(&self.python)
            .args(["-I", "-c", SUPERVISOR])
            .arg(&self.program)
            .args(self.arguments)
            .arg(&self.script)
            .current_dir(self.directory)
            .env_clear()
            .env("PATH", self.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let mut wanted = supervisor.stdin.take();
        if let Some(input) = &mut wanted {
            input.write_all(&self.variables()?).await?;
        }
        let output = supervisor.stdout.take();
        let reading = tokio::spawn(async move {
            if let Some(output) = output {
                read(output, &lines).await;
            }
        });
        let ending = tokio::select! {
            status = supervisor.wait() => Ending::Exited(status?),
            () = end.cancelled() => {
                drop(wanted);
                match tokio::time::timeout(END_LIMIT, supervisor.wait()).await {
                    Ok(status) => status.map(|_| Ending::Ended)?,
                    Err(_) => Ending::Stuck,
                }
            }
        };
        let _read_as_far_as_it_goes = tokio::time::timeout(OUTPUT_GRACE, reading).await;
        Ok(ending)
    }
}

impl Shell<'_> {
    /// The variables as the supervisor reads them.
    fn variables(&self) -> io::Result<Vec<u8>> {
        let mut block = Vec::new();
        for (name, value) in self.environment {
            if value.contains('\0') {
                let why = format!("the value of the variable `{name}` holds a NUL character");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
            }
            block.extend_from_slice(format!("{name}={value}\0").as_bytes());
        }
        block.push(0);
        Ok(block)
    }
}

/// Sends each line on. A full channel makes the commands wait, so that a flood stays out of memory.
async fn read(mut output: impl AsyncRead + Unpin, lines: &mpsc::Sender<Line>) {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut line = Vec::new();
    while let Ok(count @ 1..) = output.read(&mut chunk).await {
        for &byte in &chunk[..count] {
            if byte == b'\n' || line.len() == MAX_LINE_BYTES {
                send(&mut line, lines).await;
            }
            if byte != b'\n' {
                line.push(byte);
            }
        }
    }
    if !line.is_empty() {
        send(&mut line, lines).await;
    }
}

async fn send(line: &mut Vec<u8>, lines: &mpsc::Sender<Line>) {
    let text = String::from_utf8_lossy(line);
    // Nobody reads the log where it cannot be written; the commands go on.
    let _nobody_reads = lines.send(Line::now(text.trim_end_matches('\r'))).await;
    line.clear();
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// How long a test waits for something that must happen; only a failing test waits that long.
    const WAIT_LIMIT: Duration = Duration::from_mins(1);

    /// Whether a process of `sleep` with this argument is there.
    fn is_sleeping(argument: &str) -> bool {
        let wanted = format!("sleep\0{argument}\0");
        let mut processes = fs::read_dir("/proc").unwrap().flatten();
        processes.any(|process| {
            let line = fs::read(process.path().join("cmdline"));
            line.is_ok_and(|line| line == wanted.as_bytes())
        })
    }

    async fn until(reached: impl Fn() -> bool) {
        let waiting = async {
            while !reached() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(WAIT_LIMIT, waiting).await.unwrap();
    }

    #[tokio::test]
    async fn a_daemon_is_ended_when_nobody_waits_for_its_shell_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("script");
        fs::write(&script, "(setsid sleep 1003 &)\necho started\nsleep 1003\n").unwrap();
        let path = delivery_action::process::search_path();
        let environment = [("PATH".to_owned(), path.to_string_lossy().into_owned())].into();
        let shell = Shell {
            python: "python3".into(),
            program: "sh".into(),
            arguments: &[],
            script,
            directory: folder.path(),
            environment: &environment,
            path: &path,
        };
        let (lines, mut received) = mpsc::channel(10);
        // What a killed engine leaves: nobody polls, and the supervisor's input is closed.
        let mut running = Box::pin(shell.run(lines, CancellationToken::new()));
        tokio::select! {
            _ = &mut running => panic!("the shell ended"),
            line = received.recv() => assert!(line.is_some()),
        }
        until(|| is_sleeping("1003")).await;
        drop(running);
        until(|| !is_sleeping("1003")).await;
    }

    #[tokio::test]
    async fn a_line_without_end_is_cut_into_several() {
        let output = [vec![b'x'; 2 * MAX_LINE_BYTES], b"x\r\nnext".to_vec()].concat();
        let (lines, mut received) = mpsc::channel(10);
        read(&output[..], &lines).await;
        drop(lines);
        let mut lengths = Vec::new();
        while let Some(line) = received.recv().await {
            lengths.push(line.text().len());
        }
        assert_eq!(lengths, [MAX_LINE_BYTES, MAX_LINE_BYTES, 1, 4]);
    }
}
