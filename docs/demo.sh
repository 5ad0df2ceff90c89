#!/bin/bash
# demo BUILD: the whole way on real footage, with the programs in BUILD. An owner, a hub and a camera are made
# in BUILD/demo; the camera watches the film in capture/footage; the owner opens what the hub has stored.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$(cd "$1" && pwd)
demo=$1/demo
film=$PWD/capture/footage/visits.avi
hub_pid='' agent_pid=''

cleanup() {
	for pid in $agent_pid $hub_pid; do kill "$pid" 2>/dev/null || true; done
	wait 2>/dev/null || true
}
trap cleanup EXIT
trap 'echo; echo "interrupted: hub and camera are stopped, $demo is left as it is"; exit 130' INT TERM
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }
die() { echo "demo: $1" >&2; echo "see $2" >&2; exit 1; }

rm -rf "$demo" && mkdir -p "$demo"

say "1. The owner makes a key. Only this file opens clips."
"$bin/nightjarctl" keygen -o "$demo/owner.key"
recipient=$(sed -n 's/^# public key: //p' "$demo/owner.key")

say "2. The hub makes its CA and starts. It gets no key that opens anything."
"$bin/nightjar-hub" init --dir "$demo/hub"
"$bin/nightjar-hub" run --dir "$demo/hub" --listen 127.0.0.1:0 2>"$demo/hub.log" &
hub_pid=$!
addr=
for _ in $(seq 100); do
	addr=$(sed -n 's/.*msg="hub listens".* addr=\([^ ]*\).*/\1/p' "$demo/hub.log")
	[ -n "$addr" ] && break
	kill -0 $hub_pid 2>/dev/null || die "the hub did not start" "$demo/hub.log"
	sleep 0.1
done
[ -n "$addr" ] || die "the hub does not listen" "$demo/hub.log"
echo "listening on $addr"

say "3. The camera enrols with a one-time token. Its keys are made on it and stay there."
token=$("$bin/nightjar-hub" token --dir "$demo/hub" --device porch)
"$bin/nightjar" enroll --state "$demo/camera" --hub "$addr" --token "$token" --recipient "$recipient"

say "4. The camera watches $(basename "$film"), eight times as fast as it was filmed."
cat >"$demo/nightjar.yml" <<YAML
state: $PWD/$demo/camera
camera:
  source: replay
  path: $film
  speed: 8
YAML
[ "${demo#/}" = "$demo" ] || sed -i "s|^state: .*|state: $demo/camera|" "$demo/nightjar.yml"
"$bin/nightjar" run --config "$demo/nightjar.yml" --drain 2>"$demo/camera.log" &
agent_pid=$!
# Progress: the camera's own log, as a person would read it.
shown=0
while kill -0 $agent_pid 2>/dev/null; do
	sleep 0.3
	total=$(wc -l <"$demo/camera.log")
	[ "$total" -gt "$shown" ] && sed -n "$((shown + 1)),${total}p" "$demo/camera.log" | sed -n \
		-e 's/.*msg="motion began".* at=\([^ ]*\).*/  motion at \1/p' \
		-e 's/.*msg="clip recorded".* id=\([0-9a-f]\{8\}\).* duration=\([^ ]*\) frames=\([0-9]*\).*/  clip \1 recorded: \2, \3 frames, sealed and signed/p' \
		-e 's/.*msg="receipt verified".* clip=\([0-9a-f]\{8\}\).*/  clip \1 stored by the hub: receipt verified, spool freed/p'
	shown=$total
done
wait $agent_pid || die "the camera failed" "$demo/camera.log"
agent_pid=

say "5. The owner verifies the chain and opens the clips."
"$bin/nightjarctl" clips verify --store "$demo/hub"
"$bin/nightjarctl" clips open --store "$demo/hub" -i "$demo/owner.key" --all --sheet -o "$demo/clips"
echo
"$bin/nightjarctl" clips ls --store "$demo/hub" -i "$demo/owner.key"

first=$(find "$demo/hub/devices/porch/clips" -name '*.mp4.age' | sort | head -n 1)
say "Done."
cat <<TEXT
  opened clips      $demo/clips/*.mp4 (contact sheets beside them)
  what the hub has  $demo/hub/devices/porch/
  owner's key       $demo/owner.key

Open one without any of our programs:
  age -d -i $demo/owner.key $first | ffplay -
TEXT
