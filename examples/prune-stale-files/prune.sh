#!/usr/bin/env bash
# Deletes the regular files below $WORK_DIR/scratch that were not changed for $STALE_MINUTES minutes, then the folders
# that this left empty. Symbolic links are neither followed nor deleted; other file systems are left alone.
set -euo pipefail

fail() {
  echo "prune: $*" >&2
  exit 1
}

work_dir=${WORK_DIR:?the folder to work in}
case $work_dir in
  '~/'*) work_dir=$HOME/${work_dir#'~/'} ;;
esac
stale_minutes=${STALE_MINUTES:-60}
[[ $stale_minutes =~ ^[1-9][0-9]{0,6}$ ]] || fail "STALE_MINUTES is \`$stale_minutes\`; it must be minutes, 1 or more"

scratch=$work_dir/scratch
if [[ ${MAKE_SAMPLE:-no} == yes ]]; then
  mkdir -p "$scratch/build"
  echo "in use" >"$scratch/report.txt"
  echo "left by a build" >"$scratch/build/stale.log"
  touch -d "$((stale_minutes + 60)) minutes ago" "$scratch/build/stale.log"
fi
[[ -d $scratch && ! -L $scratch ]] || fail "$scratch is not a folder; nothing was deleted"

# One walk deletes and then lists, so that what is counted is what is gone.
removed=0
removed_bytes=0
while IFS= read -r -d '' size && IFS= read -r -d '' path; do
  removed=$((removed + 1))
  removed_bytes=$((removed_bytes + size))
  echo "removed ${path#"$scratch"/}"
done < <(find "$scratch" -xdev -type f -mmin "+$stale_minutes" -delete -printf '%s\0%p\0')
wait $! || fail "some stale files could not be deleted"
find "$scratch" -xdev -mindepth 1 -type d -empty -delete
kept=$(find "$scratch" -xdev -type f -printf x | wc -c)

summary="removed $removed files ($removed_bytes bytes), kept $kept"
echo "$summary"
# Written beside and renamed: who reads the report never sees half of it.
echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $summary" >"$work_dir/report.txt.new"
mv "$work_dir/report.txt.new" "$work_dir/report.txt"
