//! The sorts of malicious jobs: shell scripts that run as the task, in the job's source, with `FUNCTION` as the function's
//! process id and `ROUND` as the number of the round.

/// One sort.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) script: &'static str,
    /// How many rounds it is worth: all, or fewer where a job takes seconds.
    pub(crate) rounds: usize,
    /// Whether it writes where other programs of this machine look.
    pub(crate) needs_namespace: bool,
    /// Whether it stops the function. A function that nobody continues is ended by Lambda, with all that is in its environment.
    pub(crate) stops: bool,
    /// A part of the message that the job has to fail with; `None` where it may end as it likes.
    pub(crate) fails_with: Option<&'static str>,
}

const MANY: usize = usize::MAX;

/// Ends well, with an output.
const fn attack(name: &'static str, script: &'static str) -> Attack {
    Attack {
        name,
        script,
        rounds: MANY,
        needs_namespace: false,
        stops: false,
        fails_with: None,
    }
}

impl Attack {
    const fn everywhere(mut self) -> Self {
        self.needs_namespace = true;
        self
    }

    const fn fails(mut self, part: &'static str) -> Self {
        self.fails_with = Some(part);
        self
    }

    const fn stops(mut self) -> Self {
        self.stops = true;
        self
    }

    const fn only(mut self, rounds: usize) -> Self {
        self.rounds = rounds;
        self
    }
}

pub(crate) const ATTACKS: &[Attack] = &[
    attack(
        "files in every folder above",
        r#"directory=$PWD
while [ "$directory" != / ]; do
  directory=$(dirname "$directory")
  mkdir -p "$directory/node_modules/.bin" "$directory/.git" "$directory/.node_modules"
  printf '#!/bin/sh\necho EVIL > out\n' | tee "$directory/node_modules/.bin/node" > "$directory/node_modules/.bin/gulp"
  chmod 755 "$directory/node_modules/.bin/"*
  echo 'module.exports = "EVIL"' | tee "$directory/node_modules/supports-color.js" > "$directory/.gulp.js"
  echo '{"scripts": {"build": "echo EVIL > out"}}' > "$directory/package.json"
  echo 'node-options=--require=/tmp/evil.js' > "$directory/.npmrc"
done 2>/dev/null
echo x > out"#,
    )
    .everywhere(),
    attack(
        "files of the home directory",
        r#"cd "$HOME" && for name in .npmrc .gitconfig .profile .bashrc .node_repl_history .yarnrc .netrc; do echo EVIL > $name; done
mkdir -p .config/git .node_modules .cache .ssh && echo EVIL > .config/git/config
cd - > /dev/null; echo x > out"#,
    ),
    attack(
        "caches of npm, node and gulp",
        r#"mkdir -p "$npm_config_cache/_cacache/index-v5" "$npm_config_cache/_npx/evil" "$TMPDIR/node-compile-cache" "$TMPDIR/../../npm-cache" "$TMPDIR/../../v8-compile-cache-65534"
for d in "$npm_config_cache/_cacache/index-v5" "$TMPDIR/node-compile-cache" "$TMPDIR/../../npm-cache"; do echo EVIL > "$d/evil"; done
echo x > out"#,
    ),
    attack("a pipe as the output", "mkfifo out").fails("not a regular file"),
    attack("a pipe in the output", "mkdir out && echo x > out/a && mkfifo out/pipe"),
    attack(
        "folders and locks of other jobs",
        r#"cd "$TMPDIR/../.."
mkdir delivery-job-a delivery-job-b && mkfifo delivery-job-a/.lock delivery-job-c
ln -s delivery-job-a delivery-job-d && chmod 000 delivery-job-b
(setsid flock delivery-job-a sleep 1000 > /dev/null 2>&1 &)
cd - > /dev/null; echo x > out"#,
    ),
    attack(
        "links",
        r#"cd "$TMPDIR/../.."
ln -s / root; ln -s . self; ln -s loop loop; ln -s /proc/self/fd fds; ln -s "$OLDPWD" source
ln "$OLDPWD/job.sh" hard; mkdir -p a/b && ln -s ../.. a/b/up; ln -s /dev/zero zero
cd - > /dev/null; rm -rf node_modules; ln -s /etc node_modules; echo x > out"#,
    ),
    attack("the output is a link out", "ln -s /etc/passwd out").fails("leaves the source"),
    attack(
        "deleted files that survivors hold open and mapped",
        r#"for place in "$TMPDIR/../.." /dev/shm; do
  echo EVIL > "$place/mapped-$ROUND" || continue
  (setsid tail -f "$place/mapped-$ROUND" > /dev/null 2>&1 &)
  (setsid sh -c 'exec 8<>"$1"; rm "$1"; exec sleep 1000' sh "$place/mapped-$ROUND" > /dev/null 2>&1 &)
done
sleep 0.05; echo x > out"#,
    )
    .everywhere(),
    attack(
        "a daemon that writes into later jobs",
        r#"cat > daemon.sh <<'END'
trap '' TERM HUP INT
while :; do
  for job in "$1"/delivery-job-*; do echo EVIL > "$job/source/out"; echo EVIL > "$job/source/job.sh"; done
  echo EVIL > "$1/.gulp.js"
done 2>/dev/null
END
(setsid sh -c '(setsid sh ./daemon.sh "$1" &) ; exit' sh "$TMPDIR/../.." > /dev/null 2>&1 &)
sleep 0.02; echo x > out"#,
    ),
    attack(
        "processes that fork until they are killed",
        r#"(setsid sh -c 'i=0; while [ $i -lt 200 ]; do i=$((i + 1)); (exec setsid sh -c "exec sh -c :" &) ; done; exec sleep 1000' > /dev/null 2>&1 &)
i=0; while [ $i -lt 3 ]; do i=$((i + 1)); (setsid sh -c 'while :; do (sleep 0.01 &); done' > /dev/null 2>&1 &); done
sleep 0.05; echo x > out"#,
    ),
    attack(
        "two hundred processes that sleep",
        "i=0; while [ $i -lt 200 ]; do i=$((i + 1)); sleep 1000 > /dev/null 2>&1 & done; echo x > out",
    ),
    attack(
        "a low limit on the function's open files, and a daemon",
        r#"(setsid sleep 1000 > /dev/null 2>&1 &)
prlimit --pid "$FUNCTION" --nofile=$((ROUND % 4)): && echo x > out"#,
    )
    .fails("changed the function's limit on open files"),
    attack(
        "a limit of the function that cannot be raised again",
        r#"(setsid sleep 1000 > /dev/null 2>&1 &)
prlimit --pid "$FUNCTION" --msgqueue=4096:4096 && echo x > out"#,
    )
    .fails("changed the function's limit on message queues"),
    attack(
        "a daemon that lowers and raises the limit on and on",
        r#"cat > limits.sh <<'END'
limit=$(prlimit --pid "$FUNCTION" --nofile --output SOFT --noheadings --raw)
while :; do prlimit --pid "$FUNCTION" --nofile=0:; prlimit --pid "$FUNCTION" --nofile="$limit":; done
END
(setsid sh ./limits.sh > /dev/null 2>&1 &)
sleep 0.05; echo x > out"#,
    ),
    attack(
        "a function that is stopped again and again while it ends the job",
        r#"cat > stop.sh <<'END'
trap '' TERM
while :; do kill -STOP "$FUNCTION"; sleep 0.02; done
END
i=0; while [ $i -lt 20 ]; do i=$((i + 1)); sleep 1000 > /dev/null 2>&1 & done
(setsid sh ./stop.sh > /dev/null 2>&1 &)
(setsid sh ./stop.sh > /dev/null 2>&1 &)
echo x > out"#,
    )
    .stops(),
    attack(
        "a function that is slower",
        r#"renice -n 5 -p "$FUNCTION" > /dev/null && echo x > out"#,
    )
    .fails("changed the function's priority"),
    attack(
        "a flood of empty lines",
        "yes '' | head -c 500000; yes '' | head -c 500000 >&2; echo x > out",
    ),
    attack("a flood without a line", "head -c 20000000 /dev/zero; echo x > out"),
    attack(
        "twenty thousand folders in each other",
        r#"node -e 'const fs = require("fs"); process.chdir(process.argv[1]);
for (let i = 0; i < 20000; i++) { fs.mkdirSync("d"); process.chdir("d"); }' "$TMPDIR/../.."
echo x > out"#,
    )
    .only(3),
    attack(
        "twenty thousand paths of several folders",
        r#"node -e 'const fs = require("fs"); process.chdir(process.argv[1]);
for (let i = 0; i < 9500; i++) { fs.mkdirSync(`p${i}/b/c/d`, {recursive: true}); fs.writeFileSync(`p${i}/b/c/d/e`, ""); }' "$TMPDIR/../.."
echo x > out"#,
    )
    .only(2),
    attack(
        "a full disk",
        r#"echo x > out; head -c 200000000 /dev/zero > "$TMPDIR/../../full"; true"#,
    )
    .everywhere(),
    attack(
        "a disk without inodes",
        r#"echo x > out; node -e 'const fs = require("fs"); try { for (let i = 0; i < 100000; i++) fs.mkdirSync(process.argv[1] + "/i" + i); } catch {}' "$TMPDIR/../.."; true"#,
    )
    .everywhere()
    .only(4),
    attack(
        "folders and files of every mode",
        r#"cd "$TMPDIR/../.."
for mode in 0000 0111 0222 0444 0555 1777 2755 4755; do
  mkdir -p "m$mode/in/below" && echo x > "m$mode/in/file" && chmod $mode "m$mode/in/file" "m$mode/in/below" "m$mode/in" "m$mode"
done
chmod 0000 "$OLDPWD/node_modules"; cd - > /dev/null; echo x > out; chmod 0500 ..; chmod 0500 ../home"#,
    ),
    attack(
        "names",
        r#"cd "$TMPDIR/../.."
long=$(printf 'x%.0s' $(seq 255))
mkdir -p "$long/$long" .nfs0001 lost+found -- '-rf' '..evil' ' ' "$(printf 'new\nline')" "$(printf '\377\376')" .removed-0-0
touch "$long/$long/$long" ./-n '*' '~' '$(evil)' .removed-0-1
chattr +i lost+found 2>/dev/null
cd - > /dev/null; echo x > out"#,
    ),
    attack(
        "sockets and devices",
        r#"node -e 'const net = require("net"); const top = process.argv[1];
net.createServer().listen(top + "/evil.sock", () => net.createServer().listen("\0evil", () => process.exit()))' "$TMPDIR/../.."
mknod "$TMPDIR/../../device" c 1 3 2>/dev/null; mknod "$TMPDIR/../../pipe" p; echo x > out"#,
    )
    .only(5),
    attack(
        "files in other places that everybody may write to",
        r"for place in /dev/shm /var/tmp /dev/mqueue; do
  echo EVIL > $place/evil; mkdir -p $place/node_modules && chmod 000 $place/node_modules
done 2>/dev/null
echo x > out",
    )
    .everywhere(),
    attack(
        "a job that removes its own folder and all others",
        r#"rm -rf "$TMPDIR/../.."/* "$TMPDIR/../.."/.[a-z]* 2>/dev/null; true"#,
    ),
    attack(
        "a folder in the place of the job's",
        r#"job=$(dirname "$PWD"); echo x > out
mv "$job" "$job-moved" && mkdir -p "$job/source" && ln -s /etc/passwd "$job/source/out""#,
    ),
];
