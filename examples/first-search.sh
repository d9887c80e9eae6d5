#!/bin/sh
# Imports the two logs beside this script into a directory that is thrown away
# on the next start, and searches them. The argument is the program to run.
set -eu
waybill=${1:-waybill}
here=$(dirname "$0")
data=${TMPDIR:-/tmp}/waybill-example-$(id -u)
rm -rf "$data"

run() {
	printf '\n$ waybill %s\n' "$(printf '%s ' "$@" | sed "s|$here/||g; s|--data $data ||; s| $||")" >&2
	"$waybill" "$@"
}

run import --data "$data" "$here/mail.log.gz" "$here/mail-inner.log.gz"
run search --data "$data" -status:delivered --limit 10
printf '\nThe store is in %s. Go on with, for example:\n  %s search --data %s sender:@src.test subject:bulk\n  %s search --data %s --help\n' \
	"$data" "$waybill" "$data" "$waybill" "$data" >&2
