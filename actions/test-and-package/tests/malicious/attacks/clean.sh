job=$(dirname "$PWD")
top=$(dirname "$job")
[ "$top" = /tmp ] && others="/var/tmp /dev/shm /dev/mqueue" || others=
{
  echo built
  # Whatever lies outside of this job's own folder.
  find $top $others -mindepth 1 ! -path "$job" ! -path "$job/*" 2>/dev/null | sort
  find "$HOME" "$npm_config_cache" "$TMPDIR" | sort
  # What gulp, npm, node and git look for in all folders above.
  directory=$PWD
  while [ "$directory" != / ]; do
    directory=$(dirname "$directory")
    for name in .gulp.js .npmrc .git .node_modules node_modules package.json; do
      [ -e "$directory/$name" ] && [ "$directory" != "$job" ] && [ "$directory" != / ] && echo "$directory/$name"
    done
  done
  command -v node npm git
  env | grep -v '^FUNCTION=' | sort
  umask
  nice
  ulimit -a
  cat "/proc/$FUNCTION/limits"
  grep -E '^(Cpus_allowed|SigIgn|SigBlk):' /proc/self/status
  df -P "$top" | awk 'NR == 2 { print ($3 < 4096 ? "disk is empty" : "disk has " $3 " KiB") }'
  df -iP "$top" | awk 'NR == 2 { print ($3 < 100 ? "no inodes in use" : $3 " inodes in use") }'
} | sed "s#$job#JOB#g" > out
