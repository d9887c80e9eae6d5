#!/usr/bin/env bash
# fetch.sh [DIR]: the mail servers that the tests of test/peers run, unpacked.
#
# As packages, Exim, Sendmail and OpenSMTPD put each other (and Postfix) out of
# the machine. Here each is unpacked into a tree of its own below DIR (default:
# bin/peers in the checkout) that has all it needs, libraries included, and is
# started with that tree as its root. Nothing is installed on the machine.
#
# A tree that is complete is left alone. Needs a Debian system with package
# lists (apt-get update). Prints the versions.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${1:-bin/peers}
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# fetch PACKAGE...: unpack packages into $work/unpacked.
fetch() {
  (
    rm -rf "$work/debs"
    mkdir -p "$work/debs" "$work/unpacked"
    cd "$work/debs"
    apt-get download -qq "$@" 2>"$work/apt.err" || { cat "$work/apt.err" >&2; exit 1; } # warns when run by root
    for deb in *.deb; do
      dpkg-deb -x "$deb" "$work/unpacked"
      dpkg-deb -W --showformat '${Package} ${Version}\n' "$deb" >>"$work/versions"
    done
  )
}

# libraries PACKAGE...: those of the packages' libraries that the machine lacks.
libraries() {
  local todo=("$@") seen=" " lib
  while [ ${#todo[@]} -gt 0 ]; do
    local next=()
    for lib in $(apt-cache depends -i "${todo[@]}" | sed -n 's/^ *|\{0,1\}Depends: \(lib[a-z0-9.+-]*\)$/\1/p' | sort -u); do
      case $seen in *" $lib "*) continue ;; esac
      seen+="$lib "
      dpkg-query -W -f '${Status}' "$lib" 2>/dev/null | grep -q 'ok installed' && continue
      echo "$lib"
      next+=("$lib")
    done
    todo=("${next[@]}")
  done
}

# tree NAME: begin a tree.
tree() {
  root=$work/$1
  mkdir -p "$root"/{usr/{bin,sbin,lib,lib64,libexec,share},etc,dev,tmp,var/{spool,lib,mail,run,log},home}
  local d
  for d in bin sbin lib lib64; do ln -s "usr/$d" "$root/$d"; done
  ln -s var/run "$root/run"
  chmod 1777 "$root/tmp" "$root/var/mail"
  printf 'hosts: files dns\npasswd: files\ngroup: files\nservices: files\n' >"$root/etc/nsswitch.conf"
  printf 'smtp 25/tcp mail\nsubmission 587/tcp\n' >"$root/etc/services"
  printf 'tcp 6 TCP\nudp 17 UDP\n' >"$root/etc/protocols"
}

# take SOURCE TARGET: a file of the machine or of the packages to a place in the
# tree, with the libraries that it loads.
take() {
  local from=$1 to=$root$2
  mkdir -p "$(dirname "$to")"
  cp -L --preserve=mode "$from" "$to"
  LD_LIBRARY_PATH=$found ldd "$from" 2>/dev/null | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p; s/^\t\(\/[^ ]*\) .*/\1/p' | while read -r lib; do
    local at=/${lib#"$work/unpacked/"}
    at=/${at##/}
    [ -e "$root$at" ] && continue
    mkdir -p "$(dirname "$root$at")"
    cp -L --preserve=mode "$lib" "$root$at"
  done
}

# complete NAME: the tree is as it should be.
complete() {
  sort -u "$work/versions" >"$root/versions"
  rm -rf "${out:?}/$1"
  mv "$root" "$out/$1"
}

have() { [ -e "$out/$1/versions" ]; }

# begin NAME PACKAGE...: download what a tree is made of and begin it.
begin() {
  local name=$1
  shift
  rm -rf "$work/unpacked" "$work/versions"
  fetch "$@" $(libraries "$@")
  found=$(find "$work/unpacked" -name '*.so.*' -printf '%h\n' | sort -u | paste -sd:)
  tree "$name"
  take /bin/sh /usr/bin/sh
  take /bin/cat /usr/bin/cat
}

if ! have exim; then
  begin exim exim4-daemon-light exim4-base
  take "$work/unpacked/usr/sbin/exim4" /usr/sbin/exim4
  cp "$work/unpacked/usr/sbin/exigrep" "$work/unpacked/usr/sbin/eximstats" "$out/"
  complete exim
fi

if ! have sendmail; then
  begin sendmail sendmail-bin sendmail-base sendmail-cf m4 sasl2-bin libsasl2-modules libsasl2-modules-db
  for program in sendmail mail.local makemap smrsh; do
    take "$work/unpacked/usr/libexec/sendmail/$program" "/usr/libexec/sendmail/$program"
  done
  ln -s ../libexec/sendmail/sendmail "$root/usr/sbin/sendmail"
  take "$work/unpacked/usr/bin/m4" /usr/bin/m4
  for program in date rm sed uname; do take "/bin/$program" "/usr/bin/$program"; done # for the macros of sendmail.cf
  take "$work/unpacked/usr/sbin/saslpasswd2" /usr/sbin/saslpasswd2
  plugins=$(cd "$work/unpacked" && find usr/lib -path '*sasl2*' -name 'lib*.so*')
  for plugin in $plugins; do take "$work/unpacked/$plugin" "/$plugin"; done
  mkdir -p "$root/usr/share/sendmail"
  cp -r "$work/unpacked/usr/share/sendmail/cf" "$root/usr/share/sendmail/"
  complete sendmail
fi

if ! have opensmtpd; then
  begin opensmtpd opensmtpd
  for program in usr/sbin/smtpd usr/sbin/smtpctl usr/libexec/opensmtpd/{encrypt,lockspool,mail.lmtp,mail.local,mail.maildir,mail.mboxfile,mail.mda}; do
    take "$work/unpacked/$program" "/$program"
  done
  ln -s smtpctl "$root/usr/sbin/sendmail"
  complete opensmtpd
fi

# take_all DIRECTORY: the modules of a directory of the packages, which a program
# loads when it runs.
take_all() {
  local module
  (cd "$work/unpacked" && find "$1" -name '*.so*') | while read -r module; do take "$work/unpacked/$module" "/$module"; done
}

lib=usr/lib/$(uname -m)-linux-gnu

if ! have rsyslog; then
  begin rsyslog rsyslog rsyslog-openssl
  take "$work/unpacked/usr/sbin/rsyslogd" /usr/sbin/rsyslogd
  take_all "$lib/rsyslog"
  take "/$lib/libgcc_s.so.1" "/$lib/libgcc_s.so.1" # which ends threads
  complete rsyslog
fi

if ! have syslog-ng; then
  begin syslog-ng syslog-ng-core
  take "$work/unpacked/usr/sbin/syslog-ng" /usr/sbin/syslog-ng
  take_all usr/lib/syslog-ng
  cp -r "$work/unpacked/usr/share/syslog-ng" "$root/usr/share/"
  complete syslog-ng
fi

# systemd-journal-remote makes files of the journal without a systemd that runs.
if ! have journal; then
  begin journal systemd-journal-remote
  found=$found:/$lib/systemd
  remote=$(find "$work/unpacked" -type f -name systemd-journal-remote -path '*lib/systemd/*')
  take "$remote" /usr/lib/systemd/systemd-journal-remote
  complete journal
fi

grep -hE '^(exim4-daemon|sendmail-bin|opensmtpd|rsyslog|syslog-ng-core|systemd-journal-remote) ?' "$out"/{exim,sendmail,opensmtpd,rsyslog,syslog-ng,journal}/versions
