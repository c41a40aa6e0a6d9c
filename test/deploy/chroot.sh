#!/bin/sh
# Proves deploy/install.sh and the systemd units on a bare Debian: debootstrap makes it, systemd-nspawn boots it without a
# network, proof.sh runs inside. Needs root, debootstrap, systemd-container, 3 GB of disk, and a Debian mirror the first time.
#   test/deploy/chroot.sh RELEASE.tgz [DIR]      DIR: keeps the bare system for the next time; default: a temporary one
set -eu
release=$(realpath "${1:?say which release: node scripts/release.mjs makes one}")
here=$(cd "$(dirname "$0")" && pwd)
suite=${SUITE:-bookworm}
mirror=${MIRROR:-http://deb.debian.org/debian}
limit_s=420

[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 0; }
for tool in debootstrap systemd-nspawn; do
  command -v "$tool" >/dev/null || { echo "skipped: no $tool (apt-get install debootstrap systemd-container)"; exit 0; }
done

if [ $# -ge 2 ]; then dir=$2; mkdir -p "$dir"; else dir=$(mktemp -d); fi
root=$dir/run
# shellcheck disable=SC2317  # called by the trap
cleanup() {
  rm -rf "$root"
  if [ $# -lt 2 ]; then rmdir "$dir" 2>/dev/null || rm -rf "$dir"; fi
}
trap 'cleanup "$@"' EXIT

if [ ! -f "$dir/base/etc/debian_version" ]; then
  rm -rf "$dir/base"
  debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus "$suite" "$dir/base" "$mirror" >"$dir/debootstrap.log" 2>&1 ||
    { tail -5 "$dir/debootstrap.log"; exit 1; }
fi
rm -rf "$root"
cp -a "$dir/base" "$root"
mkdir -p "$root/root/release"
tar -xzf "$release" -C "$root/root/release" --strip-components=1
cp "$here/proof.sh" "$root/root/proof.sh"

echo "== in a chroot, where no systemd runs"
chroot "$root" /root/release/deploy/install.sh agent --no-start
chroot "$root" /root/release/deploy/install.sh hub --no-start
chroot "$root" /root/release/deploy/install.sh uninstall --purge

cat >"$root/etc/systemd/system/proof.service" <<'END'
[Unit]
After=basic.target dbus.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c '/bin/sh /root/proof.sh >/root/proof.log 2>&1; echo $? >/root/proof.code; systemctl --no-block poweroff'
[Install]
WantedBy=multi-user.target
END
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -s ../proof.service "$root/etc/systemd/system/multi-user.target.wants/proof.service"

echo "== booted"
timeout --kill-after=20 "$limit_s" systemd-nspawn --quiet --directory="$root" --boot --private-network \
  --register=no --keep-unit --console=pipe >"$dir/boot.log" 2>&1 </dev/null || true
cat "$root/root/proof.log"
[ -f "$root/root/proof.code" ] || { echo "the proof did not end in $limit_s s; the boot said:"; tail -20 "$dir/boot.log"; exit 1; }
exit "$(cat "$root/root/proof.code")"
