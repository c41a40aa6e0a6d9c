#!/bin/sh
# Runs inside the machine that chroot.sh boots: installs, enrols, breaks, upgrades and removes Sightline.
set -eu
R=/root/release
NODE=$R/runtime/bin/node
export SYSTEMD_COLORS=0

ok() { echo "ok: $*"; }
fail() {
  echo "FAILED: $*"
  journalctl --no-pager -n 40 -u sightline-hub -u sightline-agent || true
  exit 1
}
# get URL: body on stdout; fails unless the answer is 2xx. The machine has no curl.
get() {
  "$NODE" -e '
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0"
    process.removeAllListeners("warning")
    fetch(process.argv[1]).then(async r => { console.log(await r.text()); process.exit(r.ok ? 0 : 1) }, e => { console.log(String(e.cause ?? e)); process.exit(1) })
  ' "$1" 2>/dev/null
}
answers() { get "$1" >/dev/null; }
metric() { get "$1" | sed -n "s/^$2 //p"; }
# until COUNT COMMAND: once a second
until_true() {
  left=$1; shift
  while ! "$@"; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || fail "in time: $*"
    sleep 1
  done
}
active() { systemctl is-active --quiet "sightline-$1"; }
above() { value=$(metric "$1" "$2"); [ "${value:-0}" -gt "$3" ]; }
restarts() { systemctl show -p NRestarts --value "sightline-$1"; }

systemd-analyze verify "$R"/deploy/systemd/*.service 2>&1 | grep -v 'not executable\|is not executable' || true

# 1. A hub that listens beyond loopback, with its own authority.
"$R"/deploy/install.sh hub --no-start
sightline-hub certs init --name localhost --ip 127.0.0.1 -c /etc/sightline/hub.yaml | head -4
cat >>/etc/sightline/hub.yaml <<'END'
http: { host: 0.0.0.0, port: 8443, publicUrl: "https://127.0.0.1:8443" }
mqtt: { host: 0.0.0.0, port: 8883 }
END
"$R"/deploy/install.sh hub
active hub || fail "hub not active"
[ "$(systemctl show -p Type --value sightline-hub)" = notify ] || fail "Type is not notify"
H=https://127.0.0.1:8443
get $H/healthz; get $H/readyz
ok "the hub is installed, and systemd heard that it is ready"
systemd-analyze security --no-pager sightline-hub | tail -1

# 2. An agent, enrolled and started by one command.
mkdir -p /etc/sightline /srv/camera
cp "$R"/deploy/samples/cameras/yard/* /srv/camera/
"$R"/deploy/install.sh agent --no-start
cat >/etc/sightline/agent.yaml <<'END'
dataDir: /var/lib/sightline-agent
http: { port: 9464 }
cameras: [ { name: yard, source: "folder:/srv/camera", fps: 2 } ]
END
token=$(sightline-hub enroll --site s --name n -c /etc/sightline/hub.yaml 2>/dev/null | sed -n 's/.*--token \(\S*\).*/\1/p')
"$R"/deploy/install.sh agent --hub $H --token "$token"
active agent || fail "agent not active"
A=http://127.0.0.1:9464
until_true 60 answers $A/readyz
until_true 60 above $H/metrics sightline_ingest_frames_total 3
[ "$(stat -c '%a %U' /var/lib/sightline-agent)" = "700 sightline-agent" ] || fail "data of the agent is open"
ok "the agent is enrolled, and its frames are at the hub"
systemd-analyze security --no-pager sightline-agent | tail -1

# 3. Death and deadlock.
before=$(restarts hub)
kill -9 "$(systemctl show -p MainPID --value sightline-hub)"
until_true 60 answers $H/readyz
[ "$(restarts hub)" -gt "$before" ] || fail "the hub was not restarted"
ok "a killed hub is back"
mkdir -p /run/systemd/system/sightline-agent.service.d
printf '[Service]\nWatchdogSec=6\n' >/run/systemd/system/sightline-agent.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart sightline-agent
sleep 14
active agent || fail "the watchdog bit an agent that was well"
[ "$(restarts agent)" = 0 ] || fail "the watchdog bit an agent that was well"
kill -STOP "$(systemctl show -p MainPID --value sightline-agent)"
n=0; while [ "$(restarts agent)" = 0 ] && [ $n -lt 40 ]; do sleep 1; n=$((n + 1)); done
[ "$(restarts agent)" -ge 1 ] || fail "the watchdog did not notice"
until_true 60 answers $A/readyz
ok "an agent that stands still is replaced after $n s (WatchdogSec=6)"

# 4. Installing again changes nothing; an upgrade keeps settings and data.
sum=$(cat /etc/sightline/*.yaml | sha256sum)
former=$(readlink /opt/sightline/current)
"$R"/deploy/install.sh agent >/dev/null
[ "$(readlink /opt/sightline/current)" = "$former" ] || fail "the same release was installed twice"
frames=$(metric $H/metrics sightline_index_vectors)
cp -a "$R" /root/newer
sed -i 's/^VERSION=.*/VERSION=9.9.9/' /root/newer/RELEASE
/root/newer/deploy/install.sh hub
case $(readlink /opt/sightline/current) in *9.9.9*) ;; *) fail "not upgraded" ;; esac
active hub || fail "hub not active after the upgrade"
active agent || fail "agent not active after the upgrade"
[ "$(cat /etc/sightline/*.yaml | sha256sum)" = "$sum" ] || fail "settings were changed"
until_true 60 answers $H/readyz
[ "$(metric $H/metrics sightline_index_vectors)" -ge "$frames" ] || fail "frames were lost"
ok "upgraded in place with $frames frames and the settings"

# 5. A release that does not start is taken back.
good=$(readlink /opt/sightline/current)
cp -a "$R" /root/broken
sed -i 's/^VERSION=.*/VERSION=9.9.10/' /root/broken/RELEASE
printf '#!/usr/bin/env node\nprocess.exit(1)\n' >/root/broken/apps/hub/dist/main.js
if /root/broken/deploy/install.sh hub; then fail "a broken release was taken"; fi
[ "$(readlink /opt/sightline/current)" = "$good" ] || fail "not taken back"
until_true 90 answers $H/readyz
ok "a broken release was taken back"

# 6. A stop drains; removal keeps what is kept.
started=$(date +%s%N)
systemctl stop sightline-agent sightline-hub
ok "stopped in $((($(date +%s%N) - started) / 1000000)) ms"
"$R"/deploy/install.sh uninstall
[ -d /var/lib/sightline-hub/store ] || fail "data are gone"
[ ! -e /opt/sightline ] || fail "programs are left"
"$R"/deploy/install.sh hub
until_true 60 answers $H/readyz
[ "$(metric $H/metrics sightline_index_vectors)" -ge "$frames" ] || fail "frames were lost"
"$R"/deploy/install.sh uninstall --purge
left=$(find / -xdev -path /root -prune -o -path /proc -prune -o \( -name '*sightline*' -print \) | grep -v '^/var/log/journal\|^/run/\|^/var/tmp\|^/tmp' || true)
[ -z "$left" ] || fail "left: $left"
ok "removed without a trace, and found its data when it came again"
