// Package oplog writes the logs that operators read, in the form that they know
// from appliances: cli_logs, smad_logs, trackerd_logs.
//
//	Mon Feb 13 20:19:29 2023 Info: Begin Logfile
//	Mon Feb 13 20:19:29 2023 Info: Version: 1.4.0 SN: A4BADB4712A9-511AA1E
//	Mon Feb 13 20:19:29 2023 Info: Time offset from UTC: 3600 seconds
//	Mon Feb 13 20:19:35 2023 Info: PID 51541: User smaduser login from ...
//
// A [Log] is a directory with the file that is being written, NAME.current, and
// rolled ones, NAME.@20230213T201929.s, named by the local time at which they
// were begun. Its [Log.Handler] takes records of log/slog: the message is the
// text of the line. One record is one line, whatever its text holds. A file has
// one version and one offset from UTC, which stand at its head: it is rolled
// when either changes, so also when summer time begins and ends.
//
// A log never stops the one who writes it. What cannot be written is counted
// and the log itself says how much is missing once it can be written again.
// Lines are not synced one by one; after a power failure the last ones may be
// missing, and never a file or its head. What must not be lost has a journal of
// its own elsewhere.
//
// One process writes a log. This package knows nothing of what the lines say.
package oplog
