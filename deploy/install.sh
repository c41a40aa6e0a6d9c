#!/bin/sh
# Installs Sightline on Debian, Ubuntu or JetPack 6 from an unpacked release (npm run release), or takes it away.
#   ./install.sh agent [--hub URL --token T] [--no-start]    an edge agent; with both, enrolled and started
#   ./install.sh hub [--no-start]                            a hub
#   ./install.sh uninstall [--purge]                         programs and units; with --purge settings and data, too
# Run again, also from a newer release, it upgrades what is installed: settings and data stay; a service that does not
# start with the new release goes on with the former one. Nothing is fetched: Node.js is in the release.
set -eu

PREFIX=/opt/sightline
SETTINGS=/etc/sightline
COMMANDS=/usr/local/bin
UNITS=/etc/systemd/system
START_SECONDS=120
here=$(cd "$(dirname "$0")/.." && pwd)

say() { echo "sightline: $*"; }
die() { echo "sightline: $*" >&2; exit 1; }
usage() { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
booted() { [ -d /run/systemd/system ]; }
# What a person installs for: agent or hub, whose unit and user are named alike.
installed() { [ -f "$UNITS/sightline-$1.service" ]; }

check_machine() {
  [ "$(id -u)" = 0 ] || die "run it as root"
  [ -f "$here/RELEASE" ] || die "no $here/RELEASE: unpack a release first (npm run release makes one)"
  VERSION=$(sed -n 's/^VERSION=//p' "$here/RELEASE")
  arch=$(sed -n 's/^ARCH=//p' "$here/RELEASE")
  case "$(uname -m)" in
    x86_64) machine=x64 ;;
    aarch64) machine=arm64 ;;
    *) machine=$(uname -m) ;;
  esac
  [ "$machine" = "$arch" ] || die "this release is for $arch, the machine is $machine"
  needs=$(sed -n 's/^GLIBC=//p' "$here/RELEASE")
  has=$(getconf GNU_LIBC_VERSION | cut -d' ' -f2)
  newest=$(printf '%s\n%s\n' "$needs" "$has" | sort -V | tail -n 1)
  [ "$newest" = "$has" ] || die "this release needs glibc $needs, the machine has $has: pack it on an older system"
  "$here/runtime/bin/node" --version >/dev/null || die "the Node.js of this release does not run here"
}

make_user() {
  add_user "$1"
  # Before systemd would (StateDirectory): certificates and credentials are made before the first start.
  install -d -o "sightline-$1" -g "sightline-$1" -m 700 "/var/lib/sightline-$1"
}

add_user() {
  getent passwd "sightline-$1" >/dev/null ||
    useradd --system --user-group --home-dir "/var/lib/sightline-$1" --no-create-home --shell /usr/sbin/nologin "sightline-$1"
  [ "$1" = agent ] || return 0
  for group in video render; do
    if getent group "$group" >/dev/null; then usermod --append --groups "$group" sightline-agent; fi
  done
}

# The release beside the others, complete or not at all.
copy_release() {
  target=$PREFIX/releases/$VERSION-$(sha256sum "$here/RELEASE" "$here/package-lock.json" "$here"/apps/*/dist/main.js |
    sha256sum | cut -c1-8)
  [ "$here" != "$target" ] || return 0
  mkdir -p "$PREFIX/releases"
  if [ ! -d "$target" ]; then
    rm -rf "$PREFIX/releases/.new"
    cp -a "$here" "$PREFIX/releases/.new"
    chown -R root:root "$PREFIX/releases/.new"
    chmod -R u=rwX,go=rX "$PREFIX/releases/.new"
    mv "$PREFIX/releases/.new" "$target"
  fi
}

point_to() { ln -sfn "$1" "$PREFIX/.current" && mv -T "$PREFIX/.current" "$PREFIX/current"; }

# The command runs as the service's user, so that what it writes is the service's.
write_command() {
  program=$2
  cat >"$COMMANDS/sightline-$1" <<END
#!/bin/sh
# Written by Sightline's install.sh.
run() { exec "\$@"; }
if [ "\$(id -u)" = 0 ]; then run() { exec runuser -u sightline-$1 -- "\$@"; }; fi
cd /
export SIGHTLINE_DATA_DIR="\${SIGHTLINE_DATA_DIR:-/var/lib/sightline-$1}"
run $PREFIX/current/runtime/bin/node $PREFIX/current/apps/$program/dist/main.js "\$@"
END
  chmod 755 "$COMMANDS/sightline-$1"
}

# Settings are written once and never touched again. Readable by the service: a camera's password may stand in them.
write_settings() {
  file=$SETTINGS/$1.yaml
  mkdir -p "$SETTINGS"
  if [ ! -e "$file" ]; then
    if [ "$1" = agent ]; then agent_settings >"$file"; else hub_settings >"$file"; fi
  fi
  chown "root:sightline-$1" "$file"
  chmod 640 "$file"
}

agent_settings() {
  cat <<'END'
# Settings of the edge agent: docs/configuration.md. Afterwards: systemctl restart sightline-agent
dataDir: /var/lib/sightline-agent
http:
  port: 9464        # /healthz, /readyz, /metrics on loopback
cameras: []
#  - name: gate
#    source: rtsp://user:password@10.0.0.17/stream1    # needs ffmpeg: apt-get install ffmpeg
#    fps: 1
END
}

hub_settings() {
  cat <<'END'
# Settings of the hub: docs/configuration.md. Afterwards: systemctl restart sightline-hub
dataDir: /var/lib/sightline-hub
# Beyond loopback there must be certificates: sightline-hub certs init --name HOST (docs/security.md).
#http: { host: 0.0.0.0, port: 8443, publicUrl: "https://HOST:8443" }
#mqtt: { host: 0.0.0.0, port: 8883 }
END
}

start() {
  if ! booted; then
    systemctl enable "sightline-$1" 2>/dev/null || true
    say "systemd does not run here: sightline-$1 starts with the machine"
    return 0
  fi
  systemctl daemon-reload
  systemctl enable --quiet "sightline-$1"
  # Type=notify: back when the service says that it is ready.
  timeout "$START_SECONDS" systemctl restart "sightline-$1"
}

# What runs from the former release; a failure takes the former one back.
restart_all() {
  former=$1
  for service in agent hub; do
    installed "$service" || continue
    { [ "$service" = "$wanted" ] && [ "$no_start" = 0 ]; } || { booted && systemctl is-active --quiet "sightline-$service"; } ||
      continue
    code=0
    start "$service" || code=$?
    case $code in
      0) continue ;;
      # An engine may be under construction: systemd waits longer than a person does.
      124) say "sightline-$service is still starting: systemctl status sightline-$service"; continue ;;
    esac
    if [ -z "$former" ] || [ "$former" = "$target" ]; then
      die "sightline-$service does not start: journalctl -u sightline-$service says why"
    fi
    point_to "$former"
    for each in agent hub; do
      if installed "$each" && systemctl is-enabled --quiet "sightline-$each"; then
        systemctl --no-block restart "sightline-$each"
      fi
    done
    die "sightline-$service did not start with $VERSION; back to $(basename "$former"). See journalctl -u sightline-$service"
  done
}

enroll() {
  [ -n "$hub_url" ] || return 0
  "$COMMANDS/sightline-agent" enroll --hub "$hub_url" --token "$token" --data-dir /var/lib/sightline-agent
}

install_part() {
  wanted=$1
  check_machine
  former=$(readlink "$PREFIX/current" 2>/dev/null || true)
  make_user "$wanted"
  copy_release
  point_to "$target"
  case $wanted in agent) write_command agent edge-agent ;; hub) write_command hub hub ;; esac
  write_settings "$wanted"
  for service in agent hub; do
    if [ "$service" = "$wanted" ] || installed "$service"; then
      install -m 644 "$target/deploy/systemd/sightline-$service.service" "$UNITS/"
    fi
  done
  if [ "$wanted" = agent ]; then enroll; fi
  restart_all "$former"
  # The former release stays for a way back, older ones go.
  for each in "$PREFIX"/releases/*; do
    case $each in "$target" | "$former") ;; *) rm -rf "$each" ;; esac
  done
  say "$wanted $VERSION installed; settings in $SETTINGS/$wanted.yaml, data in /var/lib/sightline-$wanted"
  [ "$wanted" != agent ] || command -v ffmpeg >/dev/null ||
    say "RTSP, V4L2 and video files need ffmpeg: apt-get install --no-install-recommends ffmpeg"
}

uninstall() {
  [ "$(id -u)" = 0 ] || die "run it as root"
  for service in agent hub; do
    installed "$service" || continue
    if booted; then systemctl disable --now --quiet "sightline-$service"; else systemctl disable "sightline-$service" 2>/dev/null || true; fi
    rm -f "$UNITS/sightline-$service.service" "$COMMANDS/sightline-$service"
  done
  if booted; then systemctl daemon-reload; fi
  rm -rf "$PREFIX"
  if [ "$purge" = 0 ]; then
    say "removed; settings in $SETTINGS and data in /var/lib/sightline-* are kept (--purge)"
    return 0
  fi
  rm -rf "$SETTINGS" /var/lib/sightline-agent /var/lib/sightline-hub
  for service in agent hub; do
    if getent passwd "sightline-$service" >/dev/null; then userdel "sightline-$service"; fi
  done
  say "removed, with settings and data"
}

what=${1:-}
[ $# -eq 0 ] || shift
hub_url='' token='' no_start=0 purge=0
while [ $# -gt 0 ]; do
  case $1 in
    --hub) hub_url=${2:?--hub needs a URL}; shift ;;
    --token) token=${2:?--token needs a token}; shift ;;
    --no-start) no_start=1 ;;
    --purge) purge=1 ;;
    *) usage ;;
  esac
  shift
done
[ -z "$hub_url$token" ] || { [ -n "$hub_url" ] && [ -n "$token" ] && [ "$what" = agent ]; } || usage

case $what in
  agent | hub) install_part "$what" ;;
  uninstall) uninstall ;;
  *) usage ;;
esac
