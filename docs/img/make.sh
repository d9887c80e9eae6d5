#!/bin/sh
# Draws search.svg from a real session with the bundled logs. The argument is
# the program to run.
set -eu
waybill=$(realpath "${1:-bin/waybill}")
cd "$(dirname "$0")/../.."
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT
export CLICOLOR_FORCE=1 COLUMNS=104 TZ=UTC
unset NO_COLOR
"$waybill" import -q --year 2026 --data "$data" examples/mail.log.gz examples/mail-inner.log.gz

# The answers are not the same as success: 3 says that something cannot be excluded.
{
	printf '$ waybill search -status:delivered --limit 8\n'
	"$waybill" search --data "$data" -status:delivered --limit 8 2>/dev/null || test $? -eq 3
	printf '\n$ waybill search subject:invoice\n'
	"$waybill" search --data "$data" subject:invoice 2>/dev/null || test $? -eq 3
	printf '\n$ waybill search sender:ann@example.com --gateway mx-a --from 2026-11-21T21:06:30 --to 2026-11-21T21:07:00\n'
	"$waybill" search --data "$data" sender:ann@example.com --gateway mx-a --from 2026-11-21T21:06:30 --to 2026-11-21T21:07:00 2>/dev/null || test $? -eq 1
} | go run ./docs/img/svg > docs/img/search.svg
